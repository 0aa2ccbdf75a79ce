"""Rows whose label is probably wrong."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from pydantic import Field

from supertune.data.clean.operator import Judgement
from supertune.data.label_errors import LabelErrors
from supertune.data.table import Table


class ProbablyMislabelled(Judgement):
    """Rows to learn from whose label is probably wrong, as a frozen encoder says; how many is estimated, not fixed.

    It is a model's opinion, and among what goes are rows whose label is right: this step is never among those that are
    taken by themselves. Where labels matter, decide about them one by one: ``supertune check --review``, then
    ``review``. Held-out rows stay, or scores would be about easy rows only.
    """

    name: ClassVar[str] = "label-errors"
    least: float = Field(0.0, ge=0, le=1, description="least probability of being wrong, of those on the list")

    def left_out(self, tables: Mapping[str, Table], found: LabelErrors) -> Mapping[str, Mapping[int, str]]:
        """See `Judgement`."""
        left: dict[str, dict[int, str]] = {}
        for split, table in tables.items():
            if split in ("validation", "test"):
                continue
            places = {row: place for place, row in enumerate(table.row_ids.tolist())}
            left[split] = {
                places[each.row]: "its label is probably wrong"
                for each in found.suspects
                if each.split == split and each.probability >= self.least
            }
        return left
