"""What databases hold as values that rows can hold: nothing is made up, and what is lost is told."""

from __future__ import annotations

import datetime
import decimal
import math
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any

_SAME = frozenset({type(None), bool, int, str})
_BYTES = (bytes, bytearray, memoryview)


class Values:
    """Turns rows as drivers give them into records; remembers what it had to leave out or round.

    Exact decimals are integers where they are written without a fraction, else the nearest floating-point number.
    Dates and times are ISO 8601 text, intervals and UUIDs text, NULL and NaN missing. A column of bytes is no text:
    it is left out when its first rows hold nothing else, and elsewhere a row with bytes is malformed.

    Args:
        names: The columns.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._names = list(names)
        self._binary: list[str] | None = None
        self._rounded: dict[str, int] = {}

    def records(self, rows: Sequence[Sequence[Any]]) -> tuple[list[dict[str, Any]], dict[int, str]]:
        """A mapping from column to value for each row, and why some rows (by index) are malformed."""
        columns = dict(zip(self._names, zip(*rows, strict=True), strict=True))
        if self._binary is None:
            self._binary = [name for name, values in columns.items() if _only_bytes(values)]
        kept = [name for name in self._names if name not in self._binary]
        bad: dict[int, str] = {}
        if not kept:
            return [{} for _ in rows], bad
        plain = {name: self._plain(name, columns[name], bad) for name in kept}
        return [dict(zip(kept, row, strict=True)) for row in zip(*plain.values(), strict=True)], bad

    def notes(self) -> list[str]:
        """What to tell the user."""
        found = []
        for name in self._binary or ():
            found.append(f"column {name!r} holds bytes, not text, and is left out (a query can cast it)")
        for name, count in self._rounded.items():
            found.append(f"column {name!r}: {count:,} decimals have more digits than a number keeps, and were rounded")
        return found

    def _plain(self, name: str, values: Sequence[Any], bad: dict[int, str]) -> Sequence[Any]:
        if _SAME.issuperset(set(map(type, values))):
            return values
        found = []
        for index, value in enumerate(values):
            if isinstance(value, _BYTES):
                bad.setdefault(index, f"holds bytes in {name!r}, where other rows hold something else")
            found.append(self._one(name, value))
        return found

    def _one(self, name: str, value: Any) -> Any:
        if type(value) in _SAME:
            return value
        if isinstance(value, decimal.Decimal):
            return self._number(name, value)
        if isinstance(value, float):
            return None if math.isnan(value) else float(value)
        if isinstance(value, list | tuple):
            return [self._one(name, item) for item in value]
        if isinstance(value, Mapping):
            return {str(key): self._one(name, item) for key, item in value.items()}
        for kind, shown in _SHOWN.items():
            if isinstance(value, kind):
                return shown(value)
        return value

    def _number(self, name: str, value: decimal.Decimal) -> int | float | None:
        if value.is_nan():
            return None
        if value.is_infinite():
            return math.copysign(math.inf, value)
        if int(value.as_tuple().exponent) >= 0:
            return int(value)
        number = float(value)
        if decimal.Decimal(repr(number)) != value:
            self._rounded[name] = self._rounded.get(name, 0) + 1
        return number


_SHOWN: Mapping[type, Callable[[Any], str]] = {
    datetime.date: lambda value: str(value.isoformat()),
    datetime.time: lambda value: str(value.isoformat()),
    datetime.timedelta: str,
    uuid.UUID: str,
}


def _only_bytes(values: Sequence[Any]) -> bool:
    kinds = {type(value) for value in values} - {type(None)}
    return bool(kinds) and all(issubclass(kind, _BYTES) for kind in kinds)
