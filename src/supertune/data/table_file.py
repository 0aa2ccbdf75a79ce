"""Writes a table to a file that `supertune.data.read` reads back."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, get_args

import pyarrow as pa

from supertune.data.arrays import kind_of_type
from supertune.data.formulas import without_formula
from supertune.data.table import Table
from supertune.errors import UserError
from supertune.files import atomic_file

TableFormat = Literal["jsonl", "parquet", "csv"]
TABLE_FORMATS: tuple[TableFormat, ...] = get_args(TableFormat)


def parse_format(name: str) -> TableFormat:
    """A format by its name.

    Raises:
        UserError: There is none of that name.
    """
    if name not in TABLE_FORMATS:
        raise UserError(f"{name!r} is no format", where="--format", fix=f"use one of {', '.join(TABLE_FORMATS)}")
    return name


def check_format(table: Table, wanted: TableFormat) -> None:
    """Check that a format can hold a table, before any work is done.

    Raises:
        UserError: The table holds lists or objects, and only JSON Lines keeps those as they are.
    """
    nested = [field.name for field in table.schema if kind_of_type(field.type) == "nested"]
    if wanted != "jsonl" and nested:
        what = f"holds lists or objects in {nested[0]!r}, which {wanted} cannot keep as they are"
        raise UserError(what, where=table.source, fix="choose --format jsonl")


def write_table(table: Table, path: Path, wanted: TableFormat) -> None:
    """Write the rows, batch by batch; the file appears whole or not at all.

    In CSV a text that a spreadsheet would take for a formula gets an apostrophe in front: it is no longer the same
    text, which is why JSON Lines is the default.

    Raises:
        UserError: The format cannot hold the table, the disk is full, or the place is not writable.
    """
    check_format(table, wanted)
    _WRITERS[wanted](table, path)


def _write_json_lines(table: Table, path: Path) -> None:
    with atomic_file(path) as stream:
        for row in table.rows():
            stream.write(json.dumps(row, ensure_ascii=False) + "\n")


def _write_parquet(table: Table, path: Path) -> None:
    import pyarrow.parquet as pq

    with atomic_file(path, binary=True) as stream, pq.ParquetWriter(stream, table.schema) as writer:
        for batch in table.arrow_batches():
            writer.write_table(pa.table(batch.columns, schema=table.schema))


def _write_csv(table: Table, path: Path) -> None:
    with atomic_file(path) as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(table.column_names)
        for row in table.rows():
            writer.writerow([_cell(value) for value in row.values()])


def _cell(value: Any) -> Any:
    if isinstance(value, bool):
        return str(value).lower()
    return without_formula(value) if isinstance(value, str) else value


_WRITERS: dict[TableFormat, Callable[[Table, Path], None]] = {
    "jsonl": _write_json_lines,
    "parquet": _write_parquet,
    "csv": _write_csv,
}
