"""Divides rows by time: what is older is learned from, what is newer is asked about."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any

import numpy as np

from supertune.contracts import FloatArray
from supertune.data.augmented_rows import added_rows
from supertune.data.split import SPLITS
from supertune.data.table import Table
from supertune.errors import UserError

_DAYS = ("%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%Y年%m月%d日")
_FORMS = (
    *_DAYS,
    *(f"{day} {time}" for day in _DAYS for time in ("%H:%M", "%H:%M:%S")),
    "%Y-%m",
    "%Y/%m",
    "%Y年%m月",
    "%Y",
)


def split_by_time(table: Table, column: str, shares: Sequence[float]) -> dict[str, Table]:
    """Divide a table so that every row of a split is older than every row of the next; rows keep their order.

    Rows of one moment stay together, so that sizes are met as nearly as moments allow. How it goes with what is new
    is what a score on such a test says, and it is usually lower than on rows drawn at random.

    Args:
        table: The rows.
        column: Numbers, or dates and times as texts: ISO 8601, ``2024/1/31``, ``2024年1月31日`` and the like.
        shares: Of train, validation and test; 0 leaves a split out.

    Raises:
        UserError: There is no such column, a row has no time, or too few moments are told apart, or rows were
            made of others.
    """
    if column not in table.column_names:
        known = ", ".join(map(repr, table.column_names))
        raise UserError(f"has no column {column!r}", where=table.source, fix=f"its columns are {known}")
    if added_rows(table).any():
        what = "holds rows that were made of others, at the times of those"
        raise UserError(what, where=table.source, fix="divide the rows first, and augment then")
    moments = _moments(table, column)
    order = np.argsort(moments, kind="stable")
    borders = np.round(np.cumsum(np.asarray(shares)) * len(table)).astype(np.int64)
    # Where a border would part one moment, it goes to the nearer end of it.
    ends = [_nearest_end(moments[order], int(border)) for border in borders[:-1]] + [len(table)]
    tables, start = {}, 0
    for name, share, end in zip(SPLITS, shares, ends, strict=True):
        rows = np.sort(order[start : max(start, end)])
        if share and not len(rows):
            raise UserError(
                f"too few different times to give {name} rows of its own",
                where=f"{table.source}, column {column!r}",
                fix="use another column, or other sizes",
            )
        if share:
            parameters = {"fractions": list(shares), "time": column}
            tables[name] = table.select(rows, step=f"split:{name}", parameters=parameters)
            start = max(start, end)
    return tables


def _nearest_end(ordered: FloatArray, place: int) -> int:
    """The place next to ``place`` at which another moment begins."""
    if not 0 < place < len(ordered):
        return place
    moment = ordered[place]
    before = int(np.searchsorted(ordered, moment, side="left"))
    behind = int(np.searchsorted(ordered, moment, side="right"))
    return before if place - before <= behind - place else behind


def _moments(table: Table, column: str) -> FloatArray:
    """float64 (rows,): seconds since 1970, or the numbers as they are."""
    values = table.column(column)
    found = np.empty(len(values))
    for place, value in enumerate(values):
        moment = moment_of(value)
        if moment is None:
            shown = "nothing" if value is None else repr(value)[:60]
            raise UserError(
                f"row {int(table.row_ids[place])} holds {shown}, which is no time",
                where=f"{table.source}, column {column!r}",
                fix="write e.g. 2024-01-31 or 2024-01-31T12:00, or numbers; fill or remove rows without",
            )
        found[place] = moment
    return found


def moment_of(value: Any) -> float | None:
    """Seconds since 1970 of a date or a time, however it is written; numbers as they are; None for anything else."""
    if isinstance(value, datetime):
        return _seconds(value)
    if isinstance(value, date):
        return _seconds(datetime(value.year, value.month, value.day))
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int | float):
        return float(value) if np.isfinite(value) else None
    text = str(value).strip()
    try:
        return _seconds(datetime.fromisoformat(text))
    except ValueError:
        pass
    for form in _FORMS:
        try:
            return _seconds(datetime.strptime(text, form))
        except ValueError:
            continue
    return None


def _seconds(moment: datetime) -> float:
    """Times without a zone are taken for UTC, all alike."""
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
