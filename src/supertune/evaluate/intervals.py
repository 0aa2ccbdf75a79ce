"""95 % intervals that were chosen by simulation (benchmarks/coverage.py), not by habit.

The plain percentile bootstrap is nowhere here: it covers 70–90 % where classes are rare or answers nearly all right.
"""

from __future__ import annotations

import math

import numpy as np

from supertune.contracts import FloatArray
from supertune.evaluate.counts import divide
from supertune.evaluate.metric import Resampling

Z = 1.959963984540054
"""97.5 % point of the normal distribution."""

_LARGE = 20_000
_FEW = 20
"""Rows that differ from the rest, below which draws without any of them are no rarity."""
_CHUNK = 1 << 22


def wilson(successes: FloatArray, n: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Wilson's score interval of proportions (Wilson 1927); [0, 1] where ``n`` is 0. ``n`` need not be whole."""
    successes, n = np.asarray(successes, dtype=np.float64), np.asarray(n, dtype=np.float64)
    centre = (successes + Z * Z / 2) / (n + Z * Z)
    spread = divide(np.maximum(successes * (n - successes), 0), n) + Z * Z / 4
    half = Z * np.sqrt(spread) / (n + Z * Z)
    return np.clip(centre - half, 0, 1), np.clip(centre + half, 0, 1)


def effective_wilson(value: float, variance: float, at: float) -> tuple[float, float]:
    """Wilson's interval of a mean in [0, 1] as if it were a proportion of as many rows as its variance says.

    Args:
        value: The estimate.
        variance: Its sampling variance, > 0, computed at the smoothed value ``at``.
        at: Where in (0, 1) the variance was computed.
    """
    rows = np.asarray(at * (1 - at) / variance)
    low, high = wilson(value * rows, rows)
    return float(low), float(high)


def mover(values: FloatArray, low: FloatArray, high: FloatArray, correlation: FloatArray) -> tuple[float, float]:
    """The interval of a mean from the intervals of its parts: variance estimates recovered (Zou & Donner 2008).

    Args:
        values: float64 (parts,) the estimates.
        low: Their lower ends.
        high: Their upper ends.
        correlation: float64 (parts, parts) of the estimates.
    """
    below, above = (values - low) / len(values), (high - values) / len(values)
    mean = float(values.mean())
    return (
        mean - math.sqrt(max(float(below @ correlation @ below), 0.0)),
        mean + math.sqrt(max(float(above @ correlation @ above), 0.0)),
    )


def studentised_mean(values: FloatArray, resampling: Resampling) -> tuple[float, float, str]:
    """Interval of a mean of skewed values, such as losses, by the studentised bootstrap (Efron 1979; Hall 1988).

    Above 20,000 rows the mean is normal for all purposes and the draws would only cost time: Student's t there.

    Returns:
        Lower end, upper end, name of the method for the signature.
    """
    n = len(values)
    mean, deviation = float(values.mean()), float(values.std())
    if n < 2 or deviation <= 1e-12 * max(1.0, abs(mean)):
        return mean, mean, "none"
    if n > _LARGE:
        half = Z * deviation / np.sqrt(n - 1)
        return mean - half, mean + half, "normal"
    generator = resampling.generator()
    pivots = np.empty(resampling.resamples)
    size = max(1, _CHUNK // n)
    for start in range(0, resampling.resamples, size):
        stop = min(start + size, resampling.resamples)
        drawn = values[generator.integers(0, n, size=(stop - start, n))]
        spread = np.maximum(drawn.std(axis=1), 1e-6 * deviation)
        pivots[start:stop] = (drawn.mean(axis=1) - mean) / spread
    lower, upper = np.quantile(pivots, (0.025, 0.975))
    name = f"studentised-bootstrap-{resampling.resamples}|seed:{resampling.seed}"
    return mean - float(upper) * deviation, mean - float(lower) * deviation, name


def mean_of_shares(values: FloatArray, resampling: Resampling) -> tuple[float, float, str]:
    """Interval of a mean of values from 0 to 1: Wilson's where they are zeros and ones, else `studentised_mean`.

    Wilson's as well where fewer than 20 rows differ from the others: no values from 0 to 1 spread wider than zeros and
    ones of the same mean.

    Returns:
        Lower end, upper end, name of the method for the signature.
    """
    n = len(values)
    kinds, counts = np.unique(values, return_counts=True)
    if n - counts.max() < _FEW or set(kinds.tolist()) <= {0.0, 1.0}:
        low, high = wilson(values.sum(), np.asarray(n))
        return float(low), float(high), "wilson"
    return studentised_mean(values, resampling)


def mean_difference_of_shares(differences: FloatArray, resampling: Resampling) -> tuple[float, float, str]:
    """Interval of the mean of paired differences of values from 0 to 1.

    Bonett and Price's (2012) where all are −1, 0 or 1, as of right and wrong answers, and where fewer than 20 rows
    differ: one imagined row for either side keeps few differences from looking like certainty. Else `studentised_mean`.

    Returns:
        Lower end, upper end, name of the method for the signature.
    """
    if np.count_nonzero(differences) >= _FEW and not set(np.unique(differences).tolist()) <= {-1.0, 0.0, 1.0}:
        return studentised_mean(differences, resampling)
    n = len(differences) + 2
    mean = float(differences.sum()) / n
    half = Z * math.sqrt(max((float((differences**2).sum()) + 2) / n - mean**2, 0.0) / n)
    return max(mean - half, -1.0), min(mean + half, 1.0), "bonett-price"
