"""events.jsonl: what happened while training, one line at a time, readable after any crash."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from supertune.contracts import Event
from supertune.errors import UserError
from supertune.files import explained
from supertune.runs.values import json_value

_FIXED = ("time", "step", "event")

_TURNS = frozenset({"start", "restart", "resumed"})
"""Events that say where the others begin; they stand however far training had come."""

ONCE_A_STEP = ("epoch", "validation", "best")
"""Events that end an epoch."""

_CHUNK = 1 << 20


def now() -> str:
    """The time in UTC, ISO 8601 with milliseconds."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")


def event_row(event: Event) -> dict[str, Any]:
    """The event as a line of events.jsonl has it: ``time`` (now), ``step``, ``event``, and its values as JSON."""
    if clash := [key for key in event.values if key in _FIXED]:
        raise ValueError(f"event {event.event!r} has values that hide its own fields: {clash}")
    row = json_value({"time": now(), "step": event.step, "event": event.event, **event.values})
    assert isinstance(row, dict)
    return row


def append_event(path: Path, event: Event) -> None:
    """Add one line; when this returns, the line is whole and handed to the operating system.

    A half-written last line that a crash left behind is removed first, and one that this call could not finish
    (full disk) is taken back: the file is always whole lines.

    Raises:
        UserError: The disk is full, or the file is not writable.
    """
    line = (json.dumps(event_row(event), ensure_ascii=False, allow_nan=False) + "\n").encode("utf-8")
    with explained(path), path.open("r+b" if path.exists() else "x+b", buffering=0) as stream:
        end = _end_of_whole_lines(stream)
        stream.seek(end)
        try:
            written = 0
            while written < len(line):
                written += stream.write(line[written:])
        finally:
            # Cuts a torn old line that was longer than the new one, or a new one that did not fit.
            stream.truncate(end + written if written == len(line) else end)


def _end_of_whole_lines(stream: Any) -> int:
    size = int(stream.seek(0, 2))
    position, chunk = size, 4096
    while position > 0:
        start = max(0, position - chunk)
        stream.seek(start)
        newline = stream.read(position - start).rfind(b"\n")
        if newline >= 0:
            return int(start + newline + 1)
        position = start
    return 0


class EventTail:
    """Reads events.jsonl while another process writes it: each whole line once, a torn last one when it is whole."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0
        self._lines = 0

    def new(self) -> Iterator[dict[str, Any]]:
        """The lines that have come since the last call, in order; none while there is no file.

        Raises:
            UserError: The file is not readable, has become shorter, or has a damaged line; names it.
        """
        if not self._path.exists():
            return
        with explained(self._path), self._path.open("rb") as stream:
            if stream.seek(0, 2) < self._offset:
                raise UserError("has become shorter while it was read", where=str(self._path), fix="restore the file")
            stream.seek(self._offset)
            rest = b""
            while chunk := stream.read(_CHUNK):
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    self._lines += 1
                    self._offset += len(line) + 1
                    yield self._parsed(line)

    def _parsed(self, line: bytes) -> dict[str, Any]:
        try:
            row = json.loads(line)
            if not isinstance(row, dict):
                raise ValueError("not an object")
        except ValueError as error:
            where = f"{self._path}:{self._lines}"
            raise UserError("this line is damaged", where=where, fix="restore the file") from error
        return row


def read_events(path: Path) -> list[dict[str, Any]]:
    """Every whole line, in order; a torn last line (the writer was killed, or is writing) is left out.

    Raises:
        UserError: The file is not readable, or a line that is not the last is damaged; names it.
    """
    return list(EventTail(path).new())


def current_events(rows: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The rows that led to where training stands, in order.

    Every row belongs to the seed that was named last; each seed's training stands for itself. In it

    - ``start`` begins from nothing: what stood before is void;
    - ``resumed`` overtakes what was done at later steps: that work was lost and is done again;
    - ``restart`` (with another seed, since this one came to nothing) voids all that it measured;
    - an epoch that ends a second time, after a checkpoint just before its end, counts once.
    """
    kept: dict[int, tuple[object, Mapping[str, Any]]] = {}
    ends: dict[tuple[object, str, int], int] = {}
    seed: object = None
    for number, row in enumerate(rows):
        name, step = row["event"], row["step"]
        seed = row.get("seed", seed)
        if name in _TURNS:
            kept = {key: (other, one) for key, (other, one) in kept.items() if other != seed or _stands(one, row)}
        elif name in ONCE_A_STEP:
            kept.pop(ends.get((seed, name, step), -1), None)
            ends[seed, name, step] = number
        kept[number] = seed, row
    return [row for _, row in kept.values()]


def _stands(row: Mapping[str, Any], turn: Mapping[str, Any]) -> bool:
    """Whether a row of the same seed still stands after a turn."""
    match turn["event"]:
        case "start":
            return False
        case "restart":
            return row["event"] in ("start", "resumed")
        case _:
            return row["event"] in _TURNS or bool(row["step"] <= turn["step"])
