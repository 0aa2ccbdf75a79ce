"""Which rows must stay in one split: equal texts, and rows with the same value in a column that the user names."""

from __future__ import annotations

import json

import numpy as np

from supertune.contracts import Columns
from supertune.data.check.texts import BLANK, UNIQUE, GroupArray, group_texts
from supertune.data.table import Table
from supertune.language import is_missing


def kept_together(table: Table, columns: Columns) -> GroupArray:
    """int32 (rows,): rows with the same number stay together; `UNIQUE` for a row that stays with no other.

    Rows are together that have the same text, the same value in ``columns.group``, or are each together with a third.
    """
    texts = group_texts({"all": table}, columns).of["all"]
    if columns.group is None:
        return texts
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    texts = np.where(texts == BLANK, texts.max(initial=-1) + 1, texts)
    values = group_codes(table, columns.group)
    first_value = int(texts.max(initial=-1)) + 1
    count = first_value + int(values.max(initial=-1)) + 1
    both = (texts != UNIQUE) & (values != UNIQUE)
    ends = texts[both], values[both] + first_value
    met = coo_array((np.ones(len(ends[0]), bool), ends), shape=(count, count))
    _, together = connected_components(met, directed=False)
    groups = np.full(len(table), UNIQUE, np.int32)
    for found, shift in ((texts, 0), (values, first_value)):
        known = found != UNIQUE
        groups[known] = together[found[known] + shift]
    alone = np.bincount(groups[groups != UNIQUE], minlength=count)[groups] == 1
    return np.where(alone & (groups != UNIQUE), np.int32(UNIQUE), groups)


def group_codes(table: Table, name: str, known: dict[object, int] | None = None) -> GroupArray:
    """int32 (rows,): the same number for the same value of a column, `UNIQUE` for a missing one.

    Args:
        table: The rows.
        name: The column.
        known: Numbers that are given already; grows.
    """
    known = {} if known is None else known
    codes = np.full(len(table), UNIQUE, np.int32)
    row = 0
    for batch in table.batches(columns=(name,)):
        for value in batch[name]:
            if not is_missing(value):
                # JSON tells 1 from true and from "1", and writes lists.
                codes[row] = known.setdefault(json.dumps(value, default=str), len(known))
            row += 1
    return codes
