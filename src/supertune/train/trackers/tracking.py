"""Sends curves to trackers: thinned, and never in the way of training."""

from __future__ import annotations

import importlib.util
import math
import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import TracebackType

from supertune.contracts import Event, Score, Stop
from supertune.errors import InterruptedRunError, MissingExtraError, UserError
from supertune.train.trackers.mlflow import MLflow
from supertune.train.trackers.tensorboard import TensorBoard
from supertune.train.trackers.tracker import TrackedRun, Tracker, TrackerError

TRACKERS: Mapping[str, Callable[[TrackedRun], Tracker]] = {"tensorboard": TensorBoard, "mlflow": MLflow}

_LABELS = frozenset({"epoch", "seed"})

POINTS = 1000
"""A training has about so many points of loss at most: more cannot be told apart, and every one takes time to send."""


def check_trackers(names: Sequence[str]) -> None:
    """Check that what the trackers need is installed; called before anything else is done.

    Raises:
        UserError: A package is missing; names the extra that brings it.
    """
    for name in names:
        for package in _packages(name):
            if importlib.util.find_spec(package) is None:
                raise MissingExtraError(package, name, purpose=f"train.trackers: {name}")


def _packages(name: str) -> tuple[str, ...]:
    if name != "mlflow":
        return (name,)
    # A server keeps its own books; MLflow's own file is a database.
    local = "://" not in (uri := os.environ.get("MLFLOW_TRACKING_URI", "sqlite://")) or uri.startswith("sqlite")
    return ("mlflow", "sqlalchemy", "alembic") if local else ("mlflow",)


class Tracking:
    """Hears every event of a run: sends loss, rate and scores to trackers, and at the end how the run turned out.

    A seed that an event names is a part of its own. A tracker that cannot be opened stops the training before its first
    step. One that fails later is given up, which is said once: hours of training are worth more than its curves.

    Example:
        >>> with Tracking(settings.trackers, run, console.warn) as tracking:
        ...     for event in training:
        ...         tracking(event)
        ...     tracking.results(measured.scores)

    Args:
        names: Keys of `TRACKERS`.
        run: What is tracked.
        warn: Told when a tracker is given up.
    """

    def __init__(self, names: Sequence[str], run: TrackedRun, warn: Callable[[str], None]) -> None:
        self._trackers = {name: TRACKERS[name](run) for name in names}
        self._warn = warn
        self._begun = False
        self._part = ""
        self._every = 10
        self._ends: dict[str, int] = {}
        self._losses: list[float] = []
        self._items = 0.0
        self._since = time.monotonic()

    def __enter__(self) -> Tracking:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        stopped = isinstance(error, KeyboardInterrupt | InterruptedRunError)
        status = "done" if error is None else "interrupted" if stopped else "failed"
        self._each(lambda tracker: tracker.end(status))

    def __call__(self, event: Event) -> Iterable[Event | Stop]:
        """Send what the event measured.

        Raises:
            UserError: A tracker cannot be opened, at the first event.
        """
        self._place(event)
        match event.event:
            case "start" | "resumed":
                steps = event.values.get("steps")
                self._every = max(1, math.ceil(steps / POINTS)) if isinstance(steps, int) else self._every
            case "step":
                self._measured(event)
            case "epoch":
                self._send(event.step, {"train/epoch_loss": event.values["loss"]})
            case "validation":
                scores = {f"validation/{name}": value for name, value in event.values.items() if name not in _LABELS}
                self._send(event.step, scores)
        return ()

    def results(self, scores: Mapping[str, Mapping[str, Score]], seed: int | None = None) -> None:
        """Send the scores of the finished model: ``final/test/accuracy``, … without those of single classes.

        Args:
            scores: Split → metric → score.
            seed: Of several, the one whose model was kept; None for the last.
        """
        part = self._part if seed is None else f"seed-{seed}"
        if part != self._part and part in self._ends:
            self._part = part
            self._begin(part, self._ends[part])
        for split, measured in scores.items():
            values = {f"final/{split}/{name}": score.value for name, score in measured.items() if "/" not in name}
            self._send(self._ends.get(self._part, 0), values)
        self._each(lambda tracker: tracker.flush())

    def _place(self, event: Event) -> None:
        """Open a part of its own for every seed that an event names, and the old one again where training goes on."""
        seed = event.values.get("seed")
        part = self._part if seed is None else f"seed-{seed}"
        other = part != self._part or not self._begun
        self._part, self._ends[part] = part, event.step
        if event.event == "resumed":
            self._begin(part, event.step)
        elif event.event == "start" or other:
            self._begin(part, None)

    def _begin(self, part: str, resumed: int | None) -> None:
        for_all = self._each if self._begun else self._open
        for_all(lambda tracker: tracker.begin(part, resumed))
        self._begun = True
        self._losses, self._items, self._since = [], 0.0, time.monotonic()

    def _measured(self, event: Event) -> None:
        self._losses.append(event.values["loss"])
        self._items += event.values.get("items", 0)
        if event.step % self._every:
            return
        now = time.monotonic()
        values = {
            "train/loss": sum(self._losses) / len(self._losses),
            "train/items_per_second": self._items / max(now - self._since, 1e-9),
            "train/learning_rate": event.values.get("learning_rate"),
            "train/gradient_norm": event.values.get("gradient_norm"),
        }
        self._send(event.step, values)
        self._losses, self._items, self._since = [], 0.0, now

    def _send(self, step: int, values: Mapping[str, object]) -> None:
        numbers = {name: float(value) for name, value in values.items() if isinstance(value, int | float)}
        finite = {name: value for name, value in numbers.items() if math.isfinite(value)}
        self._each(lambda tracker: tracker.log(step, finite))

    def _open(self, do: Callable[[Tracker], None]) -> None:
        for name, tracker in self._trackers.items():
            try:
                do(tracker)
            except TrackerError as error:
                raise UserError(f"{name} cannot be used: {error}", where="train.trackers") from error

    def _each(self, do: Callable[[Tracker], None]) -> None:
        for name, tracker in list(self._trackers.items()):
            try:
                do(tracker)
            except TrackerError as error:
                del self._trackers[name]
                self._warn(f"{name} gets no more values, training goes on: {error}")
