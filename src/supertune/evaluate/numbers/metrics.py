"""R², correlations, errors and weighted kappa; of several columns also their mean."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from supertune.contracts import FloatArray, Outcome, Score
from supertune.evaluate.intervals import mover, studentised_mean
from supertune.evaluate.metric import Measured, Metric, Resampling, interval_score, signature
from supertune.evaluate.moments import Moments, doubt, five, influence, studentised

_NEARLY = 1e-12


def r2() -> Metric:
    """1 − squared error / spread of the truth: 0 for always answering the mean of these rows, below for worse."""
    moments = Moments(_r2, _plain, lambda value: -np.log(np.maximum(1 - value, _NEARLY)), lambda at: 1 - np.exp(-at))
    return Metric(partial(_measure, moments, (-np.inf, 1.0)), from_moments=moments)


def pearson() -> Metric:
    """Pearson's correlation: how well answers and truth lie on a line, whatever its slope."""
    moments = Moments(_correlation, _plain, _fisher, np.tanh)
    return Metric(partial(_measure, moments, (-1.0, 1.0)), from_moments=moments)


def spearman() -> Metric:
    """Spearman's correlation: Pearson's of the ranks, ties at their mean rank.

    Ranks are not taken anew in the draws of its interval, which is a little too narrow for that in small samples.
    """
    moments = Moments(_correlation, _ranks, _fisher, np.tanh)
    return Metric(partial(_measure, moments, (-1.0, 1.0)), from_moments=moments)


def rmse() -> Metric:
    """Root of the mean squared error, in units of the truth."""
    return Metric(
        partial(_measure_errors, squared=True),
        value=lambda outcome: float(np.sqrt(_errors(outcome, squared=True).mean(axis=0)).mean()),
        higher_is_better=False,
    )


def mae() -> Metric:
    """Mean absolute error, in units of the truth."""
    return Metric(
        partial(_measure_errors, squared=False),
        from_rows=lambda outcome: _errors(outcome, squared=False).mean(axis=1),
        higher_is_better=False,
    )


def quadratic_kappa() -> Metric:
    """Cohen's kappa with quadratic weights, for the columns of ratings: answers are rounded onto their scale.

    1 − Σ (p − y)² / its mean if answers and truth had nothing to do with each other. Source: Cohen 1968, "Weighted
    kappa".
    """
    moments = Moments(_kappa, _rounded, _fisher, np.tanh)

    def measure(name: str, outcome: Outcome, resampling: Resampling) -> Measured:
        rated = [index for index, scale in enumerate(outcome.ratings) if scale is not None]
        if not rated:
            return Measured(undefined={name: "the numbers are no ratings: not whole, or of more than 20 kinds"})
        labels = tuple(outcome.labels[index] for index in rated)
        scales = tuple(outcome.ratings[index] for index in rated)
        some = Outcome(outcome.targets[:, rated], outcome.outputs[:, rated], labels, outcome.answers, scales)
        # One column of several keeps its name, so that nobody takes it for their mean.
        alone = len(rated) == 1 and len(outcome.labels) > 1
        return _measure(moments, (-1.0, 1.0), f"{name}/{labels[0]}" if alone else name, some, resampling)

    return Metric(measure, from_moments=moments)


def _fisher(value: FloatArray) -> FloatArray:
    return np.arctanh(np.clip(value, _NEARLY - 1, 1 - _NEARLY))


# ---------------------------------------------------------------- from means to metrics


def _parts(means: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Variance of the answers, variance of the truth, their covariance, and the mean squared error."""
    p, y, pp, yy, py = (means[..., index] for index in range(5))
    return pp - p * p, yy - y * y, py - p * y, pp - 2 * py + yy


def _r2(means: FloatArray) -> FloatArray:
    _, truth, _, error = _parts(means)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(truth > 0, 1 - error / truth, np.nan)


def _correlation(means: FloatArray) -> FloatArray:
    answers, truth, both, _ = _parts(means)
    with np.errstate(divide="ignore", invalid="ignore"):
        found = both / np.sqrt(answers * truth)
        return np.where((answers > 1e-12) & (truth > 1e-12), np.clip(found, -1.0, 1.0), np.nan)


def _kappa(means: FloatArray) -> FloatArray:
    answers, truth, _, error = _parts(means)
    apart = (means[..., 0] - means[..., 1]) ** 2
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(truth > 0, 1 - error / (answers + truth + apart), np.nan)


def _plain(outcome: Outcome) -> FloatArray:
    return five(outcome.outputs, outcome.targets)


def _ranks(outcome: Outcome) -> FloatArray:
    from scipy.stats import rankdata

    answers: FloatArray = rankdata(outcome.outputs, axis=0)
    truth: FloatArray = rankdata(outcome.targets, axis=0)
    return five(answers, truth)


def _rounded(outcome: Outcome) -> FloatArray:
    scales = np.array([scale or (-np.inf, np.inf) for scale in outcome.ratings or (None,) * len(outcome.labels)])
    return five(np.clip(np.round(outcome.outputs), scales[:, 0], scales[:, 1]), outcome.targets)


def _errors(outcome: Outcome, *, squared: bool) -> FloatArray:
    """float64 (rows, columns)."""
    errors: FloatArray = outcome.outputs - outcome.targets
    return errors**2 if squared else np.abs(errors)


# ---------------------------------------------------------------- with intervals


def _measure(
    moments: Moments, limits: tuple[float, float], name: str, outcome: Outcome, resampling: Resampling
) -> Measured:
    rows = moments.rows(outcome)
    values = moments.value(rows.mean(axis=0))
    if not np.isfinite(values).all():
        return Measured(undefined={name: "all answers, or all true numbers, are the same"})
    columns = [
        (float(value), *studentised(moments, rows[:, column], resampling)) for column, value in enumerate(values)
    ]
    moves = np.stack([influence(moments.value, rows[:, column]) for column in range(rows.shape[1])])
    return Measured(_scores(name, columns, moves, outcome, limits))


def _measure_errors(name: str, outcome: Outcome, resampling: Resampling, *, squared: bool) -> Measured:
    errors = _errors(outcome, squared=squared)
    columns = []
    for each in errors.T:
        low, high, method = studentised_mean(each, resampling)
        ends = np.array([each.mean(), max(low, 0.0), high])
        value, low, high = (float(end) for end in (np.sqrt(ends) if squared else ends))
        columns.append((value, low, high, method))
    return Measured(_scores(name, columns, errors.T, outcome, (0.0, np.inf)))


def _scores(
    name: str,
    columns: Sequence[tuple[float, float, float, str]],
    moves: FloatArray,
    outcome: Outcome,
    limits: tuple[float, float],
) -> dict[str, Score]:
    """The score of each column, and of several their mean.

    Args:
        name: Of the metric.
        columns: (value, low, high, method) of each.
        moves: (columns, rows): how much each row moves each, to tell how far columns err together.
        outcome: Whose columns these are.
        limits: The metric's range.
    """
    if len(columns) == 1:
        return {name: _score(name, *columns[0], moves[0], outcome, limits)}
    values, low, high = (np.array(numbers) for numbers in list(zip(*columns, strict=True))[:3])
    spread = moves.std(axis=1, keepdims=True)
    unit = (moves - moves.mean(axis=1, keepdims=True)) / np.where(spread > 0, spread, 1.0)
    ends = mover(values, low, high, unit @ unit.T / unit.shape[1])
    mean = _score(name, float(values.mean()), *ends, f"mover|{columns[0][3]}", moves.mean(axis=0), outcome, limits)
    keys = [f"{name}/{label}" for label in outcome.labels]
    named = zip(keys, columns, moves, strict=True)
    return {name: mean} | {key: _score(key, *each, move, outcome, limits) for key, each, move in named}


def _score(
    key: str,
    value: float,
    low: float,
    high: float,
    method: str,
    moves: FloatArray,
    outcome: Outcome,
    limits: tuple[float, float],
) -> Score:
    n = len(outcome)
    return interval_score(
        value,
        low,
        high,
        n=n,
        signature=signature(key, f"columns:{len(outcome.labels)}", interval=method, n=n),
        limits=limits,
        warning=doubt(moves, method),
    )
