"""Matthews correlation coefficient."""

from __future__ import annotations

import numpy as np

from supertune.contracts import FloatArray, Outcome
from supertune.evaluate.counts import class_counts, confusion, count_warning, mcc_value, smoothed
from supertune.evaluate.intervals import effective_wilson
from supertune.evaluate.metric import Measured, Metric, Resampling, interval_score, signature


def mcc() -> Metric:
    """−1 to 1; 0 for answers that say nothing about the truth, constant ones included."""
    return Metric(_measure, from_counts=mcc_value)


def _measure(name: str, outcome: Outcome, _: Resampling) -> Measured:
    matrix = confusion(outcome)
    counts = class_counts(matrix)
    if (counts.true > 0).sum() < 2:
        return Measured(undefined={name: "all rows have the same label, so nothing can correlate with it"})
    value = float(mcc_value(counts))
    cells = smoothed(matrix)
    at = (float(mcc_value(class_counts(cells))) + 1) / 2
    low, high = effective_wilson((value + 1) / 2, _variance(cells) / 4, at)
    text = signature(name, f"classes:{int(counts.present.sum())}", interval="effective-wilson", n=len(outcome))
    score = interval_score(
        value,
        2 * low - 1,
        2 * high - 1,
        n=len(outcome),
        signature=text,
        limits=(-1.0, 1.0),
        warning=count_warning(counts, outcome.labels),
    )
    return Measured({name: score})


def _variance(cells: FloatArray) -> float:
    """Sampling variance by the delta method, from cells that are all positive off the diagonal."""
    rows = cells.sum()
    shares = cells / rows
    true, predicted = shares.sum(axis=1), shares.sum(axis=0)
    covariance = float(np.trace(shares) - true @ predicted)
    spread_predicted, spread_true = float(1 - predicted @ predicted), float(1 - true @ true)
    slope = np.eye(len(cells)) - predicted[:, None] - true[None, :]
    shrink = covariance * (predicted[None, :] / spread_predicted + true[:, None] / spread_true)
    slope = (slope + shrink) / np.sqrt(spread_predicted * spread_true)
    mean = float((shares * slope).sum())
    return float(((shares * slope**2).sum() - mean**2) / rows)
