"""Metrics that are one sum over the rows divided by another: lengths, and losses per token or character."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from supertune.contracts import FloatArray, Outcome
from supertune.errors import UserError
from supertune.evaluate.metric import Measured, Metric, Resampling, interval_score, signature
from supertune.evaluate.moments import Moments, doubt, influence, studentised

_LEAST = 1e-12
"""Ratios are at least this when their logarithm is taken."""
_MOST = 700.0
"""Largest power of e that is a number."""


def ratio(
    rows: Callable[[Outcome], FloatArray],
    detail: str,
    *,
    impossible: Callable[[Outcome], str | None] = lambda _: None,
    raised: bool = False,
    higher_is_better: bool = True,
) -> Metric:
    """The metric that is a ratio of two sums, with a studentised bootstrap interval of its logarithm over the rows.

    Rows with more tokens count more, as they do in the sums; that rows differ in length is in the interval.

    Args:
        rows: From an outcome to float64 (rows, 2): what each adds to the upper and to the lower sum.
        detail: What its signature says of how it was computed.
        impossible: Why there is no such number for an outcome, as a sentence; None where there is one.
        raised: Whether the metric is e to that power; its interval is that of the power, carried over.
        higher_is_better: False for losses.
    """

    def value(means: FloatArray) -> FloatArray:
        # In a draw of rows that are all without a divisor there is no ratio.
        exists = means[..., 1] > _LEAST
        found = np.where(exists, means[..., 0] / np.where(exists, means[..., 1], 1.0), np.nan)
        return _power(found) if raised else found

    def steady(found: FloatArray) -> FloatArray:
        return np.log(np.maximum(np.log(np.maximum(found, 1.0)) if raised else found, _LEAST))

    def back(at: FloatArray) -> FloatArray:
        return _power(np.exp(np.minimum(at, _MOST))) if raised else np.exp(np.minimum(at, _MOST))

    def told(outcome: Outcome) -> FloatArray:
        if reason := impossible(outcome):
            raise UserError(reason, fix="choose another metric")
        return rows(outcome)[:, None]

    moments = Moments(value, told, steady, back)

    def measure(name: str, outcome: Outcome, resampling: Resampling) -> Measured:
        if reason := impossible(outcome):
            return Measured(undefined={name: reason})
        each, n = rows(outcome), len(outcome)
        estimate = float(value(each.mean(axis=0)))
        low, high, method = studentised(moments, each, resampling)
        if method == "none":
            low = high = estimate
        return Measured(
            {
                name: interval_score(
                    estimate,
                    low,
                    high,
                    n=n,
                    signature=signature(name, detail, interval=method, n=n),
                    limits=(1.0 if raised else 0.0, np.inf),
                    warning=doubt(influence(value, each), method),
                )
            }
        )

    return Metric(measure, from_moments=moments, higher_is_better=higher_is_better)


def _power(value: FloatArray) -> FloatArray:
    return np.exp(np.minimum(value, _MOST))
