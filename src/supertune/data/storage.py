"""Where a table's rows are: in memory, or in an Arrow file that is read a piece at a time.

Both answer the same two questions: give me rows ``start`` to ``stop``, and give me these rows.
"""

from __future__ import annotations

import fcntl
import os
import weakref
from collections import OrderedDict
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa

from supertune.contracts import IntArray
from supertune.errors import UserError

_KEPT_BATCHES = 2


class Storage(Protocol):
    """Rows in a fixed order, with a schema."""

    @property
    def schema(self) -> Any:
        """The ``pyarrow.Schema``."""
        ...

    def __len__(self) -> int: ...

    def slice(self, start: int, stop: int, columns: tuple[str, ...]) -> Any:
        """Rows ``start`` to ``stop`` of the columns, as a ``pyarrow.Table``."""
        ...

    def take(self, indices: IntArray, columns: tuple[str, ...]) -> Any:
        """The rows at the indices, in that order, as a ``pyarrow.Table``."""
        ...


class MemoryStorage:
    """Rows in a ``pyarrow.Table``."""

    def __init__(self, table: Any) -> None:
        self._table = table
        self.schema = table.schema

    def __len__(self) -> int:
        return int(self._table.num_rows)

    def slice(self, start: int, stop: int, columns: tuple[str, ...]) -> Any:
        """See `Storage`."""
        return self._table.select(list(columns)).slice(start, stop - start)

    def take(self, indices: IntArray, columns: tuple[str, ...]) -> Any:
        """See `Storage`."""
        return self._table.select(list(columns)).take(pa.array(indices))


class FileStorage:
    """Rows in an Arrow IPC file, of which only the batches asked for are in memory.

    The file is read, not memory-mapped: pages of a mapped file count as resident memory. As long as the object
    lives it holds a shared lock on the file, so that whoever tidies the cache leaves it alone. Reads do not move
    a file position, so a forked process may go on using it.
    """

    def __init__(self, path: Path, batch_rows: tuple[int, ...]) -> None:
        self.path = path
        self._batch_rows = batch_rows
        descriptor = os.open(path, os.O_RDONLY)
        self._release = weakref.finalize(self, os.close, descriptor)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
            self._reader = pa.ipc.open_file(pa.OSFile(str(path)))
        except BaseException:
            self._release()
            raise
        self.schema = self._reader.schema
        self._starts = np.concatenate([[0], np.cumsum(batch_rows, dtype=np.int64)]).astype(np.int64)
        self._kept: OrderedDict[int, Any] = OrderedDict()

    def __reduce__(self) -> tuple[type[FileStorage], tuple[Path, tuple[int, ...]]]:
        return FileStorage, (self.path, self._batch_rows)

    def __len__(self) -> int:
        return int(self._starts[-1])

    def slice(self, start: int, stop: int, columns: tuple[str, ...]) -> Any:
        """See `Storage`."""
        pieces = []
        while start < stop:
            number = self._batch_of(start)
            first, end = int(self._starts[number]), min(stop, int(self._starts[number + 1]))
            pieces.append(self._batch(number).select(list(columns)).slice(start - first, end - start))
            start = end
        return pa.Table.from_batches(pieces, self._schema_of(columns))

    def take(self, indices: IntArray, columns: tuple[str, ...]) -> Any:
        """See `Storage`. Fast when the indices rise; otherwise every batch they touch is read."""
        order = np.argsort(indices, kind="stable")
        ordered = indices[order]
        numbers = np.searchsorted(self._starts, ordered, side="right") - 1
        pieces = []
        for number in np.unique(numbers).tolist():
            within = ordered[numbers == number] - self._starts[number]
            pieces.append(self._batch(number).select(list(columns)).take(pa.array(within)))
        table = pa.Table.from_batches(pieces, self._schema_of(columns))
        if (order[:-1] < order[1:]).all():
            return table
        back = np.empty_like(order)
        back[order] = np.arange(len(order))
        return table.take(pa.array(back))

    def _batch_of(self, row: int) -> int:
        return int(np.searchsorted(self._starts, row, side="right")) - 1

    def _schema_of(self, columns: tuple[str, ...]) -> Any:
        return pa.schema([self.schema.field(name) for name in columns])

    def _batch(self, number: int) -> Any:
        if number in self._kept:
            self._kept.move_to_end(number)
            return self._kept[number]
        try:
            batch = self._reader.get_batch(number)
        except (OSError, pa.ArrowInvalid) as error:
            raise UserError(
                f"cannot be read back ({error})",
                where=str(self.path),
                fix="remove this folder and read the data again",
            ) from error
        self._kept[number] = batch
        if len(self._kept) > _KEPT_BATCHES:
            self._kept.popitem(last=False)
        return batch
