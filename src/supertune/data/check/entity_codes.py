"""Entities of a text as the checks of equal texts see them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from supertune.contracts import Columns
from supertune.data.check.labels import MISSING, LabelCodes
from supertune.data.span_columns import entities_of_rows
from supertune.data.table import Table
from supertune.entity_spans import Entity


def entity_codes(splits: Mapping[str, Table], columns: Columns) -> LabelCodes:
    """Rows with the same entities in the same order have the same code, wherever white space puts them in the text."""
    known: dict[tuple[tuple[str, object], ...], int] = {}
    of = {}
    for split, table in splits.items():
        codes = np.full(len(table), MISSING, np.int32)
        for row, found in enumerate(entities_of_rows(table, columns)):
            if found.entities is not None:
                own = tuple((_folded(found.text, entity), entity.label) for entity in found.entities)
                codes[row] = known.setdefault(own, len(known))
        of[split] = codes
    return LabelCodes(tuple(str(number) for number in known.values()), of)


def _folded(text: str, entity: Entity) -> str:
    return " ".join(text[entity.start : entity.end].split())
