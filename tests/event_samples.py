"""Events as a training writes them, with times of their own; and Hypothesis strategies that make whole histories."""

from __future__ import annotations

import datetime
import math

from hypothesis import strategies as st

BEGIN = datetime.datetime(2026, 1, 31, 12, 0, tzinfo=datetime.UTC)


def row(event, step, seconds=0.0, **values):
    time = (BEGIN + datetime.timedelta(seconds=seconds)).isoformat(timespec="milliseconds")
    return {"time": time, "step": step, "event": event, **values}


def epoch_rows(epoch, steps_per_epoch, score, begin=0, pace=0.1):
    """One epoch from its step ``begin`` on: steps, the epoch's end, its validation."""
    first = (epoch - 1) * steps_per_epoch
    for within in range(begin + 1, steps_per_epoch + 1):
        step = first + within
        values = {"loss": 2 * math.exp(-step / 30) + 0.1, "items": 16, "tokens": 400, "learning_rate": 5e-5 / step}
        yield row("step", step, pace * step, **values)
    end = epoch * steps_per_epoch
    yield row("epoch", end, pace * end, epoch=epoch, loss=1 / epoch)
    yield row("validation", end, pace * end, epoch=epoch, accuracy=score, log_loss=1 - score, f1_macro=score / 2)


def training_rows(epochs=3, steps_per_epoch=20, planned=None, pace=0.1):
    """A training of which ``epochs`` are done; the scores rise, so that every epoch is the best so far."""
    planned = planned or epochs
    yield row("start", 0, steps=planned * steps_per_epoch, epochs=planned, rows=16 * steps_per_epoch, metric="f1_macro")
    for epoch in range(1, epochs + 1):
        score = 1 - 0.5 / epoch
        yield from epoch_rows(epoch, steps_per_epoch, score, pace=pace)
        yield row("best", epoch * steps_per_epoch, pace * epoch * steps_per_epoch, epoch=epoch, f1_macro=score / 2)


class Trainer:
    """Does what a training does to its events, and remembers what of it stands; `written` is what the file holds."""

    def __init__(self, per_epoch):
        self.per_epoch, self.number, self.written = per_epoch, 0, []
        # Of each attempt that is over: seed, its rows, its last step, whether it came to nothing.
        self.over = []
        self.begin(0)

    def begin(self, seed):
        self.seed, self.step, self.current, self.saved = seed, 0, [], []
        self.written.append(row("start", 0, seed=seed))

    def train(self, *, save):
        self.step += 1
        self.take(self.event("step"))
        if save:
            # Before the epoch ends: its end then comes a second time after a kill.
            self.saved.append((self.step, list(self.current)))
        self.end_epoch()

    def end_epoch(self):
        epoch, rest = divmod(self.step, self.per_epoch)
        if epoch and not rest:
            for name in ("epoch", "validation", "best")[: 2 + epoch % 2]:
                self.take(self.event(name, epoch=epoch))
            # Checkpoints are written in the background: training has gone on when it is told that one is whole.
            self.written.append(row("checkpoint", max(0, self.step - 1)))

    def event(self, name, **values):
        # The number tells every row from every other, so that an old one cannot pass for its successor.
        self.number += 1
        return row(name, self.step, number=self.number, loss=float(self.number), learning_rate=0.1, **values)

    def take(self, new):
        self.current.append(new)
        self.written.append(new)

    def kill(self, back):
        for seed, _, step, failed in self.over:
            self.written += [row("resumed", step, seed=seed), *([row("restart", step)] if failed else [])]
        if not self.saved:
            self.begin(self.seed)
            return
        self.step, kept = self.saved[max(0, len(self.saved) - back)]
        self.saved = [one for one in self.saved if one[0] <= self.step]
        self.current = list(kept)
        self.written.append(row("resumed", self.step, seed=self.seed))
        if not any(one["step"] == self.step for one in kept if one["event"] == "epoch"):
            self.end_epoch()

    def next_seed(self, *, failed):
        self.over.append((self.seed, [] if failed else self.current, self.step, failed))
        self.written += [row("restart", self.step)] if failed else []
        self.begin(self.seed + 1)

    @property
    def stands(self):
        return [one for _, rows, _, _ in self.over for one in rows] + self.current


@st.composite
def histories(draw):
    """(rows as written, what of them stands): killed, resumed and begun again at random moments."""
    trainer = Trainer(draw(st.integers(1, 4)))
    for _ in range(draw(st.integers(0, 40))):
        match draw(st.sampled_from(["train"] * 6 + ["kill", "kill", "restart", "next"])):
            case "train":
                trainer.train(save=draw(st.booleans()))
            case "kill":
                trainer.kill(draw(st.integers(1, 3)))
            case do:
                trainer.next_seed(failed=do == "restart")
    return trainer.written, trainer.stands
