"""How a delimited file is written: its delimiter, its quoting, and whether it starts with a header."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from supertune.data.names import is_known_name
from supertune.errors import UserError
from supertune.language import display_width, shorten

SAMPLE_CHARACTERS = 256 * 1024
_SAMPLE_ROWS = 1000
_DELIMITERS = {",": "comma", "\t": "tab", ";": "semicolon", "|": "pipe"}
_NEVER = "\x1f"
_NUMBER = re.compile(r"[-+]?\d+(\.\d+)?([eE][-+]?\d+)?")
_SENTENCE_END = re.compile(r"[。！？!?…]\s*$|[，；。！？]|\w\.\s*$")
_LONG_NAME = 60
_TABLES = (".csv", ".tsv", ".tab")
"""Extensions of files that are tables, whatever stands in them."""


@dataclass(frozen=True)
class Dialect:
    """How to cut a delimited file into cells.

    Attributes:
        delimiter: One character; the unit separator, which no file holds, for a file of one column.
        quoted: Cells may be in double quotes; False reads quotes as any other character.
        header: The column names.
        notes: What to tell the user.
    """

    delimiter: str
    quoted: bool
    header: tuple[str, ...]
    notes: tuple[str, ...] = ()

    def options(self) -> dict[str, Any]:
        """The keyword arguments for `csv.reader`."""
        return reader_options(self.delimiter, self.quoted)


@dataclass(frozen=True)
class _Trial:
    delimiter: str
    quoted: bool
    rows: list[list[str]]
    broken: int

    @property
    def width(self) -> int:
        return len(self.rows[0]) if self.rows else 0

    @property
    def fit(self) -> float:
        """Part of the rows that have as many cells as the first."""
        whole = sum(len(row) == self.width for row in self.rows)
        return whole / max(1, len(self.rows) + self.broken)


def reader_options(delimiter: str, quoted: bool) -> dict[str, Any]:
    """Keyword arguments for `csv.reader`; strict, so that broken quoting is an error and not a guess."""
    if quoted:
        return {"delimiter": delimiter, "strict": True}
    return {"delimiter": delimiter, "quoting": csv.QUOTE_NONE, "quotechar": None}


def sniff(sample: str, *, complete: bool, suffix: str, source: str) -> Dialect:
    """The dialect of a file from its beginning.

    Args:
        sample: The first characters of the file.
        complete: The sample is the whole file.
        suffix: The file's extension, which decides between equals.
        source: What to call the file in messages.

    Raises:
        UserError: The file has no header, no recognisable columns, or is something else.
    """
    lines = list(io.StringIO(sample, newline=""))
    if not any(line.strip() for line in lines):
        raise UserError("holds no text", where=source, fix="give a file with a header and rows")
    preferred = "\t" if suffix in (".tsv", ".tab") else ","
    choices = [(delimiter, True) for delimiter in _DELIMITERS]
    trials = [_trial(lines, delimiter, quoted, complete) for delimiter, quoted in (*choices, ("\t", False))]
    tables = [trial for trial in trials if trial.width > 1]
    if not tables:
        tables = [_trial(lines, _NEVER, True, complete)]
        _refuse_prose(tables[0], suffix, source)
    best = max(tables, key=lambda trial: (trial.fit, trial.delimiter == preferred, trial.width, trial.quoted))
    header = tuple(name.strip() for name in best.rows[0])
    if reason := _why_headerless(header, best.rows[1:_SAMPLE_ROWS]):
        example = ",".join(["text", "label", "column3", "column4"][: len(header)])
        plain = "" if suffix in _TABLES else "; or text alone, if every line is a text, commas and all"
        raise UserError(
            f"the first row looks like data, not column names: {reason}",
            where=f"{source}, line 1",
            fix=f"add a first line that names the columns, e.g. {example}{plain}",
        )
    return Dialect(best.delimiter, best.quoted, header, tuple(_notes(best, preferred)))


def _notes(trial: _Trial, preferred: str) -> list[str]:
    notes = []
    if trial.delimiter not in (preferred, _NEVER):
        notes.append(f"columns are separated by {_DELIMITERS[trial.delimiter]}s")
    if not trial.quoted:
        notes.append("double quotes are read as they stand: they do not enclose cells in this file")
    return notes


def _trial(lines: Sequence[str], delimiter: str, quoted: bool, complete: bool) -> _Trial:
    rows: list[list[str]] = []
    broken = 0
    reader = csv.reader(lines, **reader_options(delimiter, quoted))
    while True:
        before = reader.line_num
        try:
            row = next(reader)
            if (rows and row) or any(map(str.strip, row)):
                rows.append(row)
        except StopIteration:
            break
        except csv.Error:
            # An unclosed quote swallows all that follows; at the cut end of a sample that is to be expected.
            swallowed = reader.line_num - before
            broken += swallowed if complete or swallowed > 50 or reader.line_num < len(lines) else 0
    if not complete and len(rows) > 1 and reader.line_num == len(lines) and not broken:
        rows.pop()
    return _Trial(delimiter, quoted, rows, broken)


def _refuse_prose(trial: _Trial, suffix: str, source: str) -> None:
    """A file of one column is a table only if it says so by its extension or by the name of its column."""
    name = trial.rows[0][0].strip() if trial.rows else ""
    if suffix not in _TABLES and not is_known_name(name):
        raise UserError(
            "is plain text, not a table: no comma, tab, semicolon or pipe separates columns in its first line",
            where=source,
            fix="put text into a first line of its own, if every line is a text; or the texts of each class into "
            "folder/<label>/*.txt",
        )


def _why_headerless(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str | None:
    if any(map(is_known_name, header)):
        return None
    for name in header:
        shown = repr(shorten(name, _LONG_NAME))
        if _NUMBER.fullmatch(name):
            return f"{shown} is a number"
        if display_width(name) > _LONG_NAME:
            return f"{shown} is too long for a name"
        if _SENTENCE_END.search(name):
            return f"{shown} is a sentence"
    for column, name in enumerate(header):
        counts = Counter(row[column] for row in rows if len(row) == len(header))
        if name and counts[name] > 1:
            return f"{name!r} is also a value of {counts[name]} of the rows below it"
    return None


def suffix_of(path: PurePath) -> str:
    """The extension in lower case, without a final ``.gz``."""
    inner = path.with_suffix("") if path.suffix.lower() == ".gz" else path
    return inner.suffix.lower()
