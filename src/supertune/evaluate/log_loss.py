"""Cross-entropy of the probabilities given to the true classes."""

from __future__ import annotations

import numpy as np

from supertune.contracts import FloatArray, Outcome
from supertune.evaluate.intervals import studentised_mean
from supertune.evaluate.metric import Measured, Metric, Resampling, interval_score, signature

CLIP = 1e-15
"""Probabilities below this count as this, so that one impossible answer costs 34.5 nats and not everything."""

_FEW_ROWS = 50


def log_loss() -> Metric:
    """Mean of −ln p(true class), in nats."""
    return Metric(_measure, from_rows=row_losses, higher_is_better=False)


def row_losses(outcome: Outcome) -> FloatArray:
    """float64 (rows,): −ln of the probability given to each row's true class, rows normalised to sum to 1."""
    totals = outcome.outputs.sum(axis=1)
    given = outcome.outputs[np.arange(len(outcome)), outcome.targets]
    shares = np.divide(given, totals, out=np.zeros(len(outcome)), where=totals > 0)
    return np.asarray(-np.log(np.clip(shares, CLIP, 1.0)), dtype=np.float64)


def _measure(name: str, outcome: Outcome, resampling: Resampling) -> Measured:
    losses = row_losses(outcome)
    low, high, method = studentised_mean(losses, resampling)
    n = len(outcome)
    wrong = int((outcome.outputs.argmax(axis=1) != outcome.targets).sum())
    warning = None
    if method == "none":
        low, high = 0.0, float(-np.log(CLIP))
        warning = "too few different rows for an interval: it spans every possible value"
    elif wrong < 10 or n < _FEW_ROWS:
        warning = f"interval is approximate: it rests on {wrong} wrong answers among {n} rows"
    score = interval_score(
        float(losses.mean()),
        low,
        high,
        n=n,
        signature=signature(name, f"nats|clipped:{CLIP:g}", interval=method, n=n),
        limits=(0.0, float(-np.log(CLIP))),
        warning=warning,
    )
    return Measured({name: score})
