"""Rows to learn from that are asked about afterwards."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from supertune.contracts import Columns
from supertune.data.check.texts import group_texts
from supertune.data.clean.operator import Selection
from supertune.data.table import Table


class Leakage(Selection):
    """Rows of train whose text stands in validation or test, and rows of validation whose text stands in test.

    The later split keeps its rows, so that scores stay comparable with those of others on the same test set.
    """

    name: ClassVar[str] = "leakage"

    def left_out(self, tables: Mapping[str, Table], columns: Columns) -> Mapping[str, Mapping[int, str]]:
        """See `Selection`."""
        texts = group_texts(tables, columns)
        found: dict[str, dict[int, str]] = {}
        for split, later in (("train", ("validation", "test")), ("validation", ("test",))):
            if split not in tables:
                continue
            rows = texts.shared(split)
            out: dict[int, str] = {}
            for other in reversed([name for name in later if name in tables]):
                inside = np.isin(texts.of[split][rows], texts.of[other][texts.shared(other)])
                out |= dict.fromkeys(rows[inside].tolist(), f"its text stands in {other}")
            found[split] = out
        return found
