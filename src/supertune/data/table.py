"""The one row container: immutable, Arrow-backed, in memory or in a file, with its lineage."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa

from supertune.contracts import IntArray
from supertune.data.arrays import ColumnKinds, Places, is_text, kind_of_type, plain, python_values
from supertune.data.storage import MemoryStorage, Storage
from supertune.errors import UserError
from supertune.language import join_fields

_FINGERPRINT_ROWS = 8192


@dataclass(frozen=True)
class Step:
    """One thing that was done to a table's rows.

    Attributes:
        name: What was done, e.g. ``read``, ``split:train``.
        parameters: How, as JSON-able values.
        rows_in: Rows before.
        rows_out: Rows after.
        reason: Why rows were left out, where that is worth saying.
    """

    name: str
    parameters: Mapping[str, Any]
    rows_in: int
    rows_out: int
    reason: str | None = None


@dataclass(frozen=True)
class BadRow:
    """A row of a source that cannot be read.

    Attributes:
        row: 0-based data row.
        line: 1-based line of the file (Excel: row of the sheet) it starts on; 0 where that is not known.
        reason: What is wrong with it.
    """

    row: int
    line: int
    reason: str


@dataclass(frozen=True)
class Origin:
    """Where a table came from, and what is worth telling about how it was read.

    Attributes:
        source: The file, folder or name it was read from.
        notes: Announcements for the user, one sentence each.
        bad_rows: The first rows that were skipped, at most 1,000.
        bad_row_count: How many were skipped in all.
    """

    source: str
    notes: tuple[str, ...] = ()
    bad_rows: tuple[BadRow, ...] = ()
    bad_row_count: int = 0


@dataclass(frozen=True, eq=False)
class Table:
    """Rows with named columns. Nothing changes a table; every operation returns a new one.

    A large table's rows stay in a file and are read batch by batch. A selection is a list of row numbers over
    the same storage, so selecting copies no text. Made by `supertune.data.read`, `from_rows` or `from_arrow`.
    """

    storage: Storage
    origin: Origin
    lineage: tuple[Step, ...] = ()
    _all_row_ids: IntArray | None = field(default=None, repr=False)
    _selection: IntArray | None = field(default=None, repr=False)

    @staticmethod
    def from_arrow(table: Any, *, source: str, row_ids: IntArray | None = None) -> Table:
        """A table over a ``pyarrow.Table``; the row ids are 0, 1, 2 … unless given.

        Raises:
            UserError: Two columns have the same name, or a name is empty.
        """
        check_names(table.column_names, source)
        if row_ids is not None and len(row_ids) != table.num_rows:
            raise ValueError(f"{len(row_ids)} row ids for {table.num_rows} rows")
        ids = None if row_ids is None else np.asarray(row_ids, np.int64)
        return Table(MemoryStorage(plain(table)), Origin(source), _all_row_ids=ids)

    @staticmethod
    def from_rows(rows: Sequence[Mapping[str, Any]], *, source: str = "rows") -> Table:
        """A table from one mapping per row; a key that a row lacks is a missing value.

        Raises:
            UserError: A column mixes types, a value is not data, or a key is not text.
        """
        names = list(dict.fromkeys(name for row in rows for name in row))
        check_names(names, source)
        kinds = ColumnKinds(source)
        places = Places(range(len(rows)))
        columns = {name: kinds.array(name, [row.get(name) for row in rows], places) for name in names}
        return Table.from_arrow(pa.table(columns), source=source)

    @property
    def column_names(self) -> tuple[str, ...]:
        """Names of the user's columns, in order."""
        return tuple(self.storage.schema.names)

    @property
    def schema(self) -> Any:
        """The ``pyarrow.Schema`` of the columns."""
        return self.storage.schema

    @property
    def source(self) -> str:
        """The file, folder or name the rows came from."""
        return self.origin.source

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should be told about how the source was read, one sentence each."""
        return self.origin.notes

    @property
    def bad_rows(self) -> tuple[BadRow, ...]:
        """The first rows that were skipped while reading, at most 1,000."""
        return self.origin.bad_rows

    @property
    def bad_row_count(self) -> int:
        """How many rows were skipped while reading."""
        return self.origin.bad_row_count

    @cached_property
    def row_ids(self) -> IntArray:
        """int64 (rows,): 0-based number of each row in the source; stable through every selection."""
        if self._all_row_ids is None:
            ids = np.arange(len(self), dtype=np.int64) if self._selection is None else self._selection
        else:
            ids = self._all_row_ids if self._selection is None else self._all_row_ids[self._selection]
        ids = ids.view()
        ids.flags.writeable = False
        return ids

    def __len__(self) -> int:
        return len(self.storage) if self._selection is None else len(self._selection)

    def __repr__(self) -> str:
        return f"Table({len(self):,} rows of {', '.join(self.column_names)} from {self.source})"

    def column(self, name: str) -> list[Any]:
        """All values of one column as Python objects."""
        return [value for batch in self.batches(columns=(name,)) for value in batch[name]]

    def batches(self, size: int = 8192, columns: Sequence[str] | None = None) -> Iterator[dict[str, list[Any]]]:
        """The rows in order, as column → values, at most ``size`` rows at a time.

        Over a selection whose row numbers rise (as a split's do) this streams; any other order has to read more.
        """
        for piece in self.arrow_batches(size, columns):
            yield {name: python_values(piece.column(name)) for name in piece.column_names}

    def arrow_batches(self, size: int = 8192, columns: Sequence[str] | None = None) -> Iterator[Any]:
        """The rows in order as ``pyarrow.Table`` pieces of at most ``size`` rows."""
        names = self.column_names if columns is None else tuple(columns)
        self._require(names)
        for start in range(0, len(self), size):
            stop = min(start + size, len(self))
            if self._selection is None:
                yield self.storage.slice(start, stop, names)
            else:
                yield self.storage.take(self._selection[start:stop], names)

    def rows(self) -> Iterator[dict[str, Any]]:
        """The rows in order, one mapping each."""
        names = self.column_names
        for batch in self.batches():
            for values in zip(*batch.values(), strict=True):
                yield dict(zip(names, values, strict=True))

    def row(self, index: int) -> dict[str, Any]:
        """The row at this position of the table (not its row id)."""
        if not -len(self) <= index < len(self):
            raise IndexError(f"row {index} of a table of {len(self)} rows")
        position = index % len(self)
        number = position if self._selection is None else int(self._selection[position])
        piece = self.storage.slice(number, number + 1, self.column_names)
        return {name: python_values(piece.column(name))[0] for name in self.column_names}

    def texts(self, columns: tuple[str, ...]) -> Iterator[str]:
        """Each row's text: the columns joined by `supertune.language.join_fields`; "" where all are missing."""
        for batch in self.batches(columns=columns):
            for values in zip(*(batch[name] for name in columns), strict=True):
                yield join_fields(values)

    def select(
        self,
        indices: Sequence[int] | IntArray,
        *,
        step: str,
        parameters: Mapping[str, Any] | None = None,
        reason: str | None = None,
    ) -> Table:
        """The rows at these positions, in this order, with one more step in the lineage."""
        positions = np.asarray(indices, dtype=np.int64).reshape(-1)
        if len(positions) and (positions.min() < 0 or positions.max() >= len(self)):
            raise IndexError(f"positions {positions.min()} to {positions.max()} of a table of {len(self)} rows")
        selection = positions.copy() if self._selection is None else self._selection[positions]
        done = Step(step, dict(parameters or {}), len(self), len(selection), reason)
        return replace(self, lineage=(*self.lineage, done), _selection=selection)

    def with_column(self, name: str, values: Sequence[Any], *, step: str) -> Table:
        """The same rows in memory with one more column, and one more step in the lineage."""
        pieces = list(self.arrow_batches())
        whole = pa.concat_tables(pieces) if pieces else self.schema.empty_table()
        table = Table.from_arrow(whole.append_column(name, pa.array(values)), source=self.source, row_ids=self.row_ids)
        done = Step(step, {"column": name}, len(self), len(self))
        return replace(table, origin=self.origin, lineage=(*self.lineage, done))

    def with_notes(self, notes: Sequence[str]) -> Table:
        """The same rows with these announcements before the others."""
        return replace(self, origin=replace(self.origin, notes=(*notes, *self.notes))) if notes else self

    @cached_property
    def fingerprint(self) -> str:
        """Hex SHA-256 of names, kinds, values and their order; the same wherever the rows are stored."""
        kinds = [[name, _stored_kind(kind)] for name, kind in zip(self.schema.names, self.schema.types, strict=True)]
        digest = hashlib.sha256(json.dumps([kinds, len(self)]).encode())
        for batch in self.batches(_FINGERPRINT_ROWS):
            for values in batch.values():
                text = json.dumps(values, ensure_ascii=False, default=repr)
                digest.update(text.encode("utf-8", "surrogatepass"))
        return digest.hexdigest()

    def _require(self, names: Sequence[str]) -> None:
        for name in names:
            if name not in self.column_names:
                raise UserError(
                    f"has no column {name!r}; its columns are {', '.join(map(repr, self.column_names))}",
                    where=self.source,
                )


def _stored_kind(arrow_type: Any) -> str:
    kind = kind_of_type(arrow_type)
    return "text" if is_text(arrow_type) else str(arrow_type) if kind == "other" else kind


def check_names(names: Sequence[object], source: str) -> None:
    """Refuse column names that are not text, empty or used twice.

    Raises:
        UserError: With the name or the column's number.
    """
    seen: set[object] = set()
    for number, name in enumerate(names, start=1):
        if not isinstance(name, str):
            raise UserError(f"column name {name!r} is not text", where=source, fix="name the columns with text")
        if not name.strip():
            raise UserError(
                f"column {number} has no name",
                where=source,
                fix="name every column (a nameless first column is often an index: write the file without it)",
            )
        if any("\ud800" <= character <= "\udfff" for character in name):
            what = f"the name of column {number} holds a broken character: {name!a}"
            raise UserError(what, where=source, fix="correct the column's name")
        if name in seen:
            raise UserError(f"two columns are named {name!r}", where=source, fix="rename or remove one of them")
        seen.add(name)
