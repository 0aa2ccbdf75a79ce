"""events.jsonl: what happened while training, one line at a time, readable after any crash."""

from __future__ import annotations

import datetime
import json
from pathlib import Path
from typing import Any

from supertune.contracts import Event
from supertune.errors import UserError
from supertune.files import explained
from supertune.runs.values import json_value

_FIXED = ("time", "step", "event")


def now() -> str:
    """The time in UTC, ISO 8601 with milliseconds."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")


def append_event(path: Path, event: Event) -> None:
    """Add one line; when this returns, the line is whole and handed to the operating system.

    A half-written last line that a crash left behind is removed first, and one that this call could not finish
    (full disk) is taken back: the file is always whole lines.

    Raises:
        UserError: The disk is full, or the file is not writable.
    """
    if clash := [key for key in event.values if key in _FIXED]:
        raise ValueError(f"event {event.event!r} has values that hide its own fields: {clash}")
    row = {"time": now(), "step": event.step, "event": event.event, **event.values}
    line = (json.dumps(json_value(row), ensure_ascii=False, allow_nan=False) + "\n").encode("utf-8")
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


def read_events(path: Path) -> list[dict[str, Any]]:
    """Every whole line, in order; a torn last line (the writer was killed, or is writing) is left out.

    Raises:
        UserError: The file is not readable, or a line that is not the last is damaged; names it.
    """
    if not path.exists():
        return []
    with explained(path):
        lines = path.read_bytes().split(b"\n")
    rows = []
    for number, line in enumerate(lines[:-1], start=1):
        try:
            row = json.loads(line)
            if not isinstance(row, dict):
                raise ValueError("not an object")
        except ValueError as error:
            raise UserError("this line is damaged", where=f"{path}:{number}", fix="restore the file") from error
        rows.append(row)
    return rows
