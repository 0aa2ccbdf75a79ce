"""Which row of each cluster stays, and which clusters are not of one mind about their label."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np

from supertune.contracts import IntArray
from supertune.data.near_duplicates.clusters import ALONE
from supertune.data.near_duplicates.find import Texts
from supertune.data.table import Table
from supertune.errors import UserError
from supertune.language import fold, is_missing

Keep = Literal["first", "longest", "most-complete", "most-agreed"]


def surplus_rows(
    clusters: IntArray,
    *,
    keep: Keep = "first",
    texts: Texts | None = None,
    table: Table | None = None,
    labels: IntArray | None = None,
) -> IntArray:
    """The rows that go if one row of each cluster stays; of several that are equally good the first stays.

    Args:
        clusters: int64 (rows,): `NearDuplicates.cluster`.
        keep: ``first``; ``longest``: the text with the most characters, folded; ``most-complete``: the row with the
            fewest missing cells; ``most-agreed``: a row with the label that most rows of its cluster have, of equally
            frequent ones that of the first row.
        texts: The rows' texts, for ``longest``.
        table: The rows, for ``most-complete``.
        labels: int (rows,): a number for each row's label, below 0 for none, for ``most-agreed``.

    Returns:
        int64, ascending.

    Raises:
        UserError: There is no such way to keep rows.
        ValueError: What it needs is not given, or is of another length.
    """
    if keep not in get_args(Keep):
        raise UserError(f"{keep!r} is no way to choose a row", fix=f"choose one of {', '.join(get_args(Keep))}")
    if keep == "longest":
        worth = _lengths(texts)
    elif keep == "most-complete":
        worth = _filled_cells(table)
    elif keep == "most-agreed":
        worth = _agreeing(clusters, labels)
    else:
        worth = np.zeros(len(clusters), np.int64)
    if len(worth) != len(clusters):
        raise ValueError(f"{len(worth)} rows are described, and {len(clusters)} are in the clusters")
    rows = np.flatnonzero(clusters != ALONE)
    order = rows[np.lexsort((rows, -worth[rows], clusters[rows]))]
    surplus = np.ones(len(order), bool)
    surplus[np.flatnonzero(np.diff(clusters[order], prepend=ALONE))] = False
    return np.sort(order[surplus])


def disputed_clusters(clusters: IntArray, labels: IntArray) -> IntArray:
    """Ascending numbers of the clusters whose rows have different labels; rows without one (below 0) say nothing."""
    rows = np.flatnonzero((clusters != ALONE) & (labels >= 0))
    pairs = np.unique(np.stack([clusters[rows], labels[rows]]), axis=1)
    return np.flatnonzero(np.bincount(pairs[0]) > 1)


def _lengths(texts: Texts | None) -> IntArray:
    if texts is None:
        raise ValueError("to keep the longest, the texts are needed")
    return np.fromiter((len(fold(text)) for text in texts), np.int64, len(texts))


def _filled_cells(table: Table | None) -> IntArray:
    if table is None:
        raise ValueError("to keep the most complete row, the rows are needed")
    filled = [
        sum(not is_missing(value) for value in values)
        for batch in table.batches()
        for values in zip(*batch.values(), strict=True)
    ]
    return np.array(filled, np.int64)


def _agreeing(clusters: IntArray, labels: IntArray | None) -> IntArray:
    """How many rows of its cluster have the label of each row; 0 for a row without one."""
    if labels is None:
        raise ValueError("to keep the most agreed label, the labels are needed")
    worth = np.zeros(len(clusters), np.int64)
    rows = np.flatnonzero((clusters != ALONE) & (labels >= 0))
    pairs = np.stack([clusters[rows], labels[rows]])
    _, kind, counts = np.unique(pairs, axis=1, return_inverse=True, return_counts=True)
    worth[rows] = counts[kind]
    return worth
