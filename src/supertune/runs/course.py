"""How training is going, told by its events one at a time: what live pages and learning curves are drawn from."""

from __future__ import annotations

import datetime
from array import array
from bisect import bisect_right
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from supertune.runs.events import ONCE_A_STEP

SECONDS = 60.0
"""Speed is that of the last minute: long enough to even out short and long batches, short enough to be now."""

Floats = NDArray[np.float64]

_MOST_STEPS = 4096
_TURNS = ("start", "resumed", "restart")
_PROGRESS = ("step", "epoch", "validation", "best", "stop", "done")
"""Events whose step is where training is; a checkpoint is reported when training has gone on."""

LOSS = ("loss", "log_loss")
"""Names under which events carry the loss that training minimises, the first that is there."""

_NOT_SCORES = frozenset({"time", "step", "event", "epoch", "seed"})


@dataclass
class Curves:
    """What one seed's training has measured so far; steps only rise.

    Attributes:
        steps: Numbers of the optimizer steps.
        losses: Training loss of each.
        rates: Learning rate of each; NaN where the event did not say.
        epochs: The ``epoch`` events.
        validations: The ``validation`` events.
        bests: The ``best`` events; the last one is the epoch whose weights are kept.
    """

    steps: array[float] = field(default_factory=lambda: array("d"))
    losses: array[float] = field(default_factory=lambda: array("d"))
    rates: array[float] = field(default_factory=lambda: array("d"))
    epochs: list[Mapping[str, Any]] = field(default_factory=list)
    validations: list[Mapping[str, Any]] = field(default_factory=list)
    bests: list[Mapping[str, Any]] = field(default_factory=list)

    @property
    def best(self) -> Mapping[str, Any] | None:
        """The best epoch so far."""
        return self.bests[-1] if self.bests else None

    def add(self, row: Mapping[str, Any]) -> None:
        """Take in one event."""
        if row["event"] == "step":
            self.steps.append(row["step"])
            self.losses.append(number(row.get("loss")))
            self.rates.append(number(row.get("learning_rate")))
        elif row["event"] in ONCE_A_STEP:
            rows = self._rows(row["event"])
            if rows and rows[-1]["step"] == row["step"]:
                rows.pop()
            rows.append(row)

    def forget_after(self, step: int) -> None:
        """Drop what was done at later steps."""
        end = bisect_right(self.steps, step)
        for values in (self.steps, self.losses, self.rates):
            del values[end:]
        for name in ONCE_A_STEP:
            rows = self._rows(name)
            rows[:] = [row for row in rows if row["step"] <= step]

    def _rows(self, event: str) -> list[Mapping[str, Any]]:
        return {"epoch": self.epochs, "validation": self.validations, "best": self.bests}[event]


class Course:
    """A training as its events tell it, from the first or in the middle of it, with interruptions and new starts.

    Memory grows by 24 bytes a step.

    Attributes:
        plan: What ``start`` or ``resumed`` announced: ``steps``, ``epochs``, ``rows``, ``metric``, …
        seed: The seed in training, where events name one.
        step: The last step that was taken.
        heard: When the last event came, ISO 8601; empty before the first.
        stopped: Why training stopped early, if it did.
        over: The ``done`` event has come: everything is saved and measured.
    """

    def __init__(self, rows: Iterable[Mapping[str, Any]] = ()) -> None:
        self.plan: dict[str, Any] = {}
        self.seed: object = None
        self.step = 0
        self.heard = ""
        self.stopped: str | None = None
        self.over = False
        self._by_seed: dict[object, Curves] = {}
        self._recent: deque[tuple[float, int, float]] = deque(maxlen=_MOST_STEPS)
        for row in rows:
            self.add(row)

    def add(self, row: Mapping[str, Any]) -> None:
        """Take in the next line of events.jsonl; see `current_events` for what stands after which event."""
        name = row["event"]
        self.heard = row["time"]
        self.seed = row.get("seed", self.seed)
        if name in _TURNS:
            self._turn(name, row)
        elif name in _PROGRESS:
            self.step = row["step"]
        if name == "stop":
            self.stopped = str(row.get("reason", ""))
        elif name == "done":
            self.over = True
        elif name == "step":
            self._timed(row)
        self.curves.add(row)

    def _turn(self, name: str, row: Mapping[str, Any]) -> None:
        self._recent.clear()
        self.stopped, self.over = None, False
        self.step = 0 if name == "restart" else row["step"]
        if name == "resumed":
            self.curves.forget_after(row["step"])
        else:
            self._by_seed.pop(self.seed, None)
        if name != "restart":
            self.plan = {**self.plan, **row}

    def _timed(self, row: Mapping[str, Any]) -> None:
        at = datetime.datetime.fromisoformat(row["time"]).timestamp()
        while self._recent and not at - SECONDS <= self._recent[0][0] <= at:
            self._recent.popleft()
        self._recent.append((at, row["step"], number(row.get("items", 0))))

    @property
    def curves(self) -> Curves:
        """What the seed in training has measured."""
        return self.of(self.seed)

    def of(self, seed: object) -> Curves:
        """What one seed has measured."""
        return self._by_seed.setdefault(seed, Curves())

    @property
    def steps(self) -> int | None:
        """Steps planned in all."""
        planned = self.plan.get("steps")
        return planned if isinstance(planned, int) and planned > 0 else None

    @property
    def share(self) -> float | None:
        """Part of the planned steps that is done, 0 to 1."""
        return min(1.0, self.step / self.steps) if self.steps else None

    @property
    def trained(self) -> bool:
        """No step is to come: the last was taken, or training stopped early."""
        return self.over or self.stopped is not None or (self.steps is not None and self.step >= self.steps)

    @property
    def items_per_second(self) -> float | None:
        """Training rows per second over the last minute, pauses for validation included."""
        seconds, _, items = self._pace()
        return items / seconds if seconds else None

    @property
    def seconds_left(self) -> float | None:
        """Time until the last planned step, at the pace of the last minute."""
        seconds, steps, _ = self._pace()
        return max(0, self.steps - self.step) * seconds / steps if self.steps and seconds else None

    def _pace(self) -> tuple[float, int, float]:
        """Seconds, steps and items between the first and the last of the recent steps; seconds 0: not known."""
        if len(self._recent) < 2:
            return 0.0, 0, 0.0
        (begin, first, skipped), (end, last, _) = self._recent[0], self._recent[-1]
        return max(end - begin, 0.0), last - first, sum(items for *_, items in self._recent) - skipped

    @property
    def metric(self) -> str | None:
        """The metric that chooses the best epoch: as announced, else what the ``best`` event names."""
        if announced := self.plan.get("metric"):
            return str(announced)
        if best := self.curves.best:
            return next((name for name in best if name not in _NOT_SCORES), None)
        scores = list(self.curves.validations[-1]) if self.curves.validations else []
        return next((name for name in scores[::-1] if name not in _NOT_SCORES and name not in LOSS), None)


def smoothing(curves: Curves) -> int:
    """How many neighbours on either side the smoothed loss of a step is averaged with: one part in 50 of all."""
    return len(curves.steps) // 50


def smoothed_loss(curves: Curves) -> Floats:
    """Training loss at each step as the mean with its neighbours, fewer at the ends; NaN where there is none."""
    half = smoothing(curves)
    values = np.array(curves.losses, np.float64)
    sums = np.concatenate([[0.0], np.nancumsum(values)])
    counts = np.concatenate([[0], np.cumsum(np.isfinite(values))])
    at = np.arange(len(values))
    low, high = np.maximum(at - half, 0), np.minimum(at + half + 1, len(values))
    seen = counts[high] - counts[low]
    return np.where(seen > 0, (sums[high] - sums[low]) / np.maximum(seen, 1), np.nan)


def event_loss(row: Mapping[str, Any]) -> float:
    """The loss in an ``epoch`` or ``validation`` event; NaN without one."""
    return next((number(row[name]) for name in LOSS if name in row), float("nan"))


def number(value: object) -> float:
    """The value as a float; NaN for null, which is how JSON holds what is not finite."""
    return float(value) if isinstance(value, int | float) else float("nan")
