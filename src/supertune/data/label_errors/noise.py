"""How labels go wrong, estimated from the labels themselves: what turns probabilities into "this label is wrong".

The model. A text has a right label k with probability q(k | text); the label that was given is j with probability
T[k, j]. q is a log-linear pool of the heads' probabilities (a weight each, an offset for each class), T has the
diagonal's complement as the noise. All of it is fitted at once by maximum likelihood to the given labels:

    P(given j | text) = Σ_k q(k | text) T[k, j]

What separates hard texts from wrong labels is the shape: where q is unsure every label is likely enough, and where q is
sure, only T can explain another one. Off the diagonal T[k, j] ∝ exp(a + B[k, j]): one common rate, and deviations that
are drawn towards 0, so that few rows mean uniform flips and many can show which classes are taken for which.

Sources: label noise in logistic models, Bootkrajang and Kabán 2012, "Label-Noise Robust Logistic Regression";
the matrix of flips, Natarajan et al. 2013 and Northcutt et al. 2021, "Confident Learning"; logarithmic pooling, Genest
and Zidek 1986; intervals by profile likelihood, Venzon and Moolgavkar 1988.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from supertune.contracts import FloatArray, IntArray

_MOST_ROWS = 20_000
"""Rows that the model is fitted to; more would change its few numbers by less than their own error."""
_DEVIATION = 1.0
"""Standard deviation of B before anything is seen, in log-odds."""
_PULL = 1e-5
"""Weight, per row, of the pull of the heads' weights towards equal ones; next to nothing where rows can tell."""
_STARTS = (0.05, 0.3)
"""Noise rates to begin with: where the noise is one-sided, a start too low ends at none."""
_STEPS = 150
_FARTHEST = 26.0
"""Log-odds from where a begins to where the noise is everything, or nothing."""
_HEARD = 0.2
"""Share of all weight from which a head's own estimate is in the interval."""
_HALF_CHI2 = 1.920729
"""Half the 95 % point of χ² with one degree of freedom."""


@dataclass(frozen=True)
class NoiseModel:
    """What was learned of how labels go wrong.

    Attributes:
        right: Float64 (rows, classes): the probability that each class is the right one, given text and label.
        flips: Float64 (classes, classes): the share of each class's rows (first index) that were given each label.
        weights: Float64 (heads,): how much each head counts.
        rate: The share of labels that are wrong.
        low: Lower end of its 95 % interval.
        high: Upper end.
    """

    right: FloatArray
    flips: FloatArray
    weights: FloatArray
    rate: float
    low: float
    high: float


def fit_noise(heads: FloatArray, labels: IntArray, *, seed: int, interval: bool = True) -> NoiseModel:
    """Fit the model to what heads say of rows that they have not learned from.

    The interval spans what the number of rows leaves open, for the pool and for each head that counts in it alone:
    where heads disagree the rate is known less well than any of them claims. That flips may be of another kind than T
    is not in it.

    Args:
        heads: (heads, rows, classes) natural logarithms of out-of-fold probabilities.
        labels: (rows,) the given labels, 0 to classes - 1.
        seed: Draws the rows that are fitted to, where there are more than 20,000.
        interval: Look for its ends, which takes longer than the fit; else they are 0 and 1.
    """
    centred = heads - heads.mean(axis=2, keepdims=True)
    fitted = np.arange(len(labels))
    if len(labels) > _MOST_ROWS:
        fitted = np.sort(np.random.default_rng(seed).permutation(len(labels))[:_MOST_ROWS])
    problem = _Problem(centred[:, fitted], labels[fitted])
    found = min((problem.fit(problem.start(rate)) for rate in _STARTS), key=lambda each: each[0])
    weights = found[1][: len(heads)]
    ends = [_interval(problem, *found)] if interval else [(0.0, 1.0)]
    if interval and len(heads) > 1:
        trusted = np.flatnonzero(weights > _HEARD * weights.sum())
        ends += [_alone(centred[[head]][:, fitted], labels[fitted]) for head in trusted.tolist()]
    right, rate = _Problem(centred, labels).right(found[1])
    low, high = min(low for low, _ in ends), max(high for _, high in ends)
    return NoiseModel(right, problem.flips(found[1]), weights, rate, min(low, rate), max(high, rate))


def _alone(heads: FloatArray, labels: IntArray) -> tuple[float, float]:
    """The interval that one head would give by itself."""
    problem = _Problem(heads, labels)
    return _interval(problem, *min((problem.fit(problem.start(rate)) for rate in _STARTS), key=lambda each: each[0]))


class _Problem:
    """The likelihood and its gradient. In one vector: weights, offsets but for the first, a, and B row by row."""

    def __init__(self, heads: FloatArray, labels: IntArray) -> None:
        self.heads, self.labels = heads, labels
        self.rows, self.classes = heads.shape[1:]
        self.given = np.zeros((self.rows, self.classes))
        self.given[np.arange(self.rows), labels] = 1.0
        self.off = ~np.eye(self.classes, dtype=bool)
        self.ends = np.cumsum([len(heads), self.classes - 1, 1])

    def start(self, rate: float) -> FloatArray:
        """Equal weights and uniform flips."""
        a = math.log(rate / (1 - rate) / (self.classes - 1))
        deviations = np.zeros(self.classes * (self.classes - 1))
        equal = np.full(len(self.heads), 1.0 / len(self.heads))
        return np.concatenate([equal, np.zeros(self.classes - 1), [a], deviations])

    def flips(self, values: FloatArray) -> FloatArray:
        """T, rows summing to 1."""
        logits = np.zeros((self.classes, self.classes))
        logits[self.off] = values[self.ends[1]] + values[self.ends[2] :]
        odds = np.exp(logits - logits.max(axis=1, keepdims=True))
        return np.asarray(odds / odds.sum(axis=1, keepdims=True))

    def right(self, values: FloatArray) -> tuple[FloatArray, float]:
        """(rows, classes) which class is right, given the text and its label; and the share of labels that are not."""
        joint = self._pooled(values) * self.flips(values)[:, self.labels].T
        right = joint / joint.sum(axis=1, keepdims=True)
        return right, float(1.0 - right[np.arange(self.rows), self.labels].mean())

    def fit(self, start: FloatArray, *, shift: float | None = None, steps: int = _STEPS) -> tuple[float, FloatArray]:
        """The least −log posterior and where it is.

        Args:
            start: Where to begin.
            shift: With it, a is ``start``'s plus this and B is ``start``'s; only the pool is fitted. −∞ is no noise.
            steps: The most steps to take.
        """
        import scipy.optimize

        # Its stubs want arrays whose number of dimensions is known.
        minimize: Any = scipy.optimize.minimize
        free = len(start) if shift is None else int(self.ends[1])
        fixed = start.copy()
        if shift is not None:
            fixed[self.ends[1]] += shift

        def cost(some: FloatArray) -> tuple[float, FloatArray]:
            value, gradient = self._cost(np.concatenate([some, fixed[free:]]))
            return value / self.rows, gradient[:free] / self.rows

        bounds = [(0.0, 20.0)] * len(self.heads) + [(-10.0, 10.0)] * (self.classes - 1)
        bounds += [(-15.0, 1.0), *[(-8.0, 8.0)] * (len(start) - int(self.ends[2]))]
        options = {"maxiter": steps, "ftol": 1e-10, "gtol": 1e-7}
        found = minimize(cost, start[:free], jac=True, method="L-BFGS-B", bounds=bounds[:free], options=options)
        return float(found.fun) * self.rows, np.concatenate([found.x, fixed[free:]])

    def _pooled(self, values: FloatArray) -> FloatArray:
        offsets = np.concatenate([[0.0], values[self.ends[0] : self.ends[1]]])
        logits = np.tensordot(values[: self.ends[0]], self.heads, 1) + offsets
        odds = np.exp(logits - logits.max(axis=1, keepdims=True))
        return np.asarray(odds / odds.sum(axis=1, keepdims=True))

    def _cost(self, values: FloatArray) -> tuple[float, FloatArray]:
        weights, deviations = values[: self.ends[0]], values[self.ends[2] :]
        pooled, flips = self._pooled(values), self.flips(values)
        joint = pooled * flips[:, self.labels].T
        likelihood = joint.sum(axis=1)
        right = joint / likelihood[:, None]
        apart, pull = weights - 1.0 / len(weights), _PULL * self.rows
        cost = -np.log(likelihood).sum() + 0.5 * pull * (apart**2).sum()
        cost += 0.5 * ((deviations / _DEVIATION) ** 2).sum()
        of_logits = pooled - right
        counts = right.T @ self.given
        of_flips = (counts.sum(axis=1)[:, None] * flips - counts)[self.off]
        gradient = np.concatenate(
            [
                np.tensordot(self.heads, of_logits, 2) + pull * apart,
                of_logits.sum(axis=0)[1:],
                [of_flips.sum()],
                of_flips + deviations / _DEVIATION**2,
            ]
        )
        return float(cost), gradient


def _interval(problem: _Problem, cost: float, values: FloatArray) -> tuple[float, float]:
    """The rates at which the likelihood is e^-1.92 of its highest, by halving steps of a; 0 where none is below."""

    def above(shift: float) -> tuple[bool, float]:
        worse, fitted = problem.fit(values, shift=shift, steps=40)
        return worse - cost > _HALF_CHI2, problem.right(fitted)[1]

    ends = []
    for sign in (-1.0, 1.0):
        step, inside, outside = 0.1, 0.0, math.inf
        while outside == math.inf and step < _FARTHEST:
            if above(sign * step)[0]:
                outside = step
            else:
                inside, step = step, step * 2
        if outside == math.inf:
            ends.append(0.0 if sign < 0 else 1.0)
            continue
        for _ in range(5):
            middle = (inside + outside) / 2
            inside, outside = (inside, middle) if above(sign * middle)[0] else (middle, outside)
        ends.append(above(sign * inside)[1])
    return ends[0], ends[1]
