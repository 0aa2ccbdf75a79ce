"""Area under the ROC curve: how often a row of a class is ranked above a row of another."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from supertune.contracts import FloatArray, Outcome
from supertune.evaluate.intervals import Z, mover
from supertune.evaluate.metric import Measured, Metric, Resampling, interval_score, signature

_PRIOR_ROWS = 20
"""Rows of the rarer side that the variance formula counts as, beside what was observed (coverage.py)."""

_NEARLY_PERFECT = 0.98
_MANY_ROWS = 1_000

_GRID = np.unique(np.concatenate([np.linspace(0, 1, 2001), 1 - np.geomspace(1e-9, 0.5, 2000)]))


@dataclass(frozen=True)
class _Area:
    """One class against the rest: the area, each row's influence on it, and its score interval."""

    value: float
    influence: FloatArray
    low: float
    high: float


def auroc() -> Metric:
    """Binary: of the second class. More classes: the plain mean of each against the rest, absent ones left out."""
    return Metric(_measure)


def _measure(name: str, outcome: Outcome, _: Resampling) -> Measured:
    k = len(outcome.labels)
    present = np.unique(outcome.targets)
    if len(present) < 2:
        return Measured(undefined={name: "all rows have the same label, so there is nothing to rank"})
    classes = np.array([1]) if k == 2 else present
    areas = [_area(outcome.outputs[:, index], outcome.targets == index) for index in classes]
    low, high = _interval(areas)
    how = "binary" if k == 2 else f"one-vs-rest-macro|classes:{len(classes)}-of-{k}"
    absent = [label for index, label in enumerate(outcome.labels) if index not in set(present.tolist())]
    value = float(np.mean([area.value for area in areas]))
    score = interval_score(
        value,
        low,
        high,
        n=len(outcome),
        signature=signature(name, how, interval="delong-logit+hanley-mcneil-score", n=len(outcome)),
        warning=_warning(value, len(outcome), absent),
    )
    return Measured({name: score})


def _warning(value: float, n: int, absent: list[str]) -> str | None:
    if absent:
        return f"left out, because no row has the label: {', '.join(map(repr, absent))}"
    if value > _NEARLY_PERFECT and n < _MANY_ROWS:
        return "interval is cautious: it covers about 98 %, as so few rows are ranked wrongly"
    return None


def _area(scores: FloatArray, positive: NDArray[np.bool_]) -> _Area:
    """Mann–Whitney statistic with the influence of each row on it (DeLong et al. 1988)."""
    from scipy.stats import rankdata

    inside, outside = int(positive.sum()), int((~positive).sum())
    ranks = rankdata(scores)
    above = (ranks[positive] - rankdata(scores[positive])) / outside
    below = 1 - (ranks[~positive] - rankdata(scores[~positive])) / inside
    value = float(above.mean())
    influence = np.empty(len(scores))
    influence[positive] = (above - value) / np.sqrt(inside * max(inside - 1, 1))
    influence[~positive] = (below - value) / np.sqrt(outside * max(outside - 1, 1))
    low, high = _score_interval(value, float(influence @ influence), inside, outside)
    return _Area(value, influence, low, high)


def _hanley_mcneil(area: FloatArray, inside: int, outside: int) -> FloatArray:
    """Variance of an area with this true value, between its possible shapes (Newcombe 2006, method 5)."""
    excess = (inside + outside) / 2 - 1
    spread = area * (1 - area) / (inside * outside)
    return np.asarray(spread * (1 + excess * ((1 - area) / (2 - area) + area / (1 + area))))


def _score_interval(value: float, observed: float, inside: int, outside: int) -> tuple[float, float]:
    """All true areas whose deviation from ``value`` is within chance; never degenerate, even at 1.

    The variance at each true area is Hanley and McNeil's, scaled towards the observed one in so far as the rarer
    side has rows to observe it with.
    """
    rarer = min(inside, outside)
    inner = np.asarray((value * rarer + 0.5) / (rarer + 1))
    ratio = min(observed / float(_hanley_mcneil(inner, inside, outside)), 4.0)
    scale = (rarer * ratio + _PRIOR_ROWS) / (rarer + _PRIOR_ROWS)
    near = np.abs(_GRID - value) <= Z * np.sqrt(scale * _hanley_mcneil(_GRID, inside, outside))
    within = _GRID[near]
    return (min(float(within[0]), value), max(float(within[-1]), value)) if len(within) else (value, value)


def _interval(areas: list[_Area]) -> tuple[float, float]:
    """The wider at each end of the score intervals combined and DeLong's interval of the mean on the logit scale."""
    values = np.array([area.value for area in areas])
    influence = np.array([area.influence for area in areas])
    covariance = influence @ influence.T
    deviation = np.sqrt(np.diag(covariance))
    scale = np.outer(deviation, deviation)
    correlation = np.divide(covariance, scale, out=np.zeros_like(covariance), where=scale > 0)
    np.fill_diagonal(correlation, 1.0)
    low, high = mover(
        values,
        np.array([area.low for area in areas]),
        np.array([area.high for area in areas]),
        correlation,
    )
    mean, variance = float(values.mean()), float(covariance.mean())
    if variance > 0 and 0 < mean < 1:
        half = Z * np.sqrt(variance) / (mean * (1 - mean))
        centre = np.log(mean / (1 - mean))
        low = min(low, float(1 / (1 + np.exp(-(centre - half)))))
        high = max(high, float(1 / (1 + np.exp(-(centre + half)))))
    return low, high
