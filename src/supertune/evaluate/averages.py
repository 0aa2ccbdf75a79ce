"""Precision, recall and F1: per class, and averaged over classes in the three usual ways."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from supertune.contracts import FloatArray, IntArray, Outcome, Score
from supertune.evaluate.counts import (
    ClassCounts,
    Kind,
    accuracy_value,
    class_counts,
    confusion,
    count_warning,
    divide,
    few_mistakes_warning,
    macro_value,
    per_class_values,
    ratio,
    smoothed,
    weighted_value,
)
from supertune.evaluate.intervals import effective_wilson, mover, wilson
from supertune.evaluate.metric import Measured, Metric, Resampling, interval_score, signature


def accuracy() -> Metric:
    """Share of right answers, with Wilson's interval."""
    return Metric(_measure_accuracy, from_counts=accuracy_value)


def micro() -> Metric:
    """Micro-averaged precision, recall or F1: with one label per row, each of them is the accuracy."""
    return Metric(_measure_accuracy, from_counts=accuracy_value)


def macro(kind: Kind) -> Metric:
    """Plain mean over the classes that are true or predicted at least once."""
    value = macro_value(kind)

    def measure(name: str, outcome: Outcome, _: Resampling) -> Measured:
        matrix = confusion(outcome)
        counts = class_counts(matrix)
        low, high = _macro_interval(kind, matrix)
        score = interval_score(
            float(value(counts)),
            low,
            high,
            n=len(outcome),
            signature=signature(name, f"classes:{int(counts.present.sum())}", interval="wilson-mover", n=len(outcome)),
            warning=count_warning(counts, outcome.labels),
        )
        return Measured({name: score})

    return Metric(measure, from_counts=value)


def weighted(kind: Kind) -> Metric:
    """Mean over classes weighted by their number of rows; weighted recall is the accuracy."""
    if kind == "recall":
        return Metric(_measure_accuracy, from_counts=accuracy_value)
    value = weighted_value(kind)

    def measure(name: str, outcome: Outcome, _: Resampling) -> Measured:
        matrix = confusion(outcome)
        counts = class_counts(matrix)
        present = int((counts.true > 0).sum())
        low, high = _delta_interval(kind, matrix, float(value(counts)), by_support=True)
        score = interval_score(
            float(value(counts)),
            low,
            high,
            n=len(outcome),
            signature=signature(name, f"classes:{present}", interval="effective-wilson", n=len(outcome)),
            warning=count_warning(counts, outcome.labels),
        )
        return Measured({name: score})

    return Metric(measure, from_counts=value)


def per_class(kind: Kind) -> Metric:
    """One score per class, under ``f1/<label>`` and the like.

    Precision and recall are proportions: Wilson's interval given the number predicted or true. F1 = 2J/(1+J),
    where J, right / (true or predicted), is a proportion too: its Wilson interval is carried over. ``n`` is the
    number of rows that the proportion is out of.
    """
    return Metric(lambda name, outcome, _: each_class(kind, class_counts(confusion(outcome)), outcome.labels))


def each_class(kind: Kind, counts: ClassCounts, labels: Sequence[str]) -> Measured:
    """The score of each class or label; see `per_class`."""
    values = per_class_values(kind, counts)
    low, high = class_intervals(kind, counts)
    rows = _denominators(kind, counts)
    scores: dict[str, Score] = {}
    undefined: dict[str, str] = {}
    for index, label in enumerate(labels):
        key = f"{kind}/{label}"
        if rows[index] == 0:
            undefined[key] = _why_undefined(kind, label)
            continue
        scores[key] = interval_score(
            float(values[index]),
            float(low[index]),
            float(high[index]),
            n=int(rows[index]),
            signature=signature(kind, f"class:{label}", interval="wilson", n=int(rows[index])),
        )
    return Measured(scores, undefined)


def _measure_accuracy(name: str, outcome: Outcome, _: Resampling) -> Measured:
    counts = class_counts(confusion(outcome))
    low, high = wilson(counts.right.sum(), counts.total)
    text = signature(name, interval="wilson", n=len(outcome))
    value = float(accuracy_value(counts))
    warning = few_mistakes_warning(counts)
    score = interval_score(value, float(low), float(high), n=len(outcome), signature=text, warning=warning)
    return Measured({name: score})


def _denominators(kind: Kind, counts: ClassCounts) -> FloatArray:
    """How many rows a class's proportion is out of: for F1, those that are true or predicted."""
    return counts.true + counts.predicted - counts.right if kind == "f1" else ratio(kind, counts)[1]


def class_intervals(kind: Kind, counts: ClassCounts) -> tuple[FloatArray, FloatArray]:
    """Lower and upper ends for each class, each float64 (…, classes): Wilson's, of F1 carried over."""
    low, high = wilson(counts.right, _denominators(kind, counts))
    return (2 * low / (1 + low), 2 * high / (1 + high)) if kind == "f1" else (low, high)


def _why_undefined(kind: Kind, label: str) -> str:
    if kind == "precision":
        return f"no row was predicted as {label!r}, so it has no precision"
    if kind == "recall":
        return f"no row is truly {label!r}, so it has no recall"
    return f"no row is truly {label!r} or predicted as it, so it has no F1"


def _macro_interval(kind: Kind, matrix: IntArray) -> tuple[float, float]:
    """The wider, at each end, of the interval built from the classes and the one from the overall variance.

    From the classes alone, perfect classes push nothing upwards; from the overall variance alone, rare classes
    count as if their variance were known. Each mends the other's fault.
    """
    counts = class_counts(matrix)
    kept = np.flatnonzero(counts.present)
    values = per_class_values(kind, counts)
    low, high = class_intervals(kind, counts)
    correlation = _f1_correlation(smoothed(matrix)) if kind == "f1" else np.eye(len(matrix))
    built = mover(values[kept], low[kept], high[kept], correlation[np.ix_(kept, kept)])
    overall = _delta_interval(kind, matrix, float(values[kept].mean()), by_support=False)
    return min(built[0], overall[0]), max(built[1], overall[1])


def _f1_correlation(matrix: FloatArray) -> FloatArray:
    """Correlations of the classes' F1, by the delta method: a row of class a taken for b lowers both."""
    if len(matrix) == 1:
        return np.ones((1, 1))
    counts = class_counts(matrix)
    numerator, denominator = ratio("f1", counts)
    f1 = numerator / denominator
    slope = f1 / denominator
    covariance = (matrix + matrix.T) * np.outer(slope, slope)
    missed = counts.true + counts.predicted - 2 * counts.right
    variance = counts.right * (2 * (1 - f1) / denominator) ** 2 + missed * slope**2
    np.fill_diagonal(covariance, variance)
    deviation = np.sqrt(variance)
    return np.asarray(covariance / np.outer(deviation, deviation), dtype=np.float64)


def _delta_interval(kind: Kind, matrix: IntArray, value: float, *, by_support: bool) -> tuple[float, float]:
    """Wilson's interval with the effective number of rows that the delta-method variance says (smoothed counts)."""
    counts = class_counts(smoothed(matrix))
    observed = class_counts(matrix)
    values = per_class_values(kind, counts)
    weights = counts.true / counts.total if by_support else observed.present / observed.present.sum()
    at = float(weights @ values)
    slope = gradient(kind, counts, weights)
    if by_support:
        slope = slope + ((values - at) / counts.total)[:, None]
    cells = smoothed(matrix)
    variance = float((cells * slope**2).sum() - (cells * slope).sum() ** 2 / cells.sum())
    if variance <= 0 or not 0 < at < 1:
        low, high = wilson(counts.total * value, counts.total)
        return float(low), float(high)
    return effective_wilson(value, variance, at)


def gradient(kind: Kind, counts: ClassCounts, weights: FloatArray) -> FloatArray:
    """How the weighted mean over classes changes with each cell of the confusion matrix, (classes, classes)."""
    _, denominator = ratio(kind, counts)
    values = per_class_values(kind, counts)
    down = -weights * divide(values, denominator)
    right = weights * divide(np.full_like(values, 2.0 if kind == "f1" else 1.0), denominator)
    by_row = down if kind in ("recall", "f1") else np.zeros_like(down)
    by_column = down if kind in ("precision", "f1") else np.zeros_like(down)
    return np.asarray(by_row[:, None] + by_column[None, :] + np.diag(right), dtype=np.float64)
