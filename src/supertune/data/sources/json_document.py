"""JSON documents: a list of objects, an object of equally long lists, either of them under a single key, or SQuAD's."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from supertune.data.arrays import Places
from supertune.data.sources.building import BATCH_ROWS, TableBuilder
from supertune.data.sources.json_lines import add_lines
from supertune.data.sources.questions import holds_questions, question_rows
from supertune.data.sources.strict_json import NotJSONError, StrictDecoder
from supertune.data.sources.text import TextFile, open_text
from supertune.data.table import Table
from supertune.errors import UserError

_BLOCK = 1024**2
_SPACES = re.compile(r"[ \t\r\n]*")
_SHAPES = 'give a list of objects, [{"text": …, "label": …}, …], or one object per line (.jsonl)'


def read_json(path: Path, builder: TableBuilder) -> Table:
    """Read a JSON document; a list is read object by object, so that it may be larger than memory.

    A ``.json`` file that really holds one object per line is read as that, and said so.

    Raises:
        UserError: The file is not JSON or not of one of the shapes, or has bad rows that are not to be skipped.
    """
    with open_text(path, builder.source) as file:
        scanner = _Scanner(file, builder.source)
        first = scanner.peek()
        if first == "[":
            _add_list(scanner, builder, file)
            return builder.finish(file.notes)
        if first != "{":
            raise UserError("is not JSON: it begins with neither [ nor {", where=builder.source, fix=_SHAPES)
    if _is_lines(path, builder.source):
        with open_text(path, builder.source) as file:
            add_lines(file.lines, file, builder)
            return builder.finish((*file.notes, "read as JSON Lines: it holds one object per line"))
    return _read_object(path, builder)


def _read_object(path: Path, builder: TableBuilder) -> Table:
    with open_text(path, builder.source) as file:
        document = _decoded(file.lines.read(), builder.source)
        if holds_questions(document):
            _add_questions(document, builder)
            return builder.finish((*file.notes, "read as questions on texts (SQuAD's form): a row for each question"))
        for start, records in _in_batches(_records(document, builder.source)):
            builder.add_records(records, Places(range(start, start + len(records))))
        return builder.finish(file.notes)


def _add_questions(document: dict[str, Any], builder: TableBuilder) -> None:
    records: list[dict[str, Any]] = []
    rows: list[int] = []
    for row, found in enumerate(question_rows(document)):
        if isinstance(found, str):
            builder.bad(row, 0, found)
        else:
            records.append(found)
            rows.append(row)
    for start, batch in _in_batches(records):
        builder.add_records(batch, Places(rows[start : start + len(batch)]))


def _decoded(text: str, source: str) -> dict[str, Any]:
    try:
        document: dict[str, Any] = StrictDecoder().decode(text)
    except ValueError as error:
        raise UserError(str(error.args[0]), where=source, fix=_SHAPES) from error
    return document


def _is_lines(path: Path, source: str) -> bool:
    """Whether the first line is a whole object and another one follows."""
    with open_text(path, source) as file:
        lines = (line for line in file.lines if not line.isspace())
        first, second = next(lines, ""), next(lines, "")
    try:
        return isinstance(StrictDecoder().decode(first), dict) and second.lstrip().startswith("{")
    except ValueError:
        return False


def _records(document: dict[str, Any], source: str) -> list[dict[str, Any]]:
    """The rows of an object: its columns, or what stands under its only list of objects."""
    lists = {name: value for name, value in document.items() if isinstance(value, list)}
    held = [name for name, value in lists.items() if value and all(isinstance(row, dict) for row in value)]
    if len(held) == 1 and (len(lists) == 1 or held[0] == "data"):
        rows: list[dict[str, Any]] = lists[held[0]]
        return rows
    if len(lists) < len(document) or not lists:
        raise UserError("is one object, not a table of rows", where=source, fix=_SHAPES)
    lengths = {name: len(value) for name, value in lists.items()}
    if len(set(lengths.values())) > 1:
        shown = ", ".join(f"{name!r} has {length}" for name, length in lengths.items())
        raise UserError(f"its columns differ in length: {shown}", where=source, fix="give every row a value (null)")
    return [dict(zip(lists, values, strict=True)) for values in zip(*lists.values(), strict=True)]


def _in_batches(records: list[dict[str, Any]]) -> Iterator[tuple[int, list[dict[str, Any]]]]:
    for start in range(0, len(records), BATCH_ROWS):
        yield start, records[start : start + BATCH_ROWS]


def _add_list(scanner: _Scanner, builder: TableBuilder, file: TextFile) -> None:
    records: list[dict[str, Any]] = []
    rows: list[int] = []
    starts: list[int] = []
    for row, (line, value, problem) in enumerate(scanner.items()):
        if problem or not isinstance(value, dict):
            builder.bad(row, line, problem or 'is not an object like {"text": …}')
        else:
            records.append(value)
            rows.append(row)
            starts.append(line)
        if len(records) == BATCH_ROWS:
            builder.add_records(records, Places(rows, starts), file.fraction())
            records, rows, starts = [], [], []
    builder.add_records(records, Places(rows, starts), 1.0)


class _Scanner:
    """Walks through a JSON list of any length, holding only the item at hand."""

    def __init__(self, file: TextFile, source: str) -> None:
        self._file = file
        self._source = source
        self._text = ""
        self._at = 0
        self._line = 1
        self._block = _BLOCK

    def peek(self) -> str:
        """The next character that is not white space, without taking it; "" at the end."""
        while True:
            stop = _SPACES.match(self._text, self._at).end()  # type: ignore[union-attr]
            self._line += self._text.count("\n", self._at, stop)
            self._at = stop
            if stop < len(self._text) or not self._more():
                return self._text[stop : stop + 1]

    def items(self) -> Iterator[tuple[int, Any, str | None]]:
        """Line, value and problem of each item of the list that begins here.

        Raises:
            UserError: The list is broken: what follows cannot be told apart any more.
        """
        self._at += 1
        decoder = StrictDecoder()
        if self.peek() == "]":
            self._at += 1
        else:
            while True:
                self.peek()
                line = self._line
                yield line, *self._item(decoder)
                mark = self.peek()
                self._at += 1
                if mark == "]":
                    break
                if mark != ",":
                    raise self._broken("a comma or ] is missing after this row" if mark else "the list is not closed")
        if self.peek():
            raise self._broken("something follows the end of the list")

    def _item(self, decoder: StrictDecoder) -> tuple[Any, str | None]:
        while True:
            problem = None
            try:
                value, end = decoder.decode_at(self._text, self._at)
            except NotJSONError as error:
                reason, position = error.args
                line = self._line + self._text.count("\n", self._at, position)
                if _may_be_cut(reason, position, len(self._text)) and self._more():
                    continue
                self._line = line
                raise self._broken(reason) from error
            except ValueError as error:
                value, (problem, end) = None, error.args
            if end == len(self._text) and self._more():
                continue
            self._line += self._text.count("\n", self._at, end)
            self._at = end
            return value, problem

    def _more(self) -> bool:
        """Read on. Blocks double while an item does not end, so that a huge one costs no more than twice."""
        piece = self._file.lines.read(self._block)
        self._block = self._block * 2 if self._at == 0 else _BLOCK
        self._text = self._text[self._at :] + piece
        self._at = 0
        return bool(piece)

    def _broken(self, reason: str) -> UserError:
        return UserError(reason, where=f"{self._source}, line {self._line}", fix="correct the JSON")


def _may_be_cut(reason: str, position: int, length: int) -> bool:
    """Whether the fault may be that the text ends here: anything near the end, or a string without one."""
    return position > length - 16 or "unterminated string" in reason
