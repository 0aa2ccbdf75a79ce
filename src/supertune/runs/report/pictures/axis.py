"""Axes: a range of values, round ticks on it, and where a value lies on the picture."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

_STEPS = (1.0, 2.0, 5.0, 10.0)

# Values closer than this, relative to their size, are equal for an axis: ticks between them would coincide.
_SAME = 1e-9
_TINY = 1e-290


@dataclass(frozen=True)
class Axis:
    """Values ``low`` to ``high`` laid on coordinates ``start`` to ``end``, with its ticks.

    Attributes:
        percent: Tick labels are written in per cent.
    """

    low: float
    high: float
    start: float
    end: float
    ticks: tuple[float, ...]
    percent: bool = False

    def at(self, value: float) -> float:
        """The coordinate of a value; values outside the range lie on its end."""
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return self.start + share * (self.end - self.start)

    def tick_labels(self) -> tuple[str, ...]:
        """The ticks as text, with the same number of decimals."""
        return tick_labels(self.ticks, percent=self.percent)

    def laid(self, start: float, end: float) -> Axis:
        """The same axis on other coordinates."""
        return Axis(self.low, self.high, start, end, self.ticks, self.percent)


def axis_for(
    values: Iterable[float],
    *,
    fixed: tuple[float, float] | None = None,
    count: int = 5,
    from_zero: bool = False,
    percent: bool = False,
    tight: bool = False,
) -> Axis | None:
    """An axis that holds all finite values, its ends on ticks unless ``fixed`` or ``tight``.

    None when there is no finite value. A single value, or many equal ones, get room on both sides.
    """
    finite = [float(value) for value in values if math.isfinite(value)]
    if fixed is not None and all(map(math.isfinite, fixed)) and fixed[0] < fixed[1]:
        low, high = fixed
        tight = True
    elif finite:
        low, high = min(finite), max(finite)
        low = min(low, 0.0) if from_zero else low
    else:
        return None
    if high - low <= _SAME * max(abs(low), abs(high)) or high - low < _TINY:
        room = abs(low) / 10 if abs(low) > _TINY else 1.0
        low, high, tight = low - room, high + room, False
    whole = bool(finite) and all(value == round(value) for value in finite)
    step = _step(low, high, count, whole=whole and not percent)
    first, last = (math.ceil, math.floor) if tight else (math.floor, math.ceil)
    # A little slack: 0.3 / 0.1 is not 3 in floating point.
    begin, end = first(low / step + (-1e-9 if tight else 1e-9)), last(high / step + (1e-9 if tight else -1e-9))
    digits = 3 - math.floor(math.log10(step))
    ticks = tuple(round(number * step, digits) + 0.0 for number in range(begin, end + 1))
    if not tight:
        low, high = ticks[0], ticks[-1]
    return Axis(low, high, 0.0, 1.0, ticks, percent)


def _step(low: float, high: float, count: int, *, whole: bool) -> float:
    rough = (high - low) / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next((power * step for step in _STEPS if power * step >= rough * (1 - 1e-9)), power * 10)
    return max(1.0, step) if whole else step


def tick_labels(ticks: tuple[float, ...], *, percent: bool = False) -> tuple[str, ...]:
    """Ticks as short text: 0.2 0.4, 1k 2k, 1e-05."""
    if percent:
        return tuple(f"{_decimal(100 * tick, _decimals([100 * t for t in ticks]))} %" for tick in ticks)
    largest = max((abs(tick) for tick in ticks), default=0.0)
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if largest >= size:
            scale = 1e3 if unit == "k" else size
            scaled = [tick / scale for tick in ticks]
            return tuple(_decimal(tick, _decimals(scaled)) + (unit if tick else "") for tick in scaled)
    if 0 < largest < 1e-3:
        return tuple(f"{tick:.3g}".replace("-", "−", 1) if tick < 0 else f"{tick:.3g}" for tick in ticks)
    return tuple(_decimal(tick, _decimals(ticks)) for tick in ticks)


def _decimals(ticks: Iterable[float]) -> int:
    values = list(ticks)
    return next((digits for digits in range(7) if all(abs(round(v, digits) - v) < 1e-7 for v in values)), 6)


def _decimal(value: float, decimals: int) -> str:
    return f"{value:.{decimals}f}".replace("-", "−")


def short(value: float) -> str:
    """A value for a tooltip: four digits that matter."""
    if not math.isfinite(value):
        return "–"
    return f"{value:,.0f}" if value == round(value) and abs(value) < 1e15 else f"{value:.4g}".replace("-", "−", 1)
