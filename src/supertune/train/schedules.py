"""Schedules: the learning rate of each step as a share of its peak."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

Schedule = Callable[[int], float]
"""0-based step → share of the peak rate, 0 to 1."""


@dataclass(frozen=True)
class Moment:
    """Where a step after warm-up lies.

    Attributes:
        step: 0-based step of the whole training.
        climbing: Steps of warm-up.
        steps: Steps of the whole training.
        power: Exponent of the polynomial.
        decay_share: Share of all steps in which ``wsd`` falls.
    """

    step: int
    climbing: int
    steps: int
    power: float
    decay_share: float

    @property
    def progress(self) -> float:
        """Share of the steps after warm-up that are done: 0 at the first, below 1 at the last."""
        return (self.step - self.climbing) / max(1, self.steps - self.climbing)


def _constant(at: Moment) -> float:
    return 1.0


def _linear(at: Moment) -> float:
    return 1.0 - at.progress


def _cosine(at: Moment) -> float:
    # Loshchilov and Hutter 2017 (SGDR), equation 5 without restarts.
    return 0.5 * (1.0 + math.cos(math.pi * at.progress))


def _polynomial(at: Moment) -> float:
    return float((1.0 - at.progress) ** at.power)


def _inverse_sqrt(at: Moment) -> float:
    # Vaswani et al. 2017, equation 3, as a share of its peak: steps counted from 1, the peak after the warm-up.
    return math.sqrt((at.climbing + 1) / (at.step + 1))


def _wsd(at: Moment) -> float:
    # Hu et al. 2024 (MiniCPM), section 4; the linear fall is that of Hägele et al. 2024.
    falling = min(math.ceil(at.steps * at.decay_share), at.steps - at.climbing)
    return min(1.0, (at.steps - at.step) / falling) if falling else 1.0


SHAPES: Mapping[str, Callable[[Moment], float]] = {
    "linear": _linear,
    "cosine": _cosine,
    "constant": _constant,
    "polynomial": _polynomial,
    "inverse_sqrt": _inverse_sqrt,
    "wsd": _wsd,
}


def schedule(shape: str, steps: int, warmup: float, *, power: float = 2.0, decay_share: float = 0.2) -> Schedule:
    """Climb linearly to the peak during the first ``warmup`` share of the steps, then follow ``shape``.

    The first step already learns (its rate is not 0), and so does the last: the shares are those of transformers'
    schedules without the step of rate 0 that these begin and end with.

    Args:
        shape: ``linear``, ``cosine`` and ``polynomial`` fall towards 0 at the end; ``constant`` stays;
            ``inverse_sqrt`` falls with 1/√step and does not reach 0: √(W / s), where s counts steps from 1 and W is the
            first after the warm-up; ``wsd`` stays at the peak and falls linearly at the end.
        steps: Steps of the whole training.
        warmup: Share of the steps, rounded up to whole ones.
        power: ``polynomial``: (1 − progress)^power.
        decay_share: ``wsd``: share of all steps in which the rate falls, rounded up; at most those after the warm-up.
    """
    climbing = math.ceil(steps * warmup)
    course = SHAPES[shape]

    def share(step: int) -> float:
        if step < climbing:
            return (step + 1) / (climbing + 1)
        return course(Moment(step, climbing, steps, power, decay_share))

    return share
