"""Which rows say nearly the same, within and across splits: near duplicates of texts, of pairs and of conversations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from supertune.contracts import Columns, IntArray
from supertune.conversation_rows import apart
from supertune.data.conversation_columns import conversations_in
from supertune.data.near_duplicates import ALONE, THRESHOLD, near_duplicates
from supertune.data.table import Table
from supertune.language import is_missing

MOST_CHARACTERS = 200_000_000
"""Characters that the gate reads; of more, some of the rows are compared."""
_SAMPLE = 1000
_SEED = 0x4EA2


@dataclass(frozen=True, eq=False)
class NearRows:
    """Which rows are near duplicates of each other.

    Attributes:
        of: Split → int64 (rows,): rows with the same number, in whichever split, are in one cluster;
            `supertune.data.near_duplicates.ALONE` for a row that is like no other.
        compared: Split → how many of its rows were compared.
    """

    of: Mapping[str, IntArray]
    compared: Mapping[str, int]


def near_rows(
    splits: Mapping[str, Table], columns: Columns, *, most: int | None = None, threshold: float = THRESHOLD
) -> NearRows:
    """Find the rows of all splits that say nearly the same.

    A row's text is all of its text columns. Both sides of a pair have to be near duplicates, each of the other row's
    (of either, where order means nothing): many questions are asked about one long text, and each is another. Of a
    conversation what comes before the last answer counts, without what the system says, which is often the same in all.

    Args:
        splits: The tables, by split.
        columns: The text columns, and whether they are a pair.
        most: Characters to read at most, by an estimate. Of more than that rows are drawn, always the same: all of the
            held-out ones, as long as those are no more than half, and as many of the others as there is room for.
        threshold: Least Jaccard similarity of near duplicates.
    """
    chosen = _chosen(splits, columns, most)
    tables = [
        table if len(chosen[split]) == len(table) else table.select(chosen[split], step="compare texts")
        for split, table in splits.items()
    ]
    found = iter(np.split(_clusters(tables, columns, threshold), np.cumsum([len(table) for table in tables])[:-1]))
    of = {split: np.full(len(table), ALONE, np.int64) for split, table in splits.items()}
    for split, clusters in of.items():
        clusters[chosen[split]] = next(found)
    return NearRows(of, {split: len(rows) for split, rows in chosen.items()})


def _clusters(tables: Sequence[Table], columns: Columns, threshold: float) -> IntArray:
    """int64 (rows of all tables,): the cluster of each."""
    if not columns.pair:
        return near_duplicates(_RowTexts(tables, columns, [columns.text]), threshold=threshold).cluster
    texts = _RowTexts(tables, columns, [(name,) for name in columns.text])
    sides = near_duplicates(texts, threshold=threshold).cluster
    both = sides.reshape(len(columns.text), -1).T
    if columns.symmetric:
        both = np.sort(both, axis=1)
    _, pairs, counts = np.unique(both, axis=0, return_inverse=True, return_counts=True)
    together = (both != ALONE).all(axis=1) & (counts[pairs] > 1)
    clusters: IntArray = np.where(together, pairs, ALONE)
    return clusters


class _RowTexts:
    """The texts of the rows of several tables; where there are several sides, first one of all rows, then the other."""

    def __init__(self, tables: Sequence[Table], columns: Columns, sides: Sequence[tuple[str, ...]]) -> None:
        self._tables = tables
        self._columns = columns
        self._sides = sides

    def __len__(self) -> int:
        return len(self._sides) * sum(map(len, self._tables))

    def __iter__(self) -> Iterator[str]:
        for side in self._sides:
            for table in self._tables:
                if self._columns.answers == "generated":
                    yield from _asked(table, self._columns)
                else:
                    yield from table.texts(side)


def row_texts(table: Table, columns: Columns) -> Iterator[str]:
    """What counts of each row where rows are compared: its text columns; of a conversation what is asked."""
    return iter(_RowTexts([table], columns, [columns.text]))


def _asked(table: Table, columns: Columns) -> Iterator[str]:
    for conversation in conversations_in(table, columns):
        before = (message for message in apart(conversation)[0].messages if message.role != "system")
        yield "\n".join(message.content for message in before if not is_missing(message.content))


def _chosen(splits: Mapping[str, Table], columns: Columns, most: int | None) -> dict[str, IntArray]:
    """Which rows to compare, ascending."""
    rows = {split: np.arange(len(table)) for split, table in splits.items()}
    if most is None:
        return rows
    rng = np.random.default_rng(_SEED)
    lengths = {split: _mean_length(table, columns) for split, table in splits.items()}
    if sum(lengths[split] * len(own) for split, own in rows.items()) <= most:
        return rows
    left = float(most)
    # Held-out rows first: what they share with those learned from is what matters most.
    held_out = [split for split in splits if split in ("validation", "test")]
    for split in [*held_out, *(split for split in splits if split not in held_out)]:
        room = left / (2 if split in held_out else 1)
        count = min(int(room / max(lengths[split], 1)), len(rows[split]))
        rows[split] = np.sort(rng.choice(len(rows[split]), count, replace=False))
        left -= count * lengths[split]
    return rows


def _mean_length(table: Table, columns: Columns) -> float:
    places = np.unique(np.linspace(0, max(len(table) - 1, 0), min(_SAMPLE, len(table))).astype(np.int64))
    sample = table.select(places, step="sample")
    return sum(map(len, _RowTexts([sample], columns, [columns.text]))) / max(len(sample), 1)
