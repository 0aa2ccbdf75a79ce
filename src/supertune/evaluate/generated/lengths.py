"""How long texts are beside their references, whether they say anything, and whether they came to an end."""

from __future__ import annotations

from functools import partial

import numpy as np

from supertune.contracts import FloatArray, Outcome
from supertune.evaluate.generated.ratios import ratio
from supertune.evaluate.metric import Metric
from supertune.evaluate.row_means import row_mean
from supertune.language import is_blank, units

RUN_ON = "length"
"""How a text ended that was cut off for its length."""


def length_ratio() -> Metric:
    """Characters of scripts without spaces, words of others and signs of all texts ÷ those of their references.

    Of several references the one nearest in length, as in BLEU (Papineni et al. 2002), the shorter of equals. Best
    is 1: neither way is better.
    """
    return ratio(_lengths, "units:words-and-characters", impossible=_no_reference)


def empty() -> Metric:
    """Share of rows whose text says nothing that can be seen."""

    def rows(outcome: Outcome) -> FloatArray:
        return np.array([is_blank(text) for text in outcome.outputs], np.float64)

    return row_mean(rows, lambda _: "blank", higher_is_better=False)


def run_on() -> Metric:
    """Share of rows whose text was cut off because it came to no end."""

    def rows(outcome: Outcome) -> FloatArray:
        assert outcome.ended is not None
        return np.asarray(outcome.ended == RUN_ON, dtype=np.float64)

    return row_mean(rows, lambda _: "ended:length", impossible=_unknown_end, higher_is_better=False)


def _unknown_end(outcome: Outcome) -> str | None:
    return "it is not known how the texts ended" if outcome.ended is None else None


def _lengths(outcome: Outcome) -> FloatArray:
    """float64 (rows, 2): of each text, and of the reference nearest to it."""
    pairs = zip(outcome.targets, outcome.outputs, strict=True)
    return np.array([_one(references, text) for references, text in pairs], np.float64)


def _one(references: tuple[str, ...], text: str) -> tuple[int, int]:
    given = len(units(text))
    return given, min((len(units(reference)) for reference in references), key=partial(_far, given))


def _far(given: int, wanted: int) -> tuple[int, int]:
    return abs(given - wanted), wanted


def _no_reference(outcome: Outcome) -> str | None:
    if _lengths(outcome)[:, 1].any():
        return None
    return "the references are empty, and no length can be compared with theirs"
