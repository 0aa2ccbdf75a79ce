"""Prepared sets: a folder of rows with what was done to them, which travels on into every training on them.

cleaned/
train.jsonl            what stayed, a file per split; a set that was not split is one file, train
removed.jsonl          every row that went, with the step, the reason and the row as it was
preparation.yaml       the same preparation again: supertune clean preparation.yaml
preparation.json       sources, fingerprints and every step with its counts and samples
report.html            the same to look at
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from supertune.data.clean import Cleaned
from supertune.data.sources.preparation_record import RECORD
from supertune.data.table import Table
from supertune.data.table_file import TableFormat, write_table
from supertune.files import sha256_file, write_json, write_jsonl, write_text

RECIPE = "preparation.yaml"
REMOVED = "removed.jsonl"
FORMAT = 1


def file_of(split: str, wanted: TableFormat) -> str:
    """The file of a split; rows that were not split are called train, as hubs do."""
    return f"{'train' if split == 'all' else split}.{wanted}"


def write_prepared(
    folder: Path,
    sources: Mapping[str, Table],
    cleaned: Cleaned,
    *,
    recipe: str | None,
    wanted: TableFormat,
    about: Mapping[str, Any],
) -> None:
    """Write a prepared set into a folder that exists and is empty.

    Args:
        folder: Where to.
        sources: Split → the rows before.
        cleaned: The rows after, and what was done.
        recipe: The preparation as YAML; None where there is none to do again.
        wanted: Format of the rows.
        about: What else is worth recording, e.g. versions.

    Raises:
        UserError: The format cannot hold the rows, or the place is not writable.
    """
    splits: dict[str, Any] = {}
    for split, table in cleaned.tables.items():
        name = file_of(split, wanted)
        write_table(table, folder / name, wanted)
        splits[split] = {
            "file": name,
            "sha256": sha256_file(folder / name),
            "rows": len(table),
            "fingerprint": table.fingerprint,
            "source": table.source,
            "source_rows": len(sources[split]),
            "source_fingerprint": sources[split].fingerprint,
            "steps": [step.as_dict() for step in cleaned.steps[split]],
            "lineage": [asdict(step) for step in table.lineage],
        }
    if recipe is not None:
        write_jsonl(folder / REMOVED, _removed(sources, cleaned))
        write_text(folder / RECIPE, recipe)
    write_json(folder / RECORD, {"format": FORMAT, **about, "splits": splits})


def _removed(sources: Mapping[str, Table], cleaned: Cleaned) -> Iterator[dict[str, Any]]:
    """Every row that went, as it was in its source."""
    for split, table in sources.items():
        gone = cleaned.removed(split)
        # Row ids rise in a table as it was read.
        places = np.searchsorted(table.row_ids, np.fromiter(gone, np.int64, len(gone)))
        rows = table.select(places, step="removed").rows()
        for (row_id, (step, reason)), row in zip(gone.items(), rows, strict=True):
            yield {"split": split, "row": row_id, "step": step, "reason": reason, "values": row}
