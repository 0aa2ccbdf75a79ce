"""Numbers to be learned, as the checks see them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from supertune.contracts import FloatArray
from supertune.data.check.labels import MISSING, CodeArray, LabelCodes
from supertune.data.table import Table


def numbers_of(table: Table, columns: Sequence[str]) -> FloatArray:
    """Float64 (rows, columns); NaN for what is missing or no number, which the task refuses by name."""
    return np.array([[_number(value) for value in table.column(name)] for name in columns], np.float64).T


def number_codes(splits: Mapping[str, Table], columns: Sequence[str]) -> LabelCodes:
    """Rows with the same numbers have the same code, so that repeated rows are found."""
    of: dict[str, CodeArray] = {}
    found = {split: numbers_of(table, columns) for split, table in splits.items()}
    whole = np.concatenate([np.zeros((0, len(columns))), *found.values()])
    distinct, codes = np.unique(whole, axis=0, return_inverse=True)
    start = 0
    for split, numbers in found.items():
        own = codes.reshape(-1)[start : start + len(numbers)].astype(np.int32)
        of[split] = np.where(np.isnan(numbers).any(axis=1), np.int32(MISSING), own)
        start += len(numbers)
    return LabelCodes(tuple(float(row[0]) for row in distinct), of)


def _number(value: object) -> float:
    if isinstance(value, bool) or value is None:
        return math.nan
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return math.nan
    return number if math.isfinite(number) else math.nan
