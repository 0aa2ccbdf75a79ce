"""The user's rows beside the vectors, with all their columns: an Arrow file that pandas, polars and DuckDB open."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa

from supertune.errors import UserError
from supertune.passages.vectors import damaged

BATCH_ROWS = 1024


def write_rows(path: Path, pieces: Iterable[Any], schema: Any) -> None:
    """Write rows as they come.

    Args:
        path: The Arrow IPC file (Feather, version 2).
        pieces: ``pyarrow.Table`` each, of `BATCH_ROWS` rows but for the last.
        schema: Their ``pyarrow.Schema``.
    """
    with pa.OSFile(str(path), "wb") as stream, pa.ipc.new_file(stream, schema) as writer:
        for piece in pieces:
            for batch in piece.combine_chunks().to_batches():
                writer.write_batch(batch)


class RowReader:
    """Rows in a file, of which those that are asked for are read."""

    def __init__(self, path: Path, rows: int) -> None:
        """Open the file.

        Raises:
            UserError: It is missing, damaged, or has another number of rows.
        """
        self._path = path
        try:
            self._reader = pa.ipc.open_file(pa.memory_map(str(path)))
        except (OSError, pa.ArrowInvalid) as error:
            raise damaged(path) from error
        if self._reader.num_record_batches != -(-rows // BATCH_ROWS):
            raise damaged(path)

    @property
    def column_names(self) -> tuple[str, ...]:
        """Names of the user's columns, in order."""
        return tuple(self._reader.schema.names)

    def row(self, position: int) -> dict[str, Any]:
        """The row at this position, as Python values.

        Raises:
            UserError: It cannot be read.
        """
        try:
            batch = self._reader.get_batch(position // BATCH_ROWS)
            found: dict[str, Any] = batch.slice(position % BATCH_ROWS, 1).to_pylist()[0]
        except (OSError, pa.ArrowInvalid, IndexError, UnicodeDecodeError) as error:
            raise self._damaged() from error
        return found

    def _damaged(self) -> UserError:
        return damaged(self._path)
