"""Several tables as one, where the same things stand in columns of other names."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from supertune.contracts import Columns
from supertune.data.sources import spill
from supertune.data.sources.building import TableBuilder
from supertune.data.table import Table
from supertune.errors import UserError

SOURCE, SOURCE_ROW = "source", "source_row"
"""Columns that say where a row of several data sets comes from; see also `supertune.data.mixing.mixed`."""

_ROWS = 8192


def stacked(
    tables: Sequence[Table], columns: Sequence[Columns], names: Sequence[str], like: Columns | None = None
) -> Table:
    """The texts and labels of several tables under the same names, one table after the other.

    The columns ``source`` and ``source_row`` say where a row comes from.

    Args:
        tables: At least one.
        columns: Of each.
        names: What ``source`` says of each.
        like: Under whose names; None: those of the first.

    Raises:
        UserError: Tables have other numbers of columns, or the same column holds values of other types.
    """
    like = like or columns[0]
    wanted = _names(like)
    for taken in (SOURCE, SOURCE_ROW):
        if taken in wanted:
            raise UserError(
                f"has a column {taken!r}, which says which data set a row is of, where there are several",
                where=tables[0].source,
                fix="rename it",
            )
    for table, each in zip(tables, columns, strict=True):
        if [len(part) for part in _parts(each)] != [len(part) for part in _parts(like)]:
            raise UserError(
                f"is read as {_told(each)}, and {tables[0].source} as {_told(like)}",
                where=table.source,
                fix="name text and label of each data set: data.source: [{path: …, text: […], label: …}]",
            )
    name = " + ".join(dict.fromkeys(table.source for table in tables))
    parts = [[table.fingerprint, list(_names(each))] for table, each in zip(tables, columns, strict=True)]
    key = spill.key_of({"stacked": parts, "names": list(names), "as": list(wanted)})
    if (found := spill.opened(key, name)) is not None:
        return found
    with TableBuilder(name, key=key, on_bad_row="refuse") as builder:
        for table, each, said in zip(tables, columns, names, strict=True):
            done = 0
            for piece in table.arrow_batches(_ROWS, _names(each)):
                ids = table.row_ids[done : done + piece.num_rows]
                done += piece.num_rows
                named = piece.rename_columns(list(wanted))
                named = named.append_column(SOURCE, pa.array([said] * len(ids), pa.string()))
                builder.add_batch(named.append_column(SOURCE_ROW, pa.array(ids)))
        return builder.finish()


def _parts(columns: Columns) -> tuple[tuple[str, ...], ...]:
    starts = () if columns.starts is None else (columns.starts,)
    return columns.text, columns.labels, columns.negatives, starts


def _names(columns: Columns) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for part in _parts(columns) for name in part))


def _told(columns: Columns) -> str:
    text, labels = (" + ".join(map(repr, part)) or "nothing" for part in (columns.text, columns.labels))
    return f"text {text} and label {labels}"
