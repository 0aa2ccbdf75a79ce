"""How much a score changes over repeated divisions of the same rows, with an interval that knows that they overlap."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

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

    count = len(differences)
    if count < FEWEST or learned < 1 or asked < 1:
        raise ValueError(f"{count} differences, of {learned} and {asked} rows")
    values = np.asarray(differences, np.float64)
    mean = float(values.mean())
    error = math.sqrt((1 / count + asked / learned) * float(values.var(ddof=1)))
    half = float(t.ppf(0.975, count - 1)) * error
    probability = float(2 * t.sf(abs(mean) / error, count - 1)) if error else float(mean == 0)
    return RepeatedDifference(mean, mean - half, mean + half, count, probability)
