"""Watching a run from another terminal: what its events say, until it ends."""

from __future__ import annotations

import datetime
import math
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from supertune.console import Console
from supertune.errors import UserError
from supertune.recipes.screen import measured, screen
from supertune.runs import Course, EventTail, RunStore, duration_text, event_loss, number, open_run, plain_number

EVERY = 1.0
"""Seconds between two looks."""

QUIET = 60.0
"""Seconds after which a line is due off a terminal, when no epoch has ended meanwhile."""

_ROUTINE = frozenset({"step", "best", "checkpoint"})
_OWN = frozenset({"time", "step", "event", "epoch", "seed"})


def watch_run(path: Path, console: Console, *, every: float = EVERY) -> bool:
    """Show how a run is going until it ends; off a terminal, with a line per epoch or minute.

    Returns:
        Whether the run has ended; False when the user left with Ctrl-C.

    Raises:
        UserError: There is no such run, or its files are damaged.
    """
    watched = Watched(path)
    try:
        if _can_draw(console):
            _draw(watched, console, every)
        else:
            _tell(watched, console, every)
    except KeyboardInterrupt:
        return False
    return True


class Watched:
    """A run that another process writes.

    Attributes:
        course: What its events have said.
        status: How it stands.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.course = Course()
        self.status = "running"
        self._store: RunStore = open_run(path)
        self._tail = EventTail(path / "events.jsonl")
        self._epoch: Mapping[str, Any] | None = None

    def look(self) -> Iterator[str]:
        """Take in what has happened since the last look, a line for each event worth one.

        Raises:
            UserError: The run was removed, or its files are damaged.
        """
        if not self.path.exists():
            raise UserError(
                "the run is gone: it was removed, or stopped before training began",
                where=str(self.path),
                fix="see what supertune train said",
            )
        self._store = open_run(self.path)
        # Before the events are read: a run that ends in between is looked at once more, and no line is lost.
        self.status = self._store.status
        for row in self._tail.new():
            self.course.add(row)
            yield from self._lines(row)

    def _lines(self, row: Mapping[str, Any]) -> Iterator[str]:
        # An epoch's line waits for its validation, which comes before the next step if there is one.
        epoch, self._epoch = self._epoch, None
        if row["event"] == "validation":
            yield _line(row, self._epoch_text(row, (*_loss("", epoch), *self._scores(row))))
            return
        if epoch is not None:
            yield _line(epoch, self._epoch_text(epoch, _loss("", epoch)))
        if row["event"] == "epoch":
            self._epoch = row
        elif row["event"] not in _ROUTINE:
            yield _line(row, _event_text(row))

    def _epoch_text(self, row: Mapping[str, Any], parts: Sequence[str]) -> str:
        epochs = self.course.plan.get("epochs")
        of = f" of {epochs}" if isinstance(epochs, int) else ""
        return f"epoch {row['epoch']}{of}: {', '.join(parts)}"

    def _scores(self, row: Mapping[str, Any]) -> Iterator[str]:
        yield from _loss("validation ", row)
        metric = self.course.metric
        if metric is not None and metric in row:
            yield f"{metric} {plain_number(number(row[metric]))}"


def _loss(name: str, row: Mapping[str, Any] | None) -> tuple[str, ...]:
    loss = event_loss(row) if row else float("nan")
    return (f"{name}loss {plain_number(loss)}",) if math.isfinite(loss) else ()


def _event_text(row: Mapping[str, Any]) -> str:
    values = {name: value for name, value in row.items() if name not in _OWN}
    match row["event"]:
        case "start":
            return "training begins"
        case "resumed":
            return f"resumed at step {row['step']:,}"
        case "restart":
            return f"degenerate: every row gets the same answer; begun again with seed {row.get('to_seed', '?')}"
        case "stop":
            return f"stopped: {values.get('reason', '')}"
        case "done":
            return "done"
    said = ", ".join(f"{name} {value}" for name, value in values.items())
    return f"{row['event']} at step {row['step']:,}{': ' if said else ''}{said}"


def _line(row: Mapping[str, Any], text: str) -> str:
    at = datetime.datetime.fromisoformat(row["time"]).astimezone()
    # What a line of a file holds may not repaint the terminal.
    return f"{at:%H:%M:%S} " + "".join(letter if letter.isprintable() else "\ufffd" for letter in text)


def _can_draw(console: Console) -> bool:
    rich = console.rich
    return rich.is_terminal and not rich.is_dumb_terminal and rich.encoding.lower().startswith("utf")


def _draw(watched: Watched, console: Console, every: float) -> None:
    from rich.live import Live

    lines: deque[str] = deque(maxlen=5)
    with Live(console=console.rich, auto_refresh=False, vertical_overflow="crop") as live:
        while True:
            lines.extend(watched.look())
            size = console.rich.size
            # One row less than the terminal has, or it would scroll at every look.
            room = (size.width, size.height - 1)
            live.update(
                screen(watched.course, str(watched.path), watched.status, list(lines), room, time.time()), refresh=True
            )
            if watched.status != "running":
                return
            time.sleep(every)


def _tell(watched: Watched, console: Console, every: float) -> None:
    said = time.monotonic()
    while True:
        for line in watched.look():
            console.say(line)
            said = time.monotonic()
        if watched.status != "running":
            console.say(f"{watched.path}: {watched.status}")
            return
        if time.monotonic() - said >= QUIET:
            console.say(_progress(watched.course))
            said = time.monotonic()
        time.sleep(every)


def _progress(course: Course) -> str:
    if not course.heard:
        return "training has not begun"
    if course.trained:
        return "training is over; saving and measuring"
    steps = f" of {course.steps:,}" if course.steps else ""
    left = f", {duration_text(course.seconds_left)} left" if course.seconds_left is not None else ""
    return ", ".join([f"step {course.step:,}{steps}{left}", *measured(course)])
