"""JSON Lines: one object per line."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from supertune.data.arrays import Places
from supertune.data.sources.building import BATCH_CHARACTERS, BATCH_ROWS, TableBuilder
from supertune.data.sources.strict_json import StrictDecoder
from supertune.data.sources.text import TextFile, open_text
from supertune.data.table import Table


def read_json_lines(path: Path, builder: TableBuilder) -> Table:
    """Read a file of one JSON object per line; blank lines are allowed, lists and objects are kept as values.

    Raises:
        UserError: There are bad rows that are not to be skipped, or a column mixes types.
    """
    with open_text(path, builder.source) as file:
        add_lines(file.lines, file, builder)
        return builder.finish(file.notes)


def add_lines(lines: Iterable[str], file: TextFile, builder: TableBuilder) -> None:
    """Give the builder the objects in the lines."""
    decoder = StrictDecoder()
    records: list[dict[str, Any]] = []
    rows: list[int] = []
    starts: list[int] = []
    characters = row = 0
    for number, line in enumerate(lines, start=1):
        if line.isspace():
            continue
        try:
            record = decoder.decode(line)
        except ValueError as error:
            builder.bad(row, number, error.args[0])
        else:
            if isinstance(record, dict):
                records.append(record)
                rows.append(row)
                starts.append(number)
                characters += len(line)
            else:
                builder.bad(row, number, f'is {_named(record)}, not an object like {{"text": …}}')
        row += 1
        if len(records) == BATCH_ROWS or characters > BATCH_CHARACTERS:
            builder.add_records(records, Places(rows, starts), file.fraction())
            records, rows, starts, characters = [], [], [], 0
    builder.add_records(records, Places(rows, starts), 1.0)


def _named(value: object) -> str:
    names = {list: "a list", str: "text", bool: "true or false", int: "a number", float: "a number"}
    return names.get(type(value), "null")
