"""Metrics that are means over the rows of values from 0 to 1, such as exact match, ROUGE or nDCG."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from supertune.contracts import FloatArray, Outcome
from supertune.errors import UserError
from supertune.evaluate.intervals import mean_of_shares
from supertune.evaluate.metric import Measured, Metric, Resampling, interval_score, signature

Judge = Callable[[tuple[str, ...], str], float]
"""From the references of a row and its answer to a value from 0 to 1."""


def row_mean(
    rows: Callable[[Outcome], FloatArray],
    detail: Callable[[Outcome], str],
    *,
    impossible: Callable[[Outcome], str | None] = lambda _: None,
    higher_is_better: bool = True,
) -> Metric:
    """The metric that is the mean of ``rows``.

    Args:
        rows: From an outcome to float64 (rows,) from 0 to 1.
        detail: What its signature says of how it was computed, e.g. ``rules:squad``.
        impossible: Why there is no such number for an outcome, as a sentence; None where there is one.
        higher_is_better: False for errors.
    """

    def measure(name: str, outcome: Outcome, resampling: Resampling) -> Measured:
        if reason := impossible(outcome):
            return Measured(undefined={name: reason})
        values, n = rows(outcome), len(outcome)
        low, high, method = mean_of_shares(values, resampling)
        text = signature(name, detail(outcome), interval=method, n=n)
        return Measured({name: interval_score(float(values.mean()), low, high, n=n, signature=text)})

    def from_rows(outcome: Outcome) -> FloatArray:
        if reason := impossible(outcome):
            raise UserError(reason, fix="choose another metric")
        return rows(outcome)

    return Metric(measure, from_rows=from_rows, rows_are_shares=True, higher_is_better=higher_is_better)


def judged(judge: Judge) -> Callable[[Outcome], FloatArray]:
    """From an outcome to float64 (rows,): what a judge of one row says of each."""

    def rows(outcome: Outcome) -> FloatArray:
        pairs = zip(outcome.targets, outcome.outputs, strict=True)
        return np.array([judge(references, answer) for references, answer in pairs], dtype=np.float64)

    return rows
