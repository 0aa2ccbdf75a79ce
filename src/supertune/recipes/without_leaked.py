"""Scores without the held-out rows that also stand in another split."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from supertune.contracts import Score
from supertune.data import leaked_rows
from supertune.evaluate import measure, metrics_for
from supertune.recipes.measured import WITHOUT_LEAKED, Held
from supertune.recipes.rows import LoadedRows


def without_leaked(
    rows: LoadedRows, held: Mapping[str, Held], settings: Mapping[str, int]
) -> dict[str, Mapping[str, Score]]:
    """Scores of each split that holds rows which also stand in another one, without those rows.

    Args:
        rows: The splits; those that were cut here share no rows.
        held: The model's answers.
        settings: Seed and resamples.
    """
    clean: dict[str, Mapping[str, Score]] = {}
    if not rows.given_splits:
        return clean
    for split, leaked in leaked_rows({"train": rows.splits["train"], **rows.whole}, rows.columns).items():
        if split not in held or not len(leaked):
            continue
        outcome = held[split].outcome
        kept = ~np.isin(held[split].labelled, leaked)
        if kept.any():
            rest = measure(outcome.take(kept), metrics_for(outcome.answers), **settings)
            clean[f"{split}_{WITHOUT_LEAKED}"] = rest.scores
    return clean
