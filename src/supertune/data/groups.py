"""Which rows must stay in one split: equal and nearly equal texts, and equal values of a column that the user names."""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np

from supertune.contracts import Columns
from supertune.data.check.texts import BLANK, UNIQUE, GroupArray, group_texts
from supertune.data.near_duplicates import ALONE
from supertune.data.near_rows import near_rows
from supertune.data.table import Table
from supertune.language import is_missing

LARGEST_CLUSTER = 0.05
"""Share of the rows from which on near duplicates are a kind of text, such as a form, and not copies of one."""


@dataclass(frozen=True, eq=False)
class Together:
    """Which rows stay in one split.

    Attributes:
        groups: int32 (rows,): rows with the same number stay together; `UNIQUE` for a row that stays with no other.
            Blank texts all have the number `BLANK` where nothing but equal texts keeps rows together.
        near: How many rows stay with others that are nearly the same, and not equal.
    """

    groups: GroupArray
    near: int


def kept_together(table: Table, columns: Columns, *, near_duplicates: bool = True) -> Together:
    """Rows are together that have the same text, or nearly, or the same value in ``columns.group``, or all by a third.

    Args:
        table: The rows.
        columns: Their text columns, and the column to group by.
        near_duplicates: Keep near duplicates together too, but for clusters of more than 5 % of the rows: if every row
            is a form filled in, all would have to be in one split.
    """
    groups, count = group_texts({"all": table}, columns).of["all"], 0
    if near_duplicates:
        near = _small_clusters(table, columns)
        if count := _beside_equal(groups, near):
            groups = _merged(groups, near)
    if columns.group is not None:
        groups = _merged(groups, group_codes(table, columns.group))
    return Together(groups, count)


def _beside_equal(equal: GroupArray, near: GroupArray) -> int:
    """How many rows are in clusters of more than one text."""
    rows = np.flatnonzero(near != UNIQUE)
    texts = np.where(equal[rows] < 0, -1 - rows, equal[rows])
    kinds = np.unique(np.stack([near[rows].astype(np.int64), texts]), axis=1)[0]
    several = np.bincount(kinds, minlength=int(near.max(initial=UNIQUE)) + 1) > 1
    return int(several[near[rows]].sum())


def _small_clusters(table: Table, columns: Columns) -> GroupArray:
    """int32 (rows,): the cluster of each row among near duplicates, `UNIQUE` for none or a very large one."""
    clusters = near_rows({"all": table}, columns).of["all"]
    known = clusters != ALONE
    sizes = np.bincount(clusters[known], minlength=1)
    small = known & (sizes[np.maximum(clusters, 0)] <= LARGEST_CLUSTER * len(table))
    return np.where(small, clusters, UNIQUE).astype(np.int32)


def _merged(texts: GroupArray, values: GroupArray) -> GroupArray:
    """Rows that are together by either of two groupings, or through other rows; `UNIQUE` for those that are alone."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    texts = np.where(texts == BLANK, texts.max(initial=-1) + 1, texts)
    first_value = int(texts.max(initial=-1)) + 1
    count = first_value + int(values.max(initial=-1)) + 1
    both = (texts != UNIQUE) & (values != UNIQUE)
    ends = texts[both], values[both] + first_value
    met = coo_array((np.ones(len(ends[0]), bool), ends), shape=(count, count))
    _, together = connected_components(met, directed=False)
    groups = np.full(len(texts), UNIQUE, np.int32)
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
