"""Batches of rows, as a source yields them, become one table: in memory while small, in a file once large."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from supertune.contracts import IntArray
from supertune.data.arrays import ColumnKinds, Places, common_type, kind_of_type, plain
from supertune.data.sources import spill
from supertune.data.storage import FileStorage, MemoryStorage
from supertune.data.table import BadRow, Origin, Table, check_names
from supertune.errors import UserError
from supertune.files import atomic_folder

BATCH_ROWS = 8192
BATCH_CHARACTERS = 16 * 1024**2

OnBadRow = Literal["refuse", "skip"]
Progress = Callable[[int, float | None], None]
"""Called after each batch with the rows read so far and the part of the source read (0 to 1), where known."""

_SHOWN = 5
_KEPT = 1000
_INT64 = range(-(2**63), 2**63)


class TableBuilder:
    """Collects batches whose columns and types may still widen, and the rows that cannot be read.

    A context manager: leaving it by an exception (Ctrl-C included) leaves no file behind.

    Args:
        source: What the user calls the source; heads every message.
        key: Name of the spill if the table grows large (`spill.key_of_files`); None keeps it in memory.
        on_bad_row: ``refuse`` raises at the end if there were bad rows, ``skip`` leaves them out.
        progress: Told after each batch.
    """

    def __init__(self, source: str, *, key: str | None, on_bad_row: OnBadRow, progress: Progress | None = None) -> None:
        self.source = source
        self.schema = pa.schema([])
        self.rows = 0
        self._key = key
        self._on_bad_row = on_bad_row
        self._progress = progress
        self._kinds = ColumnKinds(source)
        self._row_ids: list[IntArray] = []
        self._bad: list[BadRow] = []
        self.bad_count = 0
        self._batches: list[Any] = []
        self._bytes = 0
        self._stack = contextlib.ExitStack()
        self._folder: Path | None = None
        self._segments: list[Path] = []
        self._writer: Any = None

    def __enter__(self) -> TableBuilder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close_segment()
        self._stack.__exit__(kind, error, trace)

    # ------------------------------------------------------------ what sources call

    def bad(self, row: int, line: int, reason: str) -> None:
        """Note a row that cannot be read."""
        self.bad_count += 1
        self._bad.append(BadRow(row, line, reason))
        if len(self._bad) > 2 * _KEPT:
            self._bad = sorted(self._bad, key=lambda bad: bad.row)[:_KEPT]

    def bad_among(self, places: Places, reasons: Sequence[str | None]) -> None:
        """Note the rows of a batch that have a reason."""
        for index, reason in enumerate(reasons):
            if reason:
                self.bad(places.rows[index], places.lines[index] if places.lines else 0, reason)

    def add_records(self, records: Sequence[Mapping[str, Any]], places: Places, fraction: float | None = None) -> None:
        """Add rows as mappings from column to JSON value; a missing key is a missing value.

        Raises:
            UserError: A column mixes types.
        """
        try:
            batch = self._as_arrow(records, places)
        except (UnicodeEncodeError, OverflowError):
            reasons = [_unstorable(record) for record in records]
            self.bad_among(places, reasons)
            good = [index for index, reason in enumerate(reasons) if not reason]
            records, places = [records[index] for index in good], places.at(good)
            batch = self._as_arrow(records, places)
        if records and not batch.num_columns:
            raise UserError("has objects without any keys", where=self.source, fix="give the rows columns")
        self.add_batch(batch, places.rows, fraction)

    def _as_arrow(self, records: Sequence[Mapping[str, Any]], places: Places) -> Any:
        names = dict.fromkeys(name for record in records for name in record)
        return pa.table({n: self._kinds.array(n, [record.get(n) for record in records], places) for n in names})

    def add_batch(self, batch: Any, rows: Sequence[int] | None = None, fraction: float | None = None) -> None:
        """Add a ``pyarrow.Table`` of rows; ``rows`` are their row ids, counted on by default."""
        if not batch.num_rows:
            return
        batch = plain(batch)
        if rows is None:
            rows = range(self.rows, self.rows + batch.num_rows)
        self._row_ids.append(np.fromiter(rows, np.int64, len(rows)))
        self.rows += batch.num_rows
        self._bytes += batch.nbytes
        self._widen(batch.schema)
        if self._folder is None:
            self._batches.append(batch)
            if self._key is not None and self._bytes > spill.SPILL_BYTES:
                self._start_spilling(self._key)
        else:
            self._write(batch)
        if self._progress:
            self._progress(self.rows, fraction)

    def finish(self, notes: Sequence[str] = (), conversions: Mapping[str, Callable[[Any], Any]] | None = None) -> Table:
        """The table of everything added; ``conversions`` maps columns to a last change of their type.

        Raises:
            UserError: There were bad rows and they were not to be skipped, or there are no rows.
        """
        self._refuse_bad_rows()
        check_names(self.schema.names, self.source)
        convert = dict(conversions or {})
        origin = Origin(self.source, (*notes, *self._skipped_note()), tuple(self._bad[:_KEPT]), self.bad_count)
        row_ids = np.concatenate(self._row_ids)
        contiguous = not len(row_ids) or int(row_ids[-1]) == len(row_ids) - 1
        kept_ids = None if contiguous else row_ids
        if self._folder is None:
            batches = [self._final(batch, convert) for batch in self._batches]
            return spill.table_of(MemoryStorage(pa.concat_tables(batches)), origin, kept_ids)
        with spill.writing():
            sizes = self._merge_segments(convert)
            spill.describe(self._folder, sizes, origin, kept_ids)
            self._stack.close()
            assert self._key is not None
            storage = FileStorage(spill.spills_folder() / self._key / "rows.arrow", tuple(sizes))
            spill.tidy()
        return spill.table_of(storage, origin, kept_ids)

    # ------------------------------------------------------------ bad rows

    def _refuse_bad_rows(self) -> None:
        self._bad.sort(key=lambda bad: bad.row)
        if not self.bad_count:
            if not self.rows:
                raise UserError("holds no rows", where=self.source, fix="give a file with at least one row")
            return
        count = "1 malformed row" if self.bad_count == 1 else f"{self.bad_count:,} malformed rows"
        lines = [f"{_place(bad)}: {bad.reason}" for bad in self._bad[:_SHOWN]]
        if self.bad_count > _SHOWN:
            lines.append(f"and {self.bad_count - _SHOWN:,} more")
        what = f"{count}\n    " + "\n    ".join(lines)
        if self._on_bad_row == "refuse":
            fix = "correct them, or leave them out with --on-bad-row skip"
            raise UserError(what, where=self.source, fix=fix)
        if not self.rows:
            raise UserError(f"no row can be read: {what}", where=self.source, fix="correct the file")

    def _skipped_note(self) -> tuple[str, ...]:
        if not self.bad_count:
            return ()
        first = self._bad[0]
        return (
            f"skipped {self.bad_count:,} malformed row{'s' if self.bad_count > 1 else ''} of "
            f"{self.rows + self.bad_count:,}, the first at {_place(first)}: {first.reason}",
        )

    # ------------------------------------------------------------ types that widen

    def _widen(self, schema: Any) -> None:
        if schema == self.schema:
            return
        fields = {field.name: field.type for field in self.schema}
        for field in schema:
            known = fields.get(field.name)
            merged = field.type if known is None else common_type(known, field.type)
            if merged is None:
                raise UserError(
                    f"mixes {kind_of_type(known)} and {kind_of_type(field.type)} values",
                    where=f"{self.source}, column {field.name!r}",
                    fix="write every value of the column in one type",
                )
            fields[field.name] = merged
        widened = pa.schema(list(fields.items()))
        if widened != self.schema:
            self.schema = widened
            self._close_segment()

    def _as_schema(self, batch: Any) -> Any:
        """The batch with the columns and types of the schema so far."""
        if batch.schema == self.schema:
            return batch
        columns = []
        for field in self.schema:
            index = batch.schema.get_field_index(field.name)
            if index < 0:
                columns.append(pa.nulls(batch.num_rows, field.type))
            elif batch.schema.field(index).type == field.type:
                columns.append(batch.column(index))
            elif pa.types.is_null(batch.schema.field(index).type):
                columns.append(pa.nulls(batch.num_rows, field.type))
            else:
                columns.append(self._cast(batch.column(index), field))
        return pa.table(columns, schema=self.schema)

    def _cast(self, column: Any, field: Any) -> Any:
        try:
            return column.cast(field.type)
        except pa.ArrowInvalid as error:
            raise UserError(
                f"mixes fractions with an integer that is too large to be exact beside them ({error})",
                where=f"{self.source}, column {field.name!r}",
                fix="write the column as text",
            ) from error

    def _final(self, batch: Any, convert: Mapping[str, Callable[[Any], Any]]) -> Any:
        table = self._as_schema(batch)
        for name, conversion in convert.items():
            table = table.set_column(table.schema.get_field_index(name), name, conversion(table.column(name)))
        return table

    # ------------------------------------------------------------ the file

    def _start_spilling(self, key: str) -> None:
        with spill.writing():
            self._folder = self._stack.enter_context(atomic_folder(spill.spills_folder() / key))
        for batch in self._batches:
            self._write(batch)
        self._batches.clear()

    def _write(self, batch: Any) -> None:
        assert self._folder is not None
        with spill.writing():
            if self._writer is None:
                self._segments.append(self._folder / f"segment-{len(self._segments)}.arrow")
                self._writer = pa.ipc.new_file(str(self._segments[-1]), self.schema)
            self._writer.write_table(self._as_schema(batch).combine_chunks())

    def _close_segment(self) -> None:
        if self._writer is not None:
            with spill.writing():
                self._writer.close()
            self._writer = None

    def _merge_segments(self, convert: Mapping[str, Callable[[Any], Any]]) -> list[int]:
        """Leave one file ``rows.arrow`` of one schema; returns the rows of each batch in it."""
        assert self._folder is not None
        self._close_segment()
        target = self._folder / "rows.arrow"
        if len(self._segments) == 1 and not convert:
            self._segments[0].rename(target)
            return [len(rows) for rows in self._row_ids]
        sizes: list[int] = []
        writer: Any = None
        for segment in self._segments:
            with pa.OSFile(str(segment)) as stream:
                reader = pa.ipc.open_file(stream)
                for number in range(reader.num_record_batches):
                    table = self._final(pa.Table.from_batches([reader.get_batch(number)]), convert)
                    writer = writer or pa.ipc.new_file(str(target), table.schema)
                    writer.write_table(table.combine_chunks())
                    sizes.append(table.num_rows)
            segment.unlink()
        writer.close()
        return sizes


def _place(bad: BadRow) -> str:
    return f"row {bad.row} (line {bad.line})" if bad.line else f"row {bad.row}"


def _unstorable(record: Mapping[str, Any]) -> str | None:
    """Why no Arrow column can hold a value of this row; None if one can."""
    for name, value in record.items():
        if type(value) is int and value not in _INT64:
            return f"the integer {str(value)[:30]} in {name!r} does not fit 64 bits: write it as text"
        if value in (float("inf"), float("-inf")):
            return f"the number in {name!r} is too large"
        try:
            f"{name}{value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}".encode()
        except UnicodeEncodeError as error:
            return broken_character(error.object[error.start])
    return None


def broken_character(character: str) -> str:
    """What is wrong with a lone surrogate: it stands for a byte that could not be decoded, or half a pair."""
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:
        return f"holds a byte that its encoding does not know (0x{code - 0xDC00:02X})"
    return f"holds half of a surrogate pair (\\u{code:04x})"
