"""Numbers that are probably wrong: far from what heads predict that have not seen them, and likely as any other number.

The model. A number is what heads predict plus an error with heavy tails (Student's t), or, at an unknown rate, one that
has nothing to do with its text: drawn from all the numbers there are. Scale, tails and rate are fitted by maximum
likelihood; how probably a number is of the second kind follows by Bayes' rule.

Sources: residuals of out-of-fold predictions, Zhou et al. 2023, "Detecting Errors in a Numerical Response via any
Regression Model"; a Student's t beside a broad second component, Lange et al. 1989 and Box and Tiao 1968.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from supertune.contracts import FloatArray
from supertune.data.label_errors.folds import FOLDS, KeyArray, fold_of
from supertune.data.label_errors.heads import View, number_heads
from supertune.data.label_errors.suspects import FEWEST_ROWS, Suspects, listed, rows_of, unjudged

_STRATA = 10
_HALF_CHI2 = 1.920729
_TAILS = (2.0, 60.0)
"""Degrees of freedom: with fewer the tails would be as broad as the numbers that are wrong."""
_FOR_DENSITY = 512
"""Quantiles that stand for all the numbers there are."""
_USUAL = 0.8
"""Share of the rows, those predicted best, that say how much each head counts."""


def find_number_suspects(
    views: Sequence[View],
    numbers: FloatArray,
    keys: KeyArray,
    *,
    seed: int = 0,
    done: Callable[[], None] = lambda: None,
) -> Suspects:
    """Judge every number by ridge regressions that have not seen it; see `find_suspects`.

    Args:
        views: Features of the same rows.
        numbers: (rows,) float64; NaN where there is none.
        keys: (rows,) made of the texts: copies, and near copies, have the same.
        seed: Of the folds.
        done: Called after each fold of each view.
    """
    kept = np.flatnonzero(np.isfinite(numbers))
    if len(kept) < FEWEST_ROWS or len(np.unique(keys[kept])) < FOLDS or len(np.unique(numbers[kept])) < 3:
        return unjudged(numbers)
    kept = kept[np.lexsort((numbers[kept], keys[kept]))]
    own = numbers[kept]
    strata = np.searchsorted(np.quantile(own, np.linspace(0, 1, _STRATA + 1)[1:-1]), own)
    folds = fold_of(strata, keys[kept], seed=seed)
    predicted = _pooled(number_heads([rows_of(view, kept) for view in views], own, folds, done), own)
    spread = float(own.std())
    wrong, low, high = _wrong((own - predicted) / spread, own / spread)
    suggested = numbers.copy()
    suggested[kept] = np.clip(predicted, own.min(), own.max())
    ends = (low * len(kept), high * len(kept))
    return listed(kept, wrong, suggested, np.full(len(kept), np.nan), ends, len(numbers))


def _pooled(heads: FloatArray, numbers: FloatArray) -> FloatArray:
    """One prediction of several: least squares on the rows that the heads' mean predicts best."""
    best = np.abs(heads.mean(axis=0) - numbers)
    usual = best <= np.quantile(best, _USUAL)
    columns = np.concatenate([np.ones((1, heads.shape[1])), heads]).T
    weights, *_ = np.linalg.lstsq(columns[usual], numbers[usual], rcond=None)
    return np.asarray(columns @ weights)


def _wrong(residuals: FloatArray, numbers: FloatArray) -> tuple[FloatArray, float, float]:
    """(rows,) how probably each number is wrong, and the ends of the interval of their share."""
    import scipy.optimize
    from scipy.stats import gaussian_kde, t

    # Its stubs want arrays whose number of dimensions is known.
    minimize: Any = scipy.optimize.minimize
    some = np.quantile(numbers, np.linspace(0, 1, _FOR_DENSITY))
    grid = np.linspace(some[0], some[-1], _FOR_DENSITY)
    others = np.maximum(np.interp(numbers, grid, gaussian_kde(some)(grid)), 1e-9)

    def parts(values: NDArray[np.float64], rate: float | None) -> tuple[FloatArray, FloatArray]:
        share = rate if rate is not None else 1 / (1 + math.exp(-values[2]))
        usual = t.pdf(residuals, math.exp(values[1]), scale=math.exp(values[0]))
        return (1 - share) * usual + 1e-300, share * others

    def cost(values: NDArray[np.float64], rate: float | None) -> float:
        right, wrong = parts(values, rate)
        return float(-np.log(right + wrong).sum()) / len(residuals)

    def fitted(start: NDArray[np.float64], rate: float | None = None) -> tuple[float, NDArray[np.float64]]:
        bounds = [(-12.0, 3.0), tuple(map(math.log, _TAILS)), (-12.0, 1.0)][: 3 if rate is None else 2]
        found = minimize(lambda v: cost(v, rate), start[: len(bounds)], method="L-BFGS-B", bounds=bounds)
        return float(found.fun) * len(residuals), np.asarray(found.x)

    usual = math.log(max(1e-5, 1.4826 * float(np.median(np.abs(residuals)))))
    starts = [np.array([usual, math.log(tails), math.log(rate)]) for tails in (5.0, 30.0) for rate in (0.02, 0.2)]
    least, best = min(map(fitted, starts), key=lambda each: each[0])
    right, wrong = parts(best, None)
    found = wrong / (right + wrong)
    share, ends = 1 / (1 + math.exp(-best[2])), []
    for limit in (0.0, 1.0):
        inside, outside = share, limit
        if limit == 0.0 and fitted(best, 1e-9)[0] - least <= _HALF_CHI2:
            ends.append(0.0)
            continue
        for _ in range(9):
            middle = (inside + outside) / 2
            worse = fitted(best, middle)[0] - least > _HALF_CHI2
            inside, outside = (inside, middle) if worse else (middle, outside)
        ends.append(inside)
    return np.asarray(found), ends[0], ends[1]
