"""Rows that are already in Python: data frames, lists of dicts, dicts of lists, Arrow tables, HF datasets."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from supertune.data.arrays import ColumnKinds, Places, plain
from supertune.data.sources import spill
from supertune.data.sources.building import BATCH_ROWS, Progress, TableBuilder
from supertune.data.sources.class_names import named, names_in_features, told
from supertune.data.storage import MemoryStorage
from supertune.data.table import Origin, Table, check_names
from supertune.errors import UserError

_ACCEPTED = "give a path, a DataFrame, a list of dicts, a dict of lists, a pyarrow.Table or a datasets.Dataset"


def read_object(source: Any, progress: Progress | None = None) -> Table:
    """Rows from a Python object of any kind that holds a table; a NaN in it is a missing value.

    Raises:
        UserError: It is none of the accepted kinds, holds no rows, or a column mixes types.
    """
    if is_dataset_dict(source):
        what = f"a DatasetDict holds several tables ({', '.join(source)})"
        raise UserError(what, fix="give one of them, or use read_splits")
    if is_dataset(source):
        return read_dataset(source, "datasets.Dataset", progress)
    if type(source).__module__.split(".")[0] == "pandas" and hasattr(source, "columns"):
        return _from_pandas(source)
    if isinstance(source, pa.Table):
        return _whole(source, "pyarrow.Table")
    if hasattr(source, "__arrow_c_stream__"):
        return _whole(pa.table(source), type(source).__name__)
    if isinstance(source, Mapping):
        return _from_columns({name: _as_list(name, values) for name, values in source.items()}, "dict of lists")
    if isinstance(source, Sequence) and all(isinstance(row, Mapping) for row in source):
        names = dict.fromkeys(name for row in source for name in row)
        return _from_columns({name: [row.get(name) for row in source] for name in names}, "list of rows")
    raise UserError(f"cannot read rows from a {type(source).__name__}", fix=_ACCEPTED)


def is_dataset(source: Any) -> bool:
    """True for a `datasets.Dataset`, found out without importing the library."""
    return type(source).__module__.startswith("datasets.") and type(source).__name__ == "Dataset"


def is_dataset_dict(source: Any) -> bool:
    """True for a `datasets.DatasetDict`."""
    return type(source).__module__.startswith("datasets.") and type(source).__name__ == "DatasetDict"


def read_dataset(dataset: Any, source: str, progress: Progress | None = None) -> Table:
    """Rows of a `datasets.Dataset`, batch by batch; numbered class labels become their names.

    Raises:
        UserError: It holds no rows.
    """
    key = spill.key_of({"dataset": dataset._fingerprint, "rows": len(dataset)})
    if (table := spill.opened(key, source)) is not None:
        return table
    classes = _class_names(dataset.features)
    lists = names_in_features(dataset.features)
    notes = told({**classes, **lists})
    with TableBuilder(source, key=key, on_bad_row="refuse", progress=progress) as builder:
        for batch in dataset.with_format("arrow").iter(batch_size=BATCH_ROWS):
            for column, names in classes.items():
                lookup = pa.DictionaryArray.from_arrays(_known(batch.column(column), len(names)), pa.array(names))
                batch = batch.set_column(batch.schema.get_field_index(column), column, lookup)
            batch = named(batch, lists)
            builder.add_batch(batch, fraction=(builder.rows + batch.num_rows) / len(dataset))
        return builder.finish(notes)


def _class_names(features: Mapping[str, Any]) -> dict[str, list[str]]:
    """Columns of numbers that stand for names; those whose names are the same numbers need no change."""
    found = {}
    for column, feature in features.items():
        names = list(getattr(feature, "names", None) or ())
        if type(feature).__name__ == "ClassLabel" and names != [str(number) for number in range(len(names))]:
            found[column] = names
    return found


def _known(numbers: Any, classes: int) -> Any:
    """Class numbers as int32, -1 (the hub's sign for "no label") as missing."""
    values = [n if n is not None and 0 <= n < classes else None for n in numbers.to_pylist()]
    return pa.array(values, pa.int32())


def _from_pandas(frame: Any) -> Table:
    check_names(list(frame.columns), "DataFrame")
    kinds, notes = ColumnKinds("DataFrame"), []
    places = Places(range(len(frame)))
    columns = {}
    for name in frame.columns:
        series = frame[name]
        if series.dtype == object:
            columns[name] = kinds.array(name, [_plain(value) for value in series], places)
            continue
        array = pa.array(series, from_pandas=True)
        if pa.types.is_floating(array.type) and array.null_count and _all_whole(array):
            array = array.cast(pa.int64())
            notes.append(f"column {name!r}: pandas stores its integers as floats because of missing values")
        columns[name] = array
    return _whole(pa.table(columns), "DataFrame", tuple(notes))


def _all_whole(array: Any) -> bool:
    values = array.drop_null().to_numpy()
    return bool(len(values) and (np.abs(values) < 2**53).all() and (values == np.floor(values)).all())


def _from_columns(columns: Mapping[str, list[Any]], source: str) -> Table:
    check_names(list(columns), source)
    lengths = {name: len(values) for name, values in columns.items()}
    if len(set(lengths.values())) > 1:
        shown = ", ".join(f"{name!r} has {length}" for name, length in lengths.items())
        raise UserError(f"the columns differ in length: {shown}", where=source, fix="give every row a value")
    kinds = ColumnKinds(source)
    places = Places(range(next(iter(lengths.values()), 0)))
    try:
        arrays = {n: kinds.array(n, [_plain(value) for value in values], places) for n, values in columns.items()}
    except (UnicodeEncodeError, OverflowError) as error:
        what = f"holds a value that cannot be stored ({error})"
        raise UserError(what, where=source, fix="correct the text, or write huge integers as text") from error
    return _whole(pa.table(arrays), source)


def _as_list(name: object, values: Any) -> list[Any]:
    if isinstance(values, str | bytes | Mapping) or not hasattr(values, "__iter__"):
        what = f"the key {name!r} holds a {type(values).__name__}, not a list of values"
        raise UserError(what, where="dict of lists", fix="give one list per column, all equally long")
    return list(values)


def _plain(value: Any) -> Any:
    """The value as plain Python: numpy scalars unwrapped, tuples and arrays as lists, NaN and pandas.NA as None."""
    if isinstance(value, np.generic | np.ndarray):
        value = value.tolist()
    if isinstance(value, tuple):
        value = list(value)
    if isinstance(value, float) and math.isnan(value):
        return None
    return None if type(value).__name__ in ("NAType", "NaTType") else value


def _whole(table: Any, source: str, notes: tuple[str, ...] = ()) -> Table:
    if not table.num_rows:
        raise UserError("holds no rows", where=source, fix="give at least one row")
    check_names(table.column_names, source)
    return spill.table_of(MemoryStorage(plain(table)), Origin(source, notes), None)
