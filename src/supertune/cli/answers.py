"""Predictions as ``predict`` and ``zero-shot`` take texts and give them out: to a file, to people, or as JSON."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO

from supertune.console import Console, print_json
from supertune.errors import InterruptedRunError, UserError

_BLOCK = 1 << 16
"""Bytes that are read at once, at most."""


def check_asked(texts: Sequence[str] | None, file: str | None, *, example: str) -> None:
    """Check that there is something to predict, and one thing.

    Raises:
        UserError: There is nothing, or both texts and a file.
    """
    if file is not None and texts:
        raise UserError("texts and --file were both given", fix="give one of them")
    if file is None and not texts and sys.stdin.isatty():
        raise UserError("nothing to predict", fix=f"{example}, or --file rows.csv")


def decoded_lines(stream: IO[bytes]) -> Iterator[str]:
    """The lines of a stream as they come; blank ones too, to keep count.

    Raises:
        UserError: One is not UTF-8, or there is none.
    """
    number = 0
    for number, line in enumerate(stream, 1):
        yield _decoded(line, number)
    if not number:
        raise _nothing()


def lines_together(stream: IO[bytes]) -> Iterator[list[str]]:
    """The same, those together that came together: what has come is answered before more is waited for.

    Args:
        stream: Nothing has been read of it yet.

    Raises:
        UserError: One is not UTF-8, or there is none.
    """
    number, rest = 0, b""
    while block := os.read(stream.fileno(), _BLOCK):
        *whole, rest = (rest + block).split(b"\n")
        if whole:
            yield [_decoded(line, place) for place, line in enumerate(whole, number + 1)]
            number += len(whole)
    if rest:
        yield [_decoded(rest, number + 1)]
    elif not number:
        raise _nothing()


def _decoded(line: bytes, number: int) -> str:
    try:
        return line.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise UserError(
            f"line {number} is not UTF-8", where="standard input", fix="convert it, e.g. with iconv -f GB18030"
        ) from error


def _nothing() -> UserError:
    return UserError("nothing came in", where="standard input", fix="pipe in one text per line")


def give(
    rows: Iterable[dict[str, object]],
    about: Mapping[str, object],
    *,
    out: Path | None,
    json: bool,
    for_people: bool,
    console: Console,
    called: str = "predictions",
) -> None:
    """Write the predictions.

    Args:
        rows: One line of predictions per row.
        about: What stands beside them in JSON.
        out: JSONL file; None for standard output.
        json: One JSON object on standard output.
        for_people: Lines to read, if standard output is a terminal.
        console: Where to say that a file was written.
        called: What the lines are, for that message.
    """
    if out is not None:
        from supertune.files import write_jsonl

        # Until all rows are there it bears another name: nobody takes it for the whole.
        partial, stopped = out.with_name(f"{out.name}.partial"), [False]
        count = write_jsonl(partial, _until_interrupted(rows, stopped))
        if stopped[0] and not count:
            partial.unlink()
            raise KeyboardInterrupt
        if stopped[0]:
            raise InterruptedRunError(f"interrupted; the first {count:,} {called} are in {partial}")
        partial.replace(out)
        console.say(f"{count:,} {called} written to {out}")
        if json:
            print_json({**about, "rows": count, "out": str(out)})
    elif json:
        print_json({**about, "predictions": list(rows)})
    elif for_people and sys.stdout.isatty():
        from supertune.recipes.predict import readable

        for row in rows:
            sys.stdout.write(readable(row) + "\n")
    else:
        import json as jsonlib

        for row in rows:
            sys.stdout.write(jsonlib.dumps(row, ensure_ascii=False) + "\n")
            sys.stdout.flush()


def _until_interrupted(rows: Iterable[dict[str, object]], stopped: list[bool]) -> Iterator[dict[str, object]]:
    """The rows that are there when Ctrl-C comes; those of hours are not thrown away."""
    try:
        yield from rows
    except KeyboardInterrupt:
        stopped[0] = True
