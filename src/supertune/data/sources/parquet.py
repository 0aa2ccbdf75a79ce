"""Parquet files."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from supertune.data.sources.building import BATCH_ROWS, TableBuilder
from supertune.data.sources.class_names import named, names_in_metadata, told
from supertune.data.table import Table, check_names
from supertune.errors import UserError
from supertune.files import explained


def read_parquet(path: Path, builder: TableBuilder) -> Table:
    """Read a Parquet file batch by batch; its columns keep their types, and tags that `datasets` named their names.

    Raises:
        UserError: The file is not Parquet, is damaged or holds no rows.
    """
    with explained(path):
        if not path.stat().st_size:
            raise UserError("is empty", where=builder.source, fix="give a Parquet file with rows")
        try:
            with pq.ParquetFile(path, pre_buffer=False) as file:
                check_names(file.schema_arrow.names, builder.source)
                names = names_in_metadata(file.schema_arrow.metadata)
                total = max(1, file.metadata.num_rows)
                for batch in file.iter_batches(BATCH_ROWS):
                    done = (builder.rows + batch.num_rows) / total
                    builder.add_batch(named(pa.Table.from_batches([batch]), names), fraction=done)
        except pa.ArrowException as error:
            what = f"is not a readable Parquet file ({str(error).splitlines()[0]})"
            raise UserError(what, where=builder.source, fix="write the file again") from error
        except OSError as error:
            if error.errno is not None:
                raise
            what = f"is a damaged Parquet file ({str(error).splitlines()[0]})"
            raise UserError(what, where=builder.source, fix="copy or write the file again") from error
    return builder.finish(told(names))
