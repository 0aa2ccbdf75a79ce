"""Parts of labelled rows that people ask about: by label, by length, by any column with few values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from supertune.contracts import Columns, IntArray, Outcome
from supertune.runs import ADDED

FEWEST_ROWS = 20
"""Rows below which nothing is said of a part."""
MOST_VALUES = 20
"""Different values above which a column does not divide rows into parts."""
_LENGTHS = ("short", "middling", "long")

Line = Mapping[str, Any]


def slices_of(lines: Sequence[Line], columns: Columns, outcome: Outcome) -> list[tuple[str, IntArray]]:
    """Name and ascending positions of every part with enough rows, and not with all.

    Args:
        lines: One for each labelled row: the user's columns and what was said.
        columns: Which are texts and labels.
        outcome: The same rows as arrays.
    """
    found = [*_by_label(columns, outcome), *_by_length(lines, columns)]
    taken = {*columns.text, *columns.labels}
    for name in lines[0] if lines else ():
        if name not in taken and name.split("supertune_")[-1] not in ADDED:
            found += _by_value(name, [line.get(name) for line in lines])
    return [(name, rows) for name, rows in found if FEWEST_ROWS <= len(rows) < len(lines)]


def _by_label(columns: Columns, outcome: Outcome) -> Iterator[tuple[str, IntArray]]:
    if outcome.answers == "classes":
        for index, label in enumerate(outcome.labels):
            yield f"{columns.labels[0]} = {label}", np.flatnonzero(outcome.targets == index)
    elif outcome.answers == "sets":
        for index, label in enumerate(outcome.labels):
            yield f"{label} applies", np.flatnonzero(outcome.targets[:, index])


def _by_length(lines: Sequence[Line], columns: Columns) -> Iterator[tuple[str, IntArray]]:
    """Thirds by the characters of all texts together."""
    if not lines or not set(columns.text) <= lines[0].keys():
        return
    lengths = np.array([sum(len(str(line[name])) for name in columns.text) for line in lines])
    borders = np.quantile(lengths, (1 / 3, 2 / 3))
    if borders[0] == borders[1]:
        return
    third = np.searchsorted(borders, lengths, side="left")
    said = (f"to {borders[0]:.0f}", f"to {borders[1]:.0f}", f"above {borders[1]:.0f}")
    for index, (name, span) in enumerate(zip(_LENGTHS, said, strict=True)):
        yield f"{name}: {span} characters", np.flatnonzero(third == index)


def _by_value(name: str, values: Sequence[Any]) -> Iterator[tuple[str, IntArray]]:
    known: dict[str, list[int]] = {}
    for row, value in enumerate(values):
        if isinstance(value, str | bool | int):
            known.setdefault(str(value), []).append(row)
            if len(known) > MOST_VALUES:
                return
    for value, rows in known.items():
        yield f"{name} = {value}", np.array(rows, np.int64)
