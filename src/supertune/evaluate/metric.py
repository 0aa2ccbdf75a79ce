"""What a metric is: the one seam behind which every score is computed, with its interval and its signature."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from supertune.contracts import FloatArray, IntArray, Outcome, Score

if TYPE_CHECKING:
    from supertune.evaluate.counts import ClassCounts
    from supertune.evaluate.moments import Moments

VERSION = "supertune-1"
"""Last part of every signature; the number goes up when any definition here changes."""


@dataclass(frozen=True)
class Resampling:
    """How intervals that need random draws get them."""

    seed: int = 0
    resamples: int = 2000

    def generator(self) -> np.random.Generator:
        """A fresh generator: each metric draws the same numbers whatever was computed before it."""
        return np.random.default_rng(self.seed)


@dataclass(frozen=True)
class Measured:
    """What came out of measuring.

    Attributes:
        scores: Key → score, e.g. ``f1_macro`` or ``f1/refund``.
        undefined: Key → why there is no such number for these rows, as a sentence.
    """

    scores: Mapping[str, Score] = field(default_factory=dict)
    undefined: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Metric:
    """One entry of the registry; a task is measured by every metric of its kind of answers.

    Attributes:
        measure: (name, outcome, resampling) → one key or several, each with its interval.
        from_counts: The value from true, predicted and right answers per class, over any leading axes; gives the
            value without an interval, and paired differences. None where counts do not suffice.
        from_rows: float64 (rows,) values whose mean is the metric; the same for metrics that are such means.
        rows_are_shares: True where those values lie between 0 and 1.
        from_moments: The same for metrics that are functions of a few means, see `Moments`.
        value: The value without an interval, where none of these gives it cheaply.
        higher_is_better: False for losses and errors.
    """

    measure: Callable[[str, Outcome, Resampling], Measured]
    from_counts: Callable[[ClassCounts], FloatArray] | None = None
    from_rows: Callable[[Outcome], FloatArray] | None = None
    rows_are_shares: bool = False
    from_moments: Moments | None = None
    value: Callable[[Outcome], float] | None = None
    higher_is_better: bool = True

    @property
    def in_pairs(self) -> bool:
        """Whether two outcomes of the same rows can be compared in it."""
        return any(each is not None for each in (self.from_counts, self.from_rows, self.from_moments))


def signature(name: str, *details: str, interval: str, n: int) -> str:
    """The metric's name, how it is averaged, its interval, rows and version, e.g. ``accuracy|interval:wilson|…``."""
    return "|".join((name, *details, f"interval:{interval}", f"n:{n}", VERSION))


def interval_score(
    value: float,
    low: float,
    high: float,
    *,
    n: int,
    signature: str,
    limits: tuple[float, float] = (0.0, 1.0),
    warning: str | None = None,
) -> Score:
    """A score whose interval stays within the metric's range and always holds the value itself."""
    minimum, maximum = limits
    low = min(max(low, minimum), value)
    high = max(min(high, maximum), value)
    return Score(float(value), float(low), float(high), n, signature, warning)


def predicted(outcome: Outcome) -> IntArray:
    """int64 (rows,): index of the most probable class; the first one of equals."""
    return np.asarray(np.argmax(outcome.outputs, axis=1), dtype=np.int64)
