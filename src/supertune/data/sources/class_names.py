"""Lists of class numbers whose names `datasets` knows: tags of tokens, as most sets of the hub keep them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa


def names_in_features(features: Mapping[str, Any]) -> dict[str, list[str]]:
    """Columns of lists of class numbers → the names, from the features of a `datasets.Dataset`."""
    found = {}
    for column, feature in features.items():
        names = list(getattr(getattr(feature, "feature", None), "names", None) or ())
        if names:
            found[column] = names
    return found


def names_in_metadata(metadata: Mapping[bytes, bytes] | None) -> dict[str, list[str]]:
    """The same from what `datasets` writes into a Parquet file; nothing where it is of other making."""
    try:
        features = json.loads((metadata or {}).get(b"huggingface", b"{}"))["info"]["features"]
    except (ValueError, KeyError, TypeError):
        return {}
    inner = {column: feature.get("feature") for column, feature in features.items() if isinstance(feature, dict)}
    return {column: list(one["names"]) for column, one in inner.items() if isinstance(one, dict) and one.get("names")}


def named(batch: Any, names: Mapping[str, Sequence[str]]) -> Any:
    """A table with names in the place of the numbers in these columns; numbers without a name are left as they are."""
    for column, known in names.items():
        lists = batch.column(column).to_pylist()
        if any(not 0 <= number < len(known) for row in lists for number in row or ()):
            continue
        written = [None if row is None else [known[number] for number in row] for row in lists]
        place = batch.schema.get_field_index(column)
        batch = batch.set_column(place, column, pa.array(written, pa.list_(pa.string())))
    return batch


def told(names: Mapping[str, Sequence[str]]) -> list[str]:
    """What is to be said of it, a sentence for each column."""
    return [
        f"column {column!r}: class numbers are read as their names ({', '.join(known[:5])}"
        f"{', …' if len(known) > 5 else ''})"
        for column, known in names.items()
    ]
