"""Schedules: the learning rate of each step as a share of its peak."""

from __future__ import annotations

import math
from collections.abc import Callable

Schedule = Callable[[int], float]
"""0-based step → share of the peak rate, 0 to 1."""


def _constant(progress: float) -> float:
    return 1.0


def _linear(progress: float) -> float:
    return 1.0 - progress


def _cosine(progress: float) -> float:
    # Loshchilov and Hutter 2017 (SGDR), equation 5 without restarts.
    return 0.5 * (1.0 + math.cos(math.pi * progress))


SHAPES: dict[str, Callable[[float], float]] = {"constant": _constant, "linear": _linear, "cosine": _cosine}


def schedule(shape: str, steps: int, warmup: float) -> Schedule:
    """Climb linearly to the peak during the first ``warmup`` share of the steps, then follow ``shape``.

    The first step already learns (its rate is not 0), and so does the last.
    """
    climbing = math.ceil(steps * warmup)
    course = SHAPES[shape]

    def share(step: int) -> float:
        if step < climbing:
            return (step + 1) / (climbing + 1)
        return course((step - climbing) / max(1, steps - climbing))

    return share
