"""Class labels as small numbers, and how they are written in messages."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from supertune.contracts import Label
from supertune.data.table import Table
from supertune.errors import UserError
from supertune.language import shorten

MISSING = -1
CodeArray = NDArray[np.int32]


@dataclass(frozen=True)
class LabelCodes:
    """The class of every row as a number.

    Attributes:
        labels: The distinct labels in the order in which they are first met.
        of: Split → int32 (rows,): index into ``labels``, or `MISSING` where the row has no label.
    """

    labels: tuple[Label, ...]
    of: Mapping[str, CodeArray]

    def counts(self, split: str, *, without: NDArray[np.bool_] | None = None) -> NDArray[np.int64]:
        """int64 (labels,): rows of each class in a split, leaving out unlabelled ones and those in ``without``."""
        codes = self.of[split]
        counted = codes != MISSING if without is None else (codes != MISSING) & ~without
        return np.bincount(codes[counted], minlength=len(self.labels))

    def rows_with(self, split: str, labels: NDArray[np.int64]) -> NDArray[np.int64]:
        """Ascending indices of a split's rows that have one of the labels."""
        wanted = np.zeros(len(self.labels) + 1, bool)
        wanted[labels] = True
        # Code -1 (no label) looks up the last place, which stays False.
        assert MISSING == -1
        return np.flatnonzero(wanted[self.of[split]])


def label_codes(splits: Mapping[str, Table], column: str | None) -> LabelCodes:
    """Number the labels of all splits together. Without a label column every row counts as unlabelled.

    Two labels are the same when JSON says so: 1 and 1.0 are, 1 and "1" are not, 1 and true are not.
    """
    known: dict[tuple[bool, Any], int] = {}
    of = {
        split: np.full(len(table), MISSING, np.int32) if column is None else _codes(table, column, known)
        for split, table in splits.items()
    }
    return LabelCodes(tuple(label for _, label in known), of)


def _codes(table: Table, column: str, known: dict[tuple[bool, Any], int]) -> CodeArray:
    codes = np.full(len(table), MISSING, np.int32)
    values = (value for batch in table.batches(columns=(column,)) for value in batch[column])
    for position, value in enumerate(values):
        if value is None or (isinstance(value, float) and math.isnan(value)):
            continue
        if isinstance(value, list | dict):
            raise UserError(
                f"{shorten(str(value), 60)} is not one class label",
                where=f"{table.source}, row {table.row_ids[position]}, column {column!r}",
                fix="name a label column whose values are text, numbers or true/false",
            )
        # Python holds True and 1 for the same key.
        codes[position] = known.setdefault((isinstance(value, bool), value), len(known))
    return codes


def written(label: Label) -> str:
    """The label as a message shows it: as JSON, so that 1 and "1" look different, and not too long."""
    return shorten(json.dumps(label, ensure_ascii=False, default=str), 40)
