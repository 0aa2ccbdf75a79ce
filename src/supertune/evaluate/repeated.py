"""How much a score changes over repeated divisions of the same rows, with an interval that knows that they overlap."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from supertune.contracts import FloatArray, Score

FEWEST = 2
"""Divisions below which nothing can be said of how much they differ."""


@dataclass(frozen=True)
class RepeatedDifference:
    """A mean of paired differences.

    Attributes:
        value: Their mean.
        low: Lower end of the 95 % interval.
        high: Its upper end.
        n: How many there are.
        probability: That differences as large come about where there is none (two-sided).
    """

    value: float
    low: float
    high: float
    n: int
    probability: float

    def as_dict(self) -> dict[str, float]:
        """As JSON."""
        return {
            "value": self.value,
            "low": self.low,
            "high": self.high,
            "n": self.n,
            "probability": self.probability,
        }


def repeated_difference(differences: Sequence[float], learned: int, asked: int) -> RepeatedDifference:
    """The mean difference of two ways that were trained and scored on the same repeated divisions of the same rows.

    What is learned from in two divisions overlaps, so that differences are not independent, and the usual t interval is
    too narrow. The corrected resampled t-test widens it: the variance of the mean is ``(1/J + asked/learned) s²``
    instead of ``s²/J`` (Nadeau & Bengio 2003, Inference for the Generalization Error, eq. 13).

    Args:
        differences: One for each division.
        learned: Rows that are learned from in a division.
        asked: Rows that are scored in it.

    Raises:
        ValueError: There are fewer than two, or no rows.
    """
    from scipy.stats import t

    values = np.asarray(differences, np.float64)
    mean, error, half = _corrected(values, learned, asked)
    probability = float(2 * t.sf(abs(mean) / error, len(values) - 1)) if error else float(mean == 0)
    return RepeatedDifference(mean, mean - half, mean + half, len(values), probability)


def repeated_score(
    name: str, values: Sequence[float], learned: int, asked: int, *, rows: int, bounded: bool = False
) -> Score:
    """The mean of a metric over repeated divisions or folds, with the interval of the corrected resampled t-test.

    It is about models that learn from ``learned`` rows: one that learns from all is a little better. For folds the
    correction is a rule of thumb that was found to hold (Bouckaert & Frank 2004, Evaluating the Replicability of
    Significance Tests): there is no unbiased estimate of how much such a mean varies (Bengio & Grandvalet 2004).

    Args:
        name: The metric.
        values: One for each division.
        learned: Rows that are learned from in a division.
        asked: Rows that are scored in it.
        rows: Rows that were scored in all of them, each once.
        bounded: The metric lies between 0 and 1, and so do the ends of its interval.

    Raises:
        ValueError: There are fewer than two, or no rows.
    """
    mean, _, half = _corrected(np.asarray(values, np.float64), learned, asked)
    low, high = mean - half, mean + half
    if bounded:
        low, high = max(low, 0.0), min(high, 1.0)
    signature = f"{name}|mean-of:{len(values)}|ci:corrected-resampled-t-95|learned:{learned}|asked:{asked}|v1"
    same = "every part came to the same value: how much it varies is not known" if half == 0 else None
    return Score(mean, low, high, rows, signature, same)


def _corrected(values: FloatArray, learned: int, asked: int) -> tuple[float, float, float]:
    """Mean, its standard error (Nadeau & Bengio), and half the width of its 95 % interval."""
    from scipy.stats import t

    count = len(values)
    if count < FEWEST or learned < 1 or asked < 1:
        raise ValueError(f"{count} values, of {learned} and {asked} rows")
    error = math.sqrt((1 / count + asked / learned) * float(values.var(ddof=1)))
    return float(values.mean()), error, float(t.ppf(0.975, count - 1)) * error
