"""What watches training: validation, the best epoch, progress, and checkpoints."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from supertune.console import Bar, Console
from supertune.contracts import Event, Stop
from supertune.train import CheckpointWriter, NotWritten, TrainingState, Written

if TYPE_CHECKING:
    import torch


class BestEpoch:
    """Keeps the weights of the epoch with the best validation score, and stops when none gets better.

    Equal scores are told apart by the validation loss, since small validation sets make ties common. The weights are
    part of the state, so that a checkpoint, which is verified as a whole, needs no other file.

    Args:
        weights: Gives the present weights; they are copied.
        metric: Name of the score.
        patience: Epochs without a better score before it asks to stop; 0 for never.
        higher_is_better: Which way the score is better.
        tie_breaker: What tells equal scores apart.
        less_is_better: Which way that is better.

    Attributes:
        epoch: 1-based best epoch so far; 0 before the first.
        score: Its score.
        weights: Its weights, on the CPU.
    """

    def __init__(
        self,
        weights: Callable[[], Mapping[str, torch.Tensor]],
        metric: str,
        patience: int,
        *,
        higher_is_better: bool = True,
        tie_breaker: str = "log_loss",
        less_is_better: bool = True,
    ) -> None:
        self.metric, self._tie_breaker = metric, tie_breaker
        self._tie_sign = 1 if less_is_better else -1
        self.epoch = 0
        self._sign = 1 if higher_is_better else -1
        self.score = -self._sign * float("inf")
        self.weights: dict[str, torch.Tensor] = {}
        self._loss = float("inf")
        self._present = weights
        self._patience = patience

    def __call__(self, event: Event) -> Iterable[Event | Stop]:
        """Compare each ``validation`` event with the best so far."""
        if event.event != "validation":
            return
        epoch, score = event.values["epoch"], event.values[self.metric]
        loss = self._tie_sign * event.values[self._tie_breaker]
        # Where the metric does not exist (all true numbers of these rows are the same), the loss alone decides.
        rank = self._sign * score if math.isfinite(score) else -math.inf
        best = self._sign * self.score if math.isfinite(self.score) else -math.inf
        if (rank, -loss) > (best, -self._loss):
            self.epoch, self.score, self._loss = epoch, score, loss
            # The old ones go first, so that the two never exist together.
            self.weights = {}
            self.weights = {name: tensor.to("cpu", copy=True) for name, tensor in self._present().items()}
            yield Event("best", event.step, {"epoch": epoch, self.metric: score})
        elif self.exhausted(epoch):
            yield Stop(f"{self.metric} has not risen for {self._patience} epochs")

    def exhausted(self, epochs: int) -> bool:
        """Whether patience is at an end after so many whole epochs."""
        return self._patience > 0 and epochs - self.epoch >= self._patience

    def state_dict(self) -> dict[str, Any]:
        """The best so far; tensors are not copies."""
        return {"epoch": self.epoch, "score": self.score, "loss": self._loss, "weights": self.weights}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from there."""
        self.epoch, self.score, self._loss = state["epoch"], state["score"], state["loss"]
        self.weights = dict(state["weights"])


class Validation:
    """Scores the model on the validation rows after every epoch."""

    def __init__(self, score: Callable[[], Mapping[str, float]]) -> None:
        self._score = score

    def __call__(self, event: Event) -> Iterable[Event | Stop]:
        """Reply to each ``epoch`` event with a ``validation`` event."""
        if event.event == "epoch":
            yield Event("validation", event.step, {"epoch": event.values["epoch"], **self._score()})


class Progress:
    """Moves the bar, and says a line per epoch; of very many epochs a line for every few."""

    LINES = 20

    def __init__(self, console: Console, bar: Bar, metric: str, epochs: int, *, loss: str = "log_loss") -> None:
        self._console, self._bar, self._metric, self._epochs, self._loss = console, bar, metric, epochs, loss
        self._between = math.ceil(epochs / self.LINES)
        self._items = 0
        self._start = time.monotonic()
        self._epoch_loss = float("nan")

    def __call__(self, event: Event) -> Iterable[Event | Stop]:
        """Show steps on the bar and epochs as lines."""
        values = event.values
        if event.event == "step":
            self._items += values["items"]
            rate = self._items / (time.monotonic() - self._start)
            self._bar(event.step, f"loss {values['loss']:.3f}, {rate:.0f} rows/s")
        elif event.event == "epoch":
            self._epoch_loss = values["loss"]
        elif event.event == "validation" and (values["epoch"] % self._between == 0 or values["epoch"] == self._epochs):
            said = ", ".join(f"{name} {values[name]:.3f}" for name in dict.fromkeys((self._loss, self._metric)))
            named = said.replace("log_loss", "loss", 1)
            self._console.say(
                f"  epoch {values['epoch']:>2}/{self._epochs}: loss {self._epoch_loss:.3f}, validation {named}"
            )
        elif event.event == "stop":
            self._console.say(f"  stopped: {values['reason']}")
        elif event.event == "memory":
            self._console.say(f"  memory ran out: each step is computed in {values['pieces']} pieces from now on")
        return ()


class Checkpoints:
    """Saves everything that the rest of training depends on, now and then; the last of the consumers.

    By the clock a checkpoint is due a minute after the last one, and after a validation, if saving costs little beside
    what was done since the last one. Else it is due after so many steps and every validation; and always when training
    is over. A disk that is full does not end training: it is said, and the last whole checkpoint stays.

    Args:
        writer: Writes in the background.
        state: Gives the present state.
        every: Steps between checkpoints; None for a minute.
        console: Where to say that one could not be written.
    """

    PAUSE = 60.0
    """Seconds between checkpoints: what a crash costs at most, beside what saving costs (below 1 % of the time)."""

    SHARE = 0.05
    """Of the time, for what is saved after validations: epochs of a few rows take no longer than saving."""

    def __init__(
        self, writer: CheckpointWriter, state: Callable[[], TrainingState], every: int | None, console: Console
    ) -> None:
        self._writer, self._state, self._every, self._console = writer, state, every, console
        self._last = time.monotonic()
        self._cost = 0.0
        self._saved = True
        self._failed = False

    def __call__(self, event: Event) -> Iterable[Event | Stop]:
        """Save when one is due, and reply with what became of earlier ones."""
        if event.event in ("step", "epoch", "validation"):
            due = (
                self._worth_saving() if event.event == "validation" else event.event == "step" and self._due(event.step)
            )
            self._saved = due and self._writer.save(event.step, self._state(), wait=self._every is not None)
            self._last = time.monotonic() if self._saved else self._last
        yield from self._outcomes(self._writer.poll())

    def finish(self, step: int) -> Iterable[Event]:
        """Save what was not saved yet, at a step boundary, and wait for it; nothing can be saved afterwards."""
        if not self._saved:
            self._writer.save(step, self._state(), wait=True)
        yield from self._outcomes(self._writer.close())

    def _due(self, step: int) -> bool:
        if self._every is not None:
            return step % self._every == 0
        return time.monotonic() - self._last >= self.PAUSE

    def _worth_saving(self) -> bool:
        return self._every is not None or time.monotonic() - self._last >= self._cost / self.SHARE

    def _outcomes(self, found: Iterable[Written | NotWritten]) -> Iterable[Event]:
        """What became of checkpoints, as events; a failure is also said, once until one succeeds again."""
        for outcome in found:
            if isinstance(outcome, Written):
                self._failed, self._cost = False, outcome.seconds
                yield Event("checkpoint", outcome.step, {"seconds": round(outcome.seconds, 3)})
                continue
            if not self._failed:
                self._console.warn(f"training goes on without a checkpoint of step {outcome.step}: {outcome.error}")
            self._failed = True
            yield Event("checkpoint_failed", outcome.step, {"reason": str(outcome.error)})
