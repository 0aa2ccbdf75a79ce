"""Which rows were made of others, and what follows: none of them is ever asked about, nor learned from beside its own.

An augmented table has three columns more. Rows keep their numbers through cleaning, shuffling and splitting, since they
are written in the rows themselves.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from supertune.contracts import IntArray, Rows
from supertune.data.table import Table
from supertune.errors import UserError

ROW = "supertune_row"
"""int64: the number that a row had in its source; null for added rows."""
AUGMENTED_FROM = "supertune_augmented_from"
"""int64: `ROW` of the row that an added row was made of; null for originals."""
AUGMENTER = "supertune_augmenter"
"""Text: the name of what made an added row; null for originals."""
AUGMENT_COLUMNS = (ROW, AUGMENTED_FROM, AUGMENTER)
OF_SEVERAL = frozenset({"label-conditioned"})
"""Augmenters that are shown other rows beside the one that is written down."""


def added_rows(table: Rows) -> NDArray[np.bool_]:
    """Bool (rows,): which rows were made of others."""
    if AUGMENTED_FROM not in table.column_names:
        return np.zeros(len(table), bool)
    return np.fromiter((value is not None for value in table.column(AUGMENTED_FROM)), bool, len(table))


def learned_beside(table: Rows, added: NDArray[np.bool_], train: NDArray[np.bool_], source: str) -> IntArray:
    """Positions of the added rows whose originals are learned from, and from nothing else.

    An original is found by its number. Where several rows bear one number, because files were put together, all of them
    have to be learned from: better a row too few than one that was made of a test row. So it is with rows that were
    made of several, of which the others are not written down.

    Args:
        table: The rows.
        added: Which of them were made of others.
        train: Which of them are learned from, of the originals.
        source: Name of the table for messages.

    Raises:
        UserError: The rows do not say their numbers any more.
    """
    if ROW not in table.column_names:
        raise UserError(
            f"has rows that were made of others ({AUGMENTED_FROM}), and lacks the column {ROW!r} that says of which",
            where=source,
            fix="keep that column, or divide the rows first and augment then",
        )
    numbers, origins = table.column(ROW), table.column(AUGMENTED_FROM)
    learned = {numbers[place] for place in np.flatnonzero(train & ~added)}
    asked = {numbers[place] for place in np.flatnonzero(~train & ~added)}
    makers = table.column(AUGMENTER) if AUGMENTER in table.column_names else [None] * len(table)
    found = (
        place
        for place in np.flatnonzero(added)
        if origins[place] in learned and origins[place] not in asked and makers[place] not in OF_SEVERAL
    )
    return np.fromiter(found, np.int64)


def originals_repeated(table: Table) -> Table:
    """The originals, each in its own place and again in the place of every row that was made of it, numbered anew.

    Such a table has as many rows of each original as the augmented one, and nothing new in it: what is learned from it
    tells the worth of what is new from that of more steps. A row made of several stands for the one written down.
    """
    places = np.arange(len(table), dtype=np.int64)
    added = added_rows(table)
    if not added.any():
        return table
    of_row: dict[object, int] = {}
    for place, number in enumerate(table.column(ROW)):
        if not added[place]:
            of_row.setdefault(number, place)
    origins = table.column(AUGMENTED_FROM)
    places[added] = [of_row[origins[place]] for place in np.flatnonzero(added)]
    chosen = table.select(places, step="originals repeated")
    # Rows of one number would be taken for one row.
    numbered = Table.from_arrow(pa.concat_tables(chosen.arrow_batches()), source=table.source)
    return replace(numbered, origin=table.origin, lineage=chosen.lineage)
