"""Python values as Arrow columns and back, without changing what a value is.

Numbers, text and booleans become Arrow columns of that type. Lists and objects are kept as the JSON they are
(Arrow's ``arrow.json`` type), because an Arrow struct would give every row the keys of every other row.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc

from supertune.errors import UserError
from supertune.language import shorten

Kind = Literal["empty", "boolean", "integer", "number", "text", "nested", "other"]

JSON_TYPE = pa.json_(pa.string())
_ARROW_TYPES: dict[Kind, Any] = {
    "empty": pa.null(),
    "boolean": pa.bool_(),
    "integer": pa.int64(),
    "number": pa.float64(),
    "text": pa.string(),
    "nested": JSON_TYPE,
}
_KINDS: dict[type, Kind] = {
    type(None): "empty",
    bool: "boolean",
    int: "integer",
    float: "number",
    str: "text",
    list: "nested",
    dict: "nested",
}
_NAMES: dict[Kind, str] = {
    "empty": "empty values",
    "boolean": "true/false",
    "integer": "integers",
    "number": "numbers",
    "text": "text",
    "nested": "lists or objects",
    "other": "values of another type",
}


@dataclass(frozen=True)
class Places:
    """Where some values stand: 0-based data rows, and 1-based lines where the source has lines."""

    rows: Sequence[int]
    lines: Sequence[int] | None = None

    def shown(self, index: int) -> str:
        """One of them, for a message."""
        row = f"row {self.rows[index]}"
        return row if self.lines is None else f"{row} (line {self.lines[index]})"

    def at(self, indices: Sequence[int]) -> Places:
        """Some of them."""
        lines = None if self.lines is None else [self.lines[index] for index in indices]
        return Places([self.rows[index] for index in indices], lines)


def kind_of(value: object) -> Kind:
    """The kind of one Python value."""
    return _KINDS.get(type(value), "other")


def kind_of_type(arrow_type: Any) -> Kind:
    """The kind of values that an Arrow column of this type holds."""
    if arrow_type == JSON_TYPE or pa.types.is_nested(arrow_type):
        return "nested"
    if pa.types.is_null(arrow_type):
        return "empty"
    if pa.types.is_boolean(arrow_type):
        return "boolean"
    if pa.types.is_integer(arrow_type):
        return "integer"
    if pa.types.is_floating(arrow_type):
        return "number"
    if is_text(arrow_type):
        return "text"
    return "other"


def is_text(arrow_type: Any) -> bool:
    """True for Arrow's three ways to store text."""
    return bool(
        pa.types.is_string(arrow_type) or pa.types.is_large_string(arrow_type) or pa.types.is_string_view(arrow_type)
    )


def common_type(first: Any, second: Any) -> Any | None:
    """The Arrow type that holds both without changing a value: empty → anything, integer → number; else None."""
    if first == second:
        return first
    if pa.types.is_null(first):
        return second
    if pa.types.is_null(second):
        return first
    if {kind_of_type(first), kind_of_type(second)} == {"integer", "number"}:
        return pa.float64()
    return None


@dataclass(frozen=True)
class _First:
    row: int
    place: str
    value: object


class ColumnKinds:
    """Remembers where each kind of value first stood in each column, to name both places when they do not mix."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._first: dict[str, dict[Kind, _First]] = {}

    def array(self, name: str, values: Sequence[object], places: Places) -> Any:
        """The values as an Arrow array of the one type they share.

        Raises:
            UserError: The column holds values that are not of one type, here or in an earlier call.
            OverflowError: A number does not fit 64 bits.
            UnicodeEncodeError: A text holds half of a surrogate pair.
        """
        firsts = self._first.setdefault(name, {})
        kinds = {_KINDS.get(kind, "other") for kind in set(map(type, values))}
        for kind in kinds - firsts.keys():
            index = next(index for index, value in enumerate(values) if kind_of(value) == kind)
            firsts[kind] = _First(places.rows[index], places.shown(index), values[index])
        wanted = self._agreed(name, firsts)
        here = kinds & {"boolean", "integer", "number", "text", "nested"}
        if not here:
            return pa.nulls(len(values))
        kind = "number" if here == {"integer", "number"} else wanted if len(here) > 1 else next(iter(here))
        if kind == "nested":
            texts = [None if v is None else json.dumps(v, ensure_ascii=False) for v in values]
            return pa.ExtensionArray.from_storage(JSON_TYPE, pa.array(texts, pa.string()))
        try:
            array = pa.array(values, _ARROW_TYPES[kind])
        except pa.ArrowInvalid as error:
            raise UserError(
                f"mixes fractions with an integer too large to be exact beside them ({error})",
                where=f"{self._source}, column {name!r}",
                fix="write every value of the column as text",
            ) from error
        if kind == "number" and pc.any(pc.is_inf(array)).as_py():
            raise OverflowError("a number is too large")
        return array

    def _agreed(self, name: str, firsts: Mapping[Kind, _First]) -> Kind:
        where = f"{self._source}, column {name!r}"
        if "other" in firsts:
            other = firsts["other"]
            raise UserError(
                f"{other.place} holds a value of type {type(other.value).__name__}, which is not data",
                where=where,
                fix="convert it to text, a number or true/false first",
            )
        full = set(firsts) - {"empty"}
        if full == {"integer", "number"}:
            return "number"
        if len(full) <= 1:
            return next(iter(full), "empty")
        kinds = sorted(full, key=lambda kind: firsts[kind].row)[:2]
        examples = " but ".join(f"{firsts[kind].place} is {_shown(firsts[kind].value)}" for kind in kinds)
        raise UserError(
            f"mixes {_NAMES[kinds[0]]} and {_NAMES[kinds[1]]}: {examples}",
            where=where,
            fix="write every value of the column in one type (all in quotes, or none)",
        )


def _shown(value: object) -> str:
    return shorten(json.dumps(value, ensure_ascii=False), 60)


def python_values(column: Any) -> list[Any]:
    """An Arrow column as Python objects, lists and objects as they were in the JSON.

    Of Arrow's structs, which have every row's keys in every row, a key without a value is left out.
    """
    values: list[Any] = column.to_pylist()
    if column.type == JSON_TYPE:
        return [None if value is None else json.loads(value) for value in values]
    return list(map(_without_nulls, values)) if _holds_structs(column.type) else values


def _holds_structs(arrow_type: Any) -> bool:
    if pa.types.is_struct(arrow_type):
        return True
    return pa.types.is_nested(arrow_type) and any(
        _holds_structs(arrow_type.field(index).type) for index in range(arrow_type.num_fields)
    )


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(held) for key, held in value.items() if held is not None}
    return list(map(_without_nulls, value)) if isinstance(value, list) else value


def plain(table: Any) -> Any:
    """The table with dictionary-encoded columns decoded: how values are stored is not what they are."""
    for index, field in enumerate(table.schema):
        if pa.types.is_dictionary(field.type):
            decoded = table.column(index).cast(field.type.value_type)
            table = table.set_column(index, pa.field(field.name, decoded.type), decoded)
    return table.replace_schema_metadata(None)
