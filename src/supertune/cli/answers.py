"""Predictions as ``predict`` and ``zero-shot`` take texts and give them out: to a file, to people, or as JSON."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO

from supertune.console import Console, print_json
from supertune.errors import UserError


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
        try:
            yield line.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n")
        except UnicodeDecodeError as error:
            raise UserError(
                f"line {number} is not UTF-8", where="standard input", fix="convert it, e.g. with iconv -f GB18030"
            ) from error
    if not number:
        raise UserError("nothing came in", where="standard input", fix="pipe in one text per line")


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

        count = write_jsonl(out, rows)
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
