"""Texts that go round in circles, and texts that are all alike."""

from __future__ import annotations

from collections import Counter
from functools import partial

import numpy as np

from supertune.contracts import FloatArray, Outcome
from supertune.errors import UserError
from supertune.evaluate.intervals import studentised_mean
from supertune.evaluate.metric import Measured, Metric, Resampling, interval_score, signature
from supertune.evaluate.row_means import row_mean
from supertune.language import units

NGram = tuple[str, ...]
_FEW_ROWS = 50


def repetition(length: int = 4) -> Metric:
    """Mean over the texts of the share of their n-grams that the text has had before.

    seq-rep-n of Welleck et al. 2020, "Neural text generation with unlikelihood training", section 6: one minus the
    different n-grams ÷ all; 0 for a text too short to have one. Of words, of single characters of scripts without
    spaces, and of signs.
    """

    def rows(outcome: Outcome) -> FloatArray:
        found = []
        for text in outcome.outputs:
            grams = _n_grams(text, length)
            found.append(1 - len(grams) / grams.total() if grams else 0.0)
        return np.array(found, np.float64)

    return row_mean(rows, lambda _: f"seq-rep-{length}|units:words-and-characters", higher_is_better=False)


def distinct(length: int) -> Metric:
    """Different n-grams of all texts ÷ all of them: 1 where none occurs twice.

    Li et al. 2016, "A diversity-promoting objective function for neural conversation models", section 5. It falls with
    the number of texts: compare it on the same rows alone. Its interval is by the jackknife (Tukey 1958): what each
    text adds is what changes when it is left out.
    """

    def from_rows(outcome: Outcome) -> FloatArray:
        if reason := _too_short(outcome, length):
            raise UserError(reason, fix="choose another metric")
        return _added(outcome, length)

    return Metric(partial(_measure_distinct, length), from_rows=from_rows)


def _too_short(outcome: Outcome, length: int) -> str | None:
    if any(len(units(text)) >= length for text in outcome.outputs):
        return None
    return f"no text has as many as {length} words or characters"


def _measure_distinct(length: int, name: str, outcome: Outcome, resampling: Resampling) -> Measured:
    if reason := _too_short(outcome, length):
        return Measured(undefined={name: reason})
    values, n = _added(outcome, length), len(outcome)
    low, high, method = studentised_mean(values, resampling)
    warning = None
    if method == "none":
        warning = f"{n} rows, or too few different ones, give no interval"
    elif n < _FEW_ROWS:
        warning = f"interval is approximate: it rests on {n} rows"
    text = signature(name, "units:words-and-characters", interval=f"jackknife-{method}", n=n)
    score = interval_score(float(values.mean()), low, high, n=n, signature=text, warning=warning)
    return Measured({name: score})


def _added(outcome: Outcome, length: int) -> FloatArray:
    """float64 (rows,): what each text adds, with the whole ratio as their mean.

    Pseudo-values of the jackknife, freed of their bias: what is left of the ratio without the row tells its part.
    """
    each = [_n_grams(text, length) for text in outcome.outputs]
    together: Counter[NGram] = Counter()
    for grams in each:
        together.update(grams)
    every, different, n = together.total(), len(together), len(each)
    value = different / every
    if n < 2:
        return np.full(n, value)
    own = np.array([sum(together[gram] == count for gram, count in grams.items()) for grams in each], np.float64)
    left = every - np.array([grams.total() for grams in each], np.float64)
    without = np.divide(different - own, left, out=np.full(n, value), where=left > 0)
    return np.asarray(value + (n - 1) * (without.mean() - without), dtype=np.float64)


def _n_grams(text: str, length: int) -> Counter[NGram]:
    said = units(text)
    return Counter(zip(*(said[start:] for start in range(length)), strict=False))
