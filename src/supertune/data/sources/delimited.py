"""CSV, TSV and other delimited text."""

from __future__ import annotations

import csv
import io
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from supertune.data.arrays import Places
from supertune.data.sources.building import BATCH_CHARACTERS, BATCH_ROWS, TableBuilder, broken_character
from supertune.data.sources.dialect import SAMPLE_CHARACTERS, Dialect, sniff, suffix_of
from supertune.data.sources.text import TextFile, open_text
from supertune.data.table import Table, check_names
from supertune.errors import UserError

_LONGEST_CELL = 64 * 1024**2
_INTEGER = r"^(0|-?[1-9][0-9]{0,18})$"
_NUMBER = r"^(0|-?[1-9][0-9]*|-?(0|[1-9][0-9]*)\.[0-9]+)$"
_BOOLEANS = (r"^(true|false)$", r"^(True|False)$", r"^(TRUE|FALSE)$")
_EXACT_DIGITS = 17


def read_delimited(path: Path, builder: TableBuilder) -> Table:
    """Read a delimited text file: delimiter, quoting and encoding detected, bad rows found with their lines.

    A column becomes integers, numbers or true/false only when every value that is there is written the one way
    that loses nothing by it: ``007``, ``1e5`` and ``+1`` stay text. An empty cell is a missing value.

    Raises:
        UserError: The file is not a table with a header, or has bad rows that are not to be skipped.
    """
    csv.field_size_limit(_LONGEST_CELL)
    with open_text(path, builder.source) as file:
        sample = file.lines.read(SAMPLE_CHARACTERS)
        complete = len(sample) < SAMPLE_CHARACTERS
        if sample.endswith("\r"):
            sample += file.lines.read(1)
        dialect = sniff(sample, complete=complete, suffix=suffix_of(path), source=builder.source)
        check_names(dialect.header, f"{builder.source}, line 1")
        types = TextTypes(dialect.header)
        lines = itertools.chain(io.StringIO(sample, newline=""), file.lines)
        for rows, numbers, starts in _batches(_whole_lines(lines), dialect, builder):
            _add(rows, numbers, starts, file, dialect, types, builder)
        if not builder.rows and not builder.bad_count:
            raise UserError("has a header but no rows", where=builder.source, fix="add rows below the header")
        return builder.finish((*file.notes, *dialect.notes), types.conversions())


def _whole_lines(lines: Iterator[str]) -> Iterator[str]:
    """Join the line that the sample cut in two."""
    held = ""
    for line in lines:
        if held or not line.endswith(("\n", "\r")):
            held += line
            if not line.endswith(("\n", "\r")):
                continue
            line, held = held, ""
        yield line
    if held:
        yield held


def _batches(
    lines: Iterator[str], dialect: Dialect, builder: TableBuilder
) -> Iterator[tuple[list[list[str]], list[int], list[int]]]:
    """Rows of the right width with their row numbers and first lines; the others go to the builder as bad."""
    reader = csv.reader(lines, **dialect.options())
    width = len(dialect.header)
    rows: list[list[str]] = []
    numbers: list[int] = []
    starts: list[int] = []
    number, characters = -2, 0
    while True:
        line = reader.line_num + 1
        try:
            row = next(reader)
        except StopIteration:
            break
        except csv.Error as error:
            number += 1
            _broken_quoting(error, number, line, reader.line_num, builder)
            continue
        if not row or (len(row) == 1 < width + (number < -1) and not row[0].strip()):
            continue
        number += 1
        if number < 0:
            continue
        if len(row) != width:
            builder.bad(number, line, f"has {_cells(len(row))}, the header has {width}")
            continue
        rows.append(row)
        numbers.append(number)
        starts.append(line)
        characters += sum(map(len, row))
        if len(rows) == BATCH_ROWS or characters > BATCH_CHARACTERS:
            yield rows, numbers, starts
            rows, numbers, starts, characters = [], [], [], 0
    if rows:
        yield rows, numbers, starts


def _cells(count: int) -> str:
    return "1 cell" if count == 1 else f"{count} cells"


def _broken_quoting(error: csv.Error, number: int, line: int, last: int, builder: TableBuilder) -> None:
    if number < 0:
        what = f"the header cannot be read: {error}"
        raise UserError(what, where=f"{builder.source}, line {line}", fix="correct its quotes") from error
    unclosed = "unexpected end" in str(error)
    if "field limit" in str(error) or (unclosed and last > line):
        raise UserError(
            f"row {number} opens a double quote that is never closed: all that follows would be one cell",
            where=f"{builder.source}, line {line}",
            fix='close the quote; a quote inside a quoted cell is written twice ("")',
        ) from error
    if unclosed:
        builder.bad(number, line, "opens a double quote that is never closed")
    else:
        builder.bad(number, line, 'has text after a closing quote; a quote inside a quoted cell is written twice ("")')


def _add(
    rows: list[list[str]],
    numbers: list[int],
    starts: list[int],
    file: TextFile,
    dialect: Dialect,
    types: TextTypes,
    builder: TableBuilder,
) -> None:
    try:
        batch = _as_arrow(rows, dialect.header)
        damaged = any(pc.any(pc.match_substring(column, "\0")).as_py() for column in batch.columns)
    except UnicodeEncodeError:
        damaged = True
    if damaged:
        reasons = [_why_damaged(row) for row in rows]
        builder.bad_among(Places(numbers, starts), reasons)
        good = [index for index, reason in enumerate(reasons) if not reason]
        rows, numbers = [rows[index] for index in good], [numbers[index] for index in good]
        batch = _as_arrow(rows, dialect.header)
    types.see(batch)
    builder.add_batch(batch, numbers, file.fraction())


def _as_arrow(rows: Sequence[Sequence[str]], header: Sequence[str]) -> Any:
    columns = zip(*rows, strict=True) if rows else [()] * len(header)
    arrays = [pa.array([cell or None for cell in column], pa.string()) for column in columns]
    return pa.table(dict(zip(header, arrays, strict=True)))


def _why_damaged(row: Sequence[str]) -> str | None:
    text = "".join(row)
    if "\0" in text:
        return "holds a NUL byte"
    try:
        text.encode()
    except UnicodeEncodeError as error:
        return broken_character(text[error.start])
    return None


class TextTypes:
    """Which columns of text could be read as integers, numbers or true/false, over all rows seen so far."""

    def __init__(self, names: Sequence[str]) -> None:
        tests = {"integer": _INTEGER, "number": _NUMBER} | {f"boolean{i}": p for i, p in enumerate(_BOOLEANS)}
        self._open: dict[str, dict[str, str]] = {name: dict(tests) for name in names}
        self._filled: set[str] = set()

    def see(self, batch: Any) -> None:
        """Rule out what these rows are not."""
        for name, tests in self._open.items():
            column = batch.column(name).drop_null()
            if not len(column) or not tests:
                continue
            self._filled.add(name)
            for kind, pattern in list(tests.items()):
                if not pc.all(pc.match_substring_regex(column, pattern)).as_py() or not _exact(column, kind):
                    del tests[kind]

    def conversions(self) -> Mapping[str, Callable[[Any], Any]]:
        """Column → change from text to the one type that all its values are written in."""
        chosen: dict[str, Callable[[Any], Any]] = {}
        for name in self._filled:
            kinds = self._open[name]
            if "integer" in kinds:
                chosen[name] = _to_integers
            elif "number" in kinds:
                chosen[name] = _to_numbers
            elif kinds:
                chosen[name] = _to_booleans
        return chosen


def _exact(column: Any, kind: str) -> bool:
    if kind == "integer":
        try:
            _to_integers(column)
        except pa.ArrowInvalid:
            return False
    if kind == "number":
        return bool(pc.max(pc.utf8_length(column)).as_py() <= _EXACT_DIGITS)
    return True


def _to_integers(column: Any) -> Any:
    return column.cast(pa.int64())


def _to_numbers(column: Any) -> Any:
    return column.cast(pa.float64())


def _to_booleans(column: Any) -> Any:
    return pc.equal(pc.utf8_lower(column), "true")
