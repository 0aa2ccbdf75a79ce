"""Learning-rate range test: train a few steps while the rate grows, and choose a rate from how the loss went.

Source: Smith 2017, "Cyclical learning rates for training neural networks", section 3.3, in the reading of Gugger 2018,
"How do you find a good learning rate", which fastai follows: the loss is averaged exponentially, the test stops when
the average passes four times its best, and the rate is a tenth of that with the lowest loss.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_DIVERGED = 4.0
"""The test is over when the averaged loss is this many times its best (Gugger 2018)."""

_WINDOW = 0.1
"""Share of the curve that an average reaches over: 0.7 decades of the usual seven."""

_SURE = 6.0
"""A fall must be this many standard errors of an averaged loss, which curves of noise alone hardly ever reach,"""

_LEAST = 0.01
"""and this share of the loss it began at."""


@dataclass(frozen=True)
class Suggestion:
    """A learning rate, and why.

    Attributes:
        rate: None where the curve does not tell.
        reason: One sentence for the user.
    """

    rate: float | None
    reason: str


@dataclass(frozen=True)
class RangeTest:
    """What a range test found.

    Attributes:
        rates: Those tried, rising.
        losses: The loss at each of them, before its update; the last may be infinite.
        suggestion: What follows.
    """

    rates: tuple[float, ...]
    losses: tuple[float, ...]
    suggestion: Suggestion


def range_test(step: Callable[[float], float], low: float = 1e-7, high: float = 1.0, steps: int = 100) -> RangeTest:
    """Try rates from ``low`` to ``high``, one training step each, until the loss explodes.

    It changes what it trains: call it on a model, optimizer and batches that are put back afterwards.

    Args:
        step: Takes one training step at a rate and returns the loss. A FloatingPointError or a loss that is not finite
            ends the test.
        low: First rate.
        high: Last rate.
        steps: Rates to try, evenly spaced on a logarithmic scale.
    """
    rates: list[float] = []
    losses: list[float] = []
    watch = _Watch(steps)
    for rate in range_rates(low, high, steps):
        try:
            loss = step(rate)
        except FloatingPointError:
            loss = math.inf
        rates.append(rate)
        losses.append(loss)
        if watch.diverged(loss):
            break
    return RangeTest(tuple(rates), tuple(losses), suggest_rate(rates, losses, steps))


def range_rates(low: float, high: float, steps: int) -> list[float]:
    """``steps`` rates from ``low`` to ``high``, each the same factor above the one before."""
    return [float(rate) for rate in np.geomspace(low, high, steps)]


class _Watch:
    """Tells when the exponential average of the losses, freed of its bias towards zero, has passed 4 times its best."""

    def __init__(self, steps: int) -> None:
        self._keep = _smoothing(steps)
        self._sum = self._weight = 0.0
        self._best = math.inf

    def diverged(self, loss: float) -> bool:
        if not math.isfinite(loss):
            return True
        self._sum = self._keep * self._sum + (1 - self._keep) * loss
        self._weight = self._keep * self._weight + (1 - self._keep)
        average = self._sum / self._weight
        self._best = min(self._best, average)
        return average > _DIVERGED * self._best


def _smoothing(steps: int) -> float:
    """Factor of the exponential average: a window of a tenth of all steps, at least two."""
    return 1.0 - 1.0 / max(2.0, _WINDOW * steps)


def suggest_rate(rates: Sequence[float], losses: Sequence[float], steps: int | None = None) -> Suggestion:
    """The rate that a curve of losses over rising rates speaks for.

    The curve is averaged on both sides, so that averaging does not move it, up to where it explodes. Two rules are in
    use: the rate at which the loss falls fastest, and a tenth of the rate at which it is lowest. Both say how far one
    may go, so that the lower one is taken.

    Args:
        rates: Rising, evenly spaced on a logarithmic scale.
        losses: Loss at each rate, before its update.
        steps: Rates that would have been tried, had the test not stopped; None for those given.

    Returns:
        The rate, or None where the loss does not fall by clearly more than it scatters.
    """
    planned = steps or len(rates)
    watch = _Watch(planned)
    end = next((at for at, loss in enumerate(losses) if watch.diverged(loss)), len(losses))
    if end < 3:
        return Suggestion(None, f"the loss explodes at the lowest rates, by {rates[max(0, end - 1)]:.1e}")
    kept = np.asarray(losses[:end], dtype=np.float64)
    keep = _smoothing(planned)
    # What lies above where the curve began only says that it diverges; averaged in full it would hide the fall before.
    begin = kept[: math.ceil(_WINDOW * planned)]
    smooth = _smoothed(np.minimum(kept, begin.max()), keep)
    lowest = int(smooth.argmin())
    fall = float(smooth[0] - smooth[lowest])
    if lowest == 0 or fall <= max(_SURE * _standard_error(kept, keep), _LEAST * smooth[0]):
        return Suggestion(None, "the loss does not fall by more than it scatters, at any rate")
    slopes = np.gradient(smooth, np.log(np.asarray(rates[:end])))
    steepest = int(slopes[: lowest + 1].argmin())
    rate = min(rates[steepest], rates[lowest] / 10)
    ending = "lowest" if lowest < end - 1 else "still falling"
    return Suggestion(
        rate,
        f"the loss fell fastest at {rates[steepest]:.1e} and was {ending} at {rates[lowest]:.1e}; "
        f"the lower of the first and a tenth of the second is {rate:.1e}",
    )


def _smoothed(losses: NDArray[np.float64], keep: float) -> NDArray[np.float64]:
    """The exponential average over both sides: weights keep^distance, divided by their sum."""
    positions = np.arange(len(losses))
    weights = keep ** np.abs(positions[:, None] - positions)
    averages: NDArray[np.float64] = weights @ losses / weights.sum(axis=1)
    return averages


def _standard_error(losses: NDArray[np.float64], keep: float) -> float:
    """Standard deviation of an averaged loss at an end of the curve, from the median of second differences.

    Second differences of a smooth curve are nearly 0, so that its course does not count; the median ignores its end.
    """
    # A second difference of independent values has 6 times their variance; 0.6745 turns a median into a deviation.
    deviation = float(np.median(np.abs(np.diff(losses, 2)))) / (0.6745 * math.sqrt(6))
    return deviation * math.sqrt((1 - keep) / (1 + keep))
