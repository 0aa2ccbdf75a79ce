"""Rows of a database: any that SQLAlchemy 2 has a dialect for, by a query or a table, read in batches."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from typing import Any

from supertune.data.arrays import Places
from supertune.data.sources import spill
from supertune.data.sources.building import BATCH_ROWS, OnBadRow, Progress, TableBuilder
from supertune.data.sources.sql_connection import connected
from supertune.data.sources.sql_query import is_ordered, query_of_table
from supertune.data.sources.sql_values import Values
from supertune.data.table import Step, Table, check_names
from supertune.errors import UserError

_NO_ORDER = (
    "the query has no ORDER BY: row numbers, and with them the split, may be others the next time; "
    "end it with ORDER BY and a column that no two rows share"
)


def read_database(
    address: str,
    *,
    query: str | None = None,
    table: str | None = None,
    on_bad_row: OnBadRow = "refuse",
    progress: Progress | None = None,
) -> Table:
    """Read what a query gives, or a table in the order of its primary key.

    Rows are taken as the database sends them (by a server-side cursor where the driver has one), in a transaction that
    is rolled back in any case. Row ids count the rows in the order in which they come.

    Args:
        address: SQLAlchemy's; ``${NAME}`` in it stands for an environment variable.
        query: In the database's own SQL.
        table: Instead of a query, ``name`` or ``schema.name``; neither: the only table that there is.
        on_bad_row: As in `supertune.data.read`.
        progress: Told after each batch.

    Raises:
        MissingExtraError: SQLAlchemy is not installed.
        UserError: Address, driver, server, table or query cannot be used, or a value is no data.
    """
    if query is not None and table is not None:
        raise UserError("both data.query and data.table are set", where=address, fix="take one of them out")
    with connected(address, BATCH_ROWS) as connection:
        if query is None:
            query, notes = query_of_table(connection, table, address)
        else:
            notes = [] if is_ordered(query) else [_NO_ORDER]
        # Nothing tells whether a database has changed, so what was read before is never taken instead.
        key = spill.key_of({"database": address, "query": query, "time": time.time_ns(), "process": os.getpid()})
        with TableBuilder(address, key=key, on_bad_row=on_bad_row, progress=progress) as builder:
            values = _fill(builder, connection, query)
            made = builder.finish([*notes, *values.notes()])
    first = made.lineage[0]
    step = Step("read", {**first.parameters, "query": query}, first.rows_in, first.rows_out, first.reason)
    return replace(made, lineage=(step, *made.lineage[1:]))


def _fill(builder: TableBuilder, connection: Any, query: str) -> Values:
    """Put the rows of a query into the table."""
    result = connection.exec_driver_sql(query)
    if not result.returns_rows:
        raise UserError("the query gives no rows", where=builder.source, fix="write a SELECT; nothing was changed")
    names = [str(name) for name in result.keys()]  # noqa: SIM118 - it is no mapping
    check_names(names, f"{builder.source}, the query")
    values = Values(names)
    seen = 0
    for batch in result.partitions(BATCH_ROWS):
        places = Places(range(seen, seen + len(batch)))
        seen += len(batch)
        records, bad = values.records(batch)
        for index, reason in bad.items():
            builder.bad(places.rows[index], 0, reason)
        good = [index for index in range(len(batch)) if index not in bad]
        builder.add_records([records[index] for index in good], places.at(good))
    return values
