"""What the columns of a table look like: kinds of values, how many differ, how long they are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from supertune.data.arrays import Kind, kind_of_type
from supertune.data.table import Table
from supertune.language import display_width, has_unspaced_script, is_missing, shorten

_SAMPLE_ROWS = 10_000
_NEAR_UNIQUE = 0.8
_ENOUGH_ROWS = 20
_MANY_CLASSES = 200
_FREE_TEXT_WIDTH = 12
KIND_NAMES: dict[Kind, str] = {
    "empty": "nothing but empty values",
    "boolean": "true/false",
    "integer": "integers",
    "number": "numbers with fractions",
    "text": "text",
    "nested": "lists or objects",
    "other": "values of another type",
}


@dataclass(frozen=True)
class Profile:
    """What a sample of a column looks like."""

    name: str
    kind: Kind
    filled: int
    distinct: int
    width: float
    spaced: float
    examples: tuple[str, ...]

    @property
    def near_unique(self) -> bool:
        """Hardly a value comes back."""
        return self.filled >= _ENOUGH_ROWS and self.distinct > _NEAR_UNIQUE * self.filled

    @property
    def could_be_label(self) -> bool:
        """Few values that come back."""
        return (
            self.kind in ("text", "integer", "boolean")
            and 2 <= self.distinct <= _MANY_CLASSES
            and not self.near_unique
            and (self.filled < _ENOUGH_ROWS or self.distinct <= self.filled / 2)
        )

    @property
    def could_be_numbers(self) -> bool:
        """Numbers that differ."""
        return self.kind in ("integer", "number") and self.distinct >= 2

    @property
    def numbers_rows(self) -> bool:
        """Whole numbers, each there once: more likely numbers of rows than of anything to learn."""
        return self.kind == "integer" and self.filled >= _ENOUGH_ROWS and self.distinct == self.filled

    @property
    def could_be_text(self) -> bool:
        """Text that differs."""
        return self.kind == "text" and (self.distinct > 1 or self.filled == 1)

    @property
    def is_free_text(self) -> bool:
        """Words, and hardly ever the same: neither a class name nor an identifier."""
        return (
            self.could_be_text
            and self.width >= _FREE_TEXT_WIDTH
            and self.spaced >= 0.3
            and self.distinct > self.filled / 5
        )

    def __str__(self) -> str:
        return f"{self.name!r} ({KIND_NAMES[self.kind]}, e.g. {', '.join(self.examples)})"


def profiles_of(table: Table) -> list[Profile]:
    """Every column, by a sample of at most 10,000 rows spread evenly."""
    sample = sample_of(table)
    columns: dict[str, list[object]] = {name: [] for name in table.column_names}
    for batch in sample.batches():
        for name, values in batch.items():
            columns[name] += [value for value in values if not is_missing(value)]
    return [_profile(name, kind_of_type(table.schema.field(name).type), columns[name]) for name in table.column_names]


def sample_of(table: Table) -> Table:
    """At most 10,000 rows, spread evenly."""
    count = min(len(table), _SAMPLE_ROWS)
    return table.select(np.linspace(0, len(table) - 1, count).round().astype(np.int64), step="sample")


def _profile(name: str, kind: Kind, values: Sequence[object]) -> Profile:
    shown = [str(value) for value in values]
    counts = Counter(shown)
    examples = tuple(repr(shorten(v, 24)) if kind == "text" else shorten(v, 24) for v, _ in counts.most_common(3))
    filled = max(1, len(shown))
    if kind != "text":
        # How wide they would be says nothing of numbers and lists.
        return Profile(name, kind, len(shown), len(counts), 0.0, 0.0, examples)
    spaced = sum(any(map(str.isspace, value)) or has_unspaced_script(value) for value in shown) / filled
    return Profile(name, kind, len(shown), len(counts), sum(map(display_width, shown)) / filled, spaced, examples)
