"""Rows that say nearly the same as another one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from supertune.contracts import Columns, IntArray
from supertune.data.check.input import CheckInput
from supertune.data.clean.operator import Selection
from supertune.data.near_duplicates import ALONE, THRESHOLD, Keep, disputed_clusters, surplus_rows
from supertune.data.near_rows import NearRows, near_rows
from supertune.data.table import Table

_LATER = {"train": ("validation", "test"), "validation": ("test",)}


class NearDuplicates(Selection):
    """Rows whose text is nearly that of another row: one of each cluster stays.

    How alike texts are is told by the Jaccard similarity of their shingles, exactly. Where rows of a cluster have
    different labels, all of them stay unless something else is chosen: a small difference may be what the label is
    about. Rows to learn from that are nearly the same as held-out ones go, whatever their labels.
    """

    name: ClassVar[str] = "near-duplicates"
    threshold: float = Field(THRESHOLD, ge=0.5, le=1, description="least similarity, 0.5 to 1")
    keep: Keep = Field("first", description="which row of a cluster stays")
    disputed: Literal["keep", "thin", "drop"] = Field(
        "keep", description="clusters of different labels: all rows stay, one does, or none"
    )
    across: bool = Field(True, description="also rows to learn from that are nearly the same as held-out ones")

    def left_out(self, tables: Mapping[str, Table], columns: Columns) -> Mapping[str, Mapping[int, str]]:
        """See `Selection`."""
        near = near_rows(tables, columns, threshold=self.threshold)
        labels = CheckInput(tables, columns).labels.of
        found: dict[str, dict[int, str]] = {}
        for split, table in tables.items():
            out = self._surplus(near.of[split], labels[split].astype(np.int64), table, columns)
            found[split] = out | (_beside(near, split) if self.across else {})
        return found

    def _surplus(self, clusters: IntArray, labels: IntArray, table: Table, columns: Columns) -> dict[int, str]:
        disputed = np.isin(clusters, disputed_clusters(clusters, labels)) & (clusters != ALONE)
        agreed = clusters if self.disputed == "thin" else np.where(disputed, ALONE, clusters)
        texts = list(table.texts(columns.text)) if self.keep == "longest" else None
        rows = surplus_rows(agreed, keep=self.keep, texts=texts, table=table, labels=labels)
        out = dict.fromkeys(rows.tolist(), "nearly the same as another row")
        if self.disputed == "drop":
            out |= dict.fromkeys(np.flatnonzero(disputed).tolist(), "nearly the same as a row of another label")
        return out


def _beside(near: NearRows, split: str) -> dict[int, str]:
    """Rows that are nearly the same as one of a later split."""
    out: dict[int, str] = {}
    for other in reversed([name for name in _LATER.get(split, ()) if name in near.of]):
        known = np.setdiff1d(near.of[other], [ALONE])
        rows = np.flatnonzero(np.isin(near.of[split], known))
        out |= dict.fromkeys(rows.tolist(), f"nearly the same as a row of {other}")
    return out
