"""How good a model is on the test rows of each of several data sets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from supertune.contracts import Score
from supertune.evaluate import measure, metrics_for
from supertune.recipes.measured import Held
from supertune.recipes.rows import LoadedRows
from supertune.recipes.sources import names_of

FROM = "test_from_"
"""What the scores of a data set's test rows are called in metrics.json, before its name."""


def by_source(
    rows: LoadedRows, held: Mapping[str, Held], settings: Mapping[str, Any]
) -> dict[str, Mapping[str, Score]]:
    """The scores of the test rows of each data set that has at least two of them."""
    column, test = rows.columns.strata, held.get("test")
    if column is None or test is None or column not in test.table.column_names:
        return {}
    said = np.array(test.table.column(column))[test.labelled]
    found: dict[str, Mapping[str, Score]] = {}
    for name in names_of(rows.sources):
        chosen = np.flatnonzero(said == name)
        if len(chosen) > 1 and len(said) == len(test.outcome):
            outcome = test.outcome.take(chosen)
            found[f"{FROM}{name}"] = measure(outcome, metrics_for(outcome.answers), **settings).scores
    return found
