"""As few rows as are wanted, that stand for all of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from pydantic import Field

from supertune.contracts import Columns
from supertune.data.clean.operator import Selection
from supertune.data.diverse import diverse_rows
from supertune.data.near_rows import row_texts
from supertune.data.table import Table


class Diverse(Selection):
    """The rows to learn from thinned out to as many as wanted, that say as many different things as may be.

    Likeness is that of words and characters, without a model (`supertune.data.diverse`); of a conversation what is
    asked counts. Validation and test rows stay, and labels are not looked at.
    """

    name: ClassVar[str] = "diverse"
    rows: int = Field(ge=1, description="rows that stay")

    def left_out(self, tables: Mapping[str, Table], columns: Columns) -> Mapping[str, Mapping[int, str]]:
        """See `Selection`."""
        found: dict[str, dict[int, str]] = {}
        for split, table in tables.items():
            if split in ("train", "all") and len(table) > self.rows:
                stay = diverse_rows(row_texts(table, columns), self.rows)
                out = np.setdiff1d(np.arange(len(table)), stay).tolist()
                found[split] = dict.fromkeys(out, "others stand for it")
        return found
