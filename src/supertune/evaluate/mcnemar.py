"""Whether two models differ in how many of the same rows they get right, and many such tests at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class McNemar:
    """Rows that only one of two models gets right.

    Attributes:
        first: How many only the first gets right.
        second: How many only the second gets right.
        exact: Two-sided probability of so uneven a division of them by luck. Never above its level, and far below it
            where they are few.
        mid_p: The same with the division itself counted half: closer to its level, and hardly ever above
            (Fagerland, Lydersen and Laake 2013, The McNemar test for binary matched-pairs data).
    """

    first: int
    second: int
    exact: float
    mid_p: float


def mcnemar(first: int, second: int) -> McNemar:
    """The exact test and its mid-p form.

    Args:
        first: Rows that only the first model gets right.
        second: Rows that only the second gets right.
    """
    from scipy.stats import binom

    if first == second:
        return McNemar(first, second, 1.0, 1.0)
    count, fewer = first + second, min(first, second)
    tail, at = float(binom.cdf(fewer, count, 0.5)), float(binom.pmf(fewer, count, 0.5))
    return McNemar(first, second, 2 * tail, 2 * tail - at)


def holm(probabilities: Sequence[float]) -> list[float]:
    """Each probability as it stands among all: at level α at most α of such families hold a false alarm.

    Step-down (Holm 1979): the smallest counts as often as there are, the next one time less, and so on.
    """
    order = np.argsort(probabilities, kind="stable")
    adjusted = np.empty(len(probabilities))
    most = 0.0
    for rank, place in enumerate(order):
        most = max(most, min(1.0, (len(probabilities) - rank) * probabilities[place]))
        adjusted[place] = most
    return [float(value) for value in adjusted]
