"""Rows that repeat another one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from supertune.contracts import Columns
from supertune.data.check.exact_duplicates import surplus_rows
from supertune.data.check.input import CheckInput
from supertune.data.clean.operator import Selection
from supertune.data.table import Table


class ExactDuplicates(Selection):
    """Rows that repeat the text and the label of an earlier row of their split; white space does not count.

    Rows of one text with different labels stay: which is right is not told by counting.
    """

    name: ClassVar[str] = "exact-duplicates"

    def left_out(self, tables: Mapping[str, Table], columns: Columns) -> Mapping[str, Mapping[int, str]]:
        """See `Selection`."""
        checked = CheckInput(tables, columns)
        return {split: dict.fromkeys(surplus_rows(checked, split)[0].tolist(), "repeats a row") for split in tables}
