"""Prompts with fields, such as ``Summarize this: {document}``, and what a row makes of them.

A field is the name of a column in braces, or of a key in a column of objects (``{translation.en}``); ``{{`` and ``}}``
are braces. A line whose fields are all empty is left out, and the blank lines behind it with it: ``{instruction}`` and
``{input}`` on two lines are one line where there is no input.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from supertune.errors import UserError
from supertune.language import is_missing

_PIECE = re.compile(r"\{\{|\}\}|\{([^{}\n]*)\}|[{}]")


@dataclass(frozen=True)
class Field:
    """Where a value stands.

    Attributes:
        name: As it was written.
        column: The column.
        keys: Keys in the objects that the column holds.
    """

    name: str
    column: str
    keys: tuple[str, ...] = ()

    def value(self, row: Mapping[str, Any]) -> Any:
        """What stands there; None for nothing."""
        value = row.get(self.column)
        for key in self.keys:
            value = value.get(key) if isinstance(value, dict) else None
        return value


_Piece = str | Field


@dataclass(frozen=True)
class Prompt:
    """A prompt that was read.

    Attributes:
        lines: Of each line what stands in it, in order.
    """

    lines: tuple[tuple[_Piece, ...], ...]

    @cached_property
    def fields(self) -> tuple[Field, ...]:
        """Its fields in order, each once."""
        return tuple(dict.fromkeys(piece for line in self.lines for piece in line if isinstance(piece, Field)))

    @cached_property
    def alone(self) -> Field | None:
        """The field that the whole prompt consists of, if it does."""
        only = self.lines[0] if len(self.lines) == 1 else ()
        return only[0] if len(only) == 1 and isinstance(only[0], Field) else None

    def filled(self, row: Mapping[str, Any]) -> str:
        """The prompt with what stands in a row."""
        if self.alone is not None:
            return as_text(self.alone.value(row))
        values = {field: as_text(field.value(row)) for field in self.fields}
        if all(values.values()):
            return "\n".join(map(_joined(values), self.lines))
        return "\n".join(map(_joined(values), self._kept(values)))

    def _kept(self, values: Mapping[Field, str]) -> list[tuple[_Piece, ...]]:
        """The lines without those whose fields are all empty, and without the blank ones behind those."""
        kept: list[tuple[_Piece, ...]] = []
        dropping = False
        for line in self.lines:
            fields = [piece for piece in line if isinstance(piece, Field)]
            if fields and not any(values[field] for field in fields):
                dropping = True
                continue
            if dropping and _is_blank(line):
                continue
            kept.append(line)
            dropping = False
        if dropping:
            # Nothing stands behind what was left out last: nor do blank lines stand before it.
            while kept and _is_blank(kept[-1]):
                kept.pop()
        return kept


def prompt_of(text: str, columns: Collection[str], where: str = "task.prompt") -> Prompt:
    """A prompt whose fields are columns.

    Args:
        text: As the user wrote it.
        columns: The columns that there are.
        where: What it is called in messages.

    Raises:
        UserError: A brace is alone, a field is no column, or there is no field.
    """
    prompt = Prompt(tuple(_line(line, columns, where) for line in text.split("\n")))
    if not prompt.fields:
        raise UserError(
            "has no {column}: every row would ask the same",
            where=where,
            fix=f"write what the rows hold as fields: {', '.join(f'{{{name}}}' for name in columns)}",
        )
    return prompt


def field_of(name: str, columns: Collection[str]) -> Field | None:
    """The place of that name: a column, or keys in one; None where there is no such column."""
    if name in columns:
        return Field(name, name)
    parts = name.split(".")
    for count in range(len(parts) - 1, 0, -1):
        if (column := ".".join(parts[:count])) in columns:
            return Field(name, column, tuple(parts[count:]))
    return None


def as_text(value: object) -> str:
    """A value as a prompt has it: text as it stands, a list of texts one to a line, other values as JSON."""
    if isinstance(value, str):
        return "" if is_missing(value) else value
    if is_missing(value):
        return ""
    if isinstance(value, list) and all(isinstance(item, str) or item is None for item in value):
        return "\n".join(item for item in value if not is_missing(item))
    if isinstance(value, float) and value.is_integer():
        # What a column of whole numbers becomes beside a missing one.
        value = int(value)
    return json.dumps(value, ensure_ascii=False) if isinstance(value, bool | list | dict) else str(value)


def escaped(text: str) -> str:
    """Text in which braces are no fields."""
    return text.replace("{", "{{").replace("}", "}}")


def _line(line: str, columns: Collection[str], where: str) -> tuple[_Piece, ...]:
    pieces: list[_Piece] = []
    literal, end = "", 0
    for found in _PIECE.finditer(line):
        literal += line[end : found.start()]
        end = found.end()
        if found.group() in ("{{", "}}"):
            literal += found.group()[0]
            continue
        if found.group() in ("{", "}"):
            raise UserError(
                f"has a brace that is alone: {line!r}",
                where=where,
                fix="write a field as {column}, and a brace that is none as {{ or }}",
            )
        pieces += [literal] if literal else []
        pieces.append(_field(found.group(1), columns, where))
        literal = ""
    literal += line[end:]
    return (*pieces, literal) if literal else tuple(pieces)


def _field(name: str, columns: Collection[str], where: str) -> Field:
    if field := field_of(name, columns):
        return field
    folded = {column.casefold(): column for column in columns}
    close = difflib.get_close_matches(name.strip().casefold(), folded, 1)
    meant = f"did you mean {{{folded[close[0]]}}}? " if close else ""
    raise UserError(
        f"has the field {{{name}}}, and there is no column {name!r}",
        where=where,
        fix=f"{meant}the columns are {', '.join(map(repr, columns))}; write {{{{ for a brace that is no field",
    )


def _joined(values: Mapping[Field, str]) -> Callable[[tuple[_Piece, ...]], str]:
    return lambda line: "".join(values[piece] if isinstance(piece, Field) else piece for piece in line)


def _is_blank(line: tuple[_Piece, ...]) -> bool:
    return all(isinstance(piece, str) and not piece.strip() for piece in line)
