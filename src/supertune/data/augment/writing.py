"""The table of the original rows and the added ones behind them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from supertune.data.augment.results import Made
from supertune.data.augmented_rows import AUGMENT_COLUMNS, AUGMENTED_FROM, AUGMENTER, ROW
from supertune.data.sources.building import TableBuilder
from supertune.data.sources.spill import key_of
from supertune.data.table import Step, Table

if TYPE_CHECKING:
    from supertune.data.augment.sources import Sources

_ROWS = 4096


@dataclass(frozen=True)
class Added:
    """A new row.

    Attributes:
        place: Position of its original in the table.
        augmenter: Number of what made it.
        copy: Which one of those that it made of this row.
        texts: Column → its new text; the other columns are as in the original.
    """

    place: int
    augmenter: int
    copy: int
    texts: Mapping[str, str]


def augmented_table(
    table: Table,
    sources: Sources,
    added: Sequence[Added],
    made: Sequence[Made],
    steps: Sequence[tuple[str, Mapping[str, Any]]],
    how: Mapping[str, Any],
) -> Table:
    """The rows of a table in their order, then the added ones, with the columns that tell them apart."""
    key = key_of({"augmented": table.fingerprint, "steps": list(map(list, steps)), "how": dict(how)})
    with TableBuilder(table.source, key=key, on_bad_row="refuse") as builder:
        start = 0
        for piece in table.arrow_batches(_ROWS):
            stop = start + piece.num_rows
            builder.add_batch(_marked(piece, sources.numbers[start:stop]), table.row_ids[start:stop].tolist())
            start = stop
        first = int(table.row_ids.max(initial=-1)) + 1
        for at in range(0, len(added), _ROWS):
            some = added[at : at + _ROWS]
            rows = _changed(table, some)
            for name in AUGMENT_COLUMNS:
                rows = rows.drop_columns([name]) if name in rows.column_names else rows
            rows = rows.append_column(ROW, pa.nulls(len(some), pa.int64()))
            rows = rows.append_column(AUGMENTED_FROM, pa.array([sources.numbers[each.place] for each in some]))
            rows = rows.append_column(AUGMENTER, pa.array([made[each.augmenter].name for each in some], pa.string()))
            builder.add_batch(rows, range(first + at, first + at + len(some)))
        built = builder.finish()
    rows_in = len(table)
    lineage = list(table.lineage)
    for tally, (name, options) in zip(made, steps, strict=True):
        lineage.append(Step(f"augment:{name}", {**options, **how}, rows_in, rows_in + tally.added))
        rows_in += tally.added
    return replace(built, origin=table.origin, lineage=tuple(lineage))


def _marked(piece: Any, numbers: Sequence[int]) -> Any:
    """Rows as they are, with their numbers; those that were added earlier keep what is said of them."""
    if AUGMENTED_FROM in piece.column_names:
        return piece
    if ROW not in piece.column_names:
        piece = piece.append_column(ROW, pa.array(numbers, pa.int64()))
    piece = piece.append_column(AUGMENTED_FROM, pa.nulls(piece.num_rows, pa.int64()))
    return piece.append_column(AUGMENTER, pa.nulls(piece.num_rows, pa.string()))


def _changed(table: Table, some: Sequence[Added]) -> Any:
    """The originals of some added rows, with their new texts."""
    places = np.fromiter((each.place for each in some), np.int64, len(some))
    rows = pa.concat_tables(table.select(places, step="augment").arrow_batches(_ROWS))
    for name in dict.fromkeys(name for each in some for name in each.texts):
        number = rows.schema.get_field_index(name)
        field = rows.schema.field(number)
        old = rows.column(number).to_pylist()
        new = [each.texts.get(name, value) for each, value in zip(some, old, strict=True)]
        rows = rows.set_column(number, field, pa.array(new, field.type))
    return rows
