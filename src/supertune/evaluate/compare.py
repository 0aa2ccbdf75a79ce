"""Is one model better than another on the same rows, and could that be luck?"""

from __future__ import annotations

import numpy as np

from supertune.contracts import FloatArray, IntArray, Outcome, Score
from supertune.errors import UserError
from supertune.evaluate.counts import ClassCounts, class_counts, confusion
from supertune.evaluate.intervals import studentised_mean
from supertune.evaluate.metric import (
    Metric,
    Resampling,
    check_classifier,
    interval_score,
    predicted,
    signature,
)

_CHUNK = 1 << 22
_LEAST_SHARE = 0.25
_FEW_DISAGREEMENTS = 20
_FEW_FOR_MEANS = 50


def paired(name: str, metric: Metric, first: Outcome, second: Outcome, resampling: Resampling) -> Score:
    """``first`` minus ``second`` in one metric, with the 95 % interval of the difference on the same rows.

    Metrics that are counted use a smoothed paired bootstrap: rows alike in truth and both answers are drawn
    together with Dirichlet weights, after adding about one imagined row that only ``first`` and one that only
    ``second`` gets right (as Bonett and Price 2012 for proportions), so that few disagreements do not look
    like certainty. Metrics that are means over rows use the studentised bootstrap of the rows' differences.

    Raises:
        UserError: The outcomes are not of the same rows, or the metric cannot be compared in pairs.
    """
    check_classifier(first)
    check_classifier(second)
    if first.labels != second.labels or not np.array_equal(first.targets, second.targets):
        raise UserError(
            "the two models were not measured on the same rows with the same labels",
            fix="compare predictions of one test file",
        )
    if metric.from_counts is not None:
        return _from_counts(name, metric, first, second, resampling)
    if metric.from_rows is not None:
        return _from_rows(name, metric, first, second, resampling)
    raise UserError(f"the metric {name!r} has no paired comparison", fix="compare f1_macro or accuracy")


def _from_rows(name: str, metric: Metric, first: Outcome, second: Outcome, resampling: Resampling) -> Score:
    assert metric.from_rows is not None
    differences = metric.from_rows(first) - metric.from_rows(second)
    low, high, method = studentised_mean(differences, resampling)
    text = signature(f"difference:{name}", interval=f"paired-{method}", n=len(first))
    return interval_score(
        float(differences.mean()),
        low,
        high,
        n=len(first),
        signature=text,
        limits=(-np.inf, np.inf),
        warning=_disagreement_warning(first, second, _FEW_FOR_MEANS),
    )


def _from_counts(name: str, metric: Metric, first: Outcome, second: Outcome, resampling: Resampling) -> Score:
    assert metric.from_counts is not None
    value = _value(metric, first) - _value(metric, second)
    cells, mass = _joint_cells(first.targets, predicted(first), predicted(second))
    k = len(first.labels)
    true, one, two = (_indicator(cells[:, column], k) for column in range(3))
    right_one, right_two = true * (cells[:, [1]] == cells[:, [0]]), true * (cells[:, [2]] == cells[:, [0]])
    generator = resampling.generator()
    draws = []
    size = max(1, _CHUNK // max(len(cells), k))
    for start in range(0, resampling.resamples, size):
        count = min(size, resampling.resamples - start)
        weights = generator.standard_gamma(mass, size=(count, len(cells)))
        ahead = metric.from_counts(ClassCounts(weights @ right_one, weights @ true, weights @ one))
        behind = metric.from_counts(ClassCounts(weights @ right_two, weights @ true, weights @ two))
        draws.append(ahead - behind)
    low, high = np.quantile(np.concatenate(draws), (0.025, 0.975))
    method = f"paired-smoothed-bootstrap-{resampling.resamples}|seed:{resampling.seed}"
    text = signature(f"difference:{name}", f"classes:{k}", interval=method, n=len(first))
    return interval_score(
        value,
        float(low),
        float(high),
        n=len(first),
        signature=text,
        limits=(-2.0, 2.0),
        warning=_disagreement_warning(first, second, _FEW_DISAGREEMENTS),
    )


def _disagreement_warning(first: Outcome, second: Outcome, enough: int) -> str | None:
    differing = int((predicted(first) != predicted(second)).sum())
    if differing >= enough:
        return None
    return f"interval is approximate: the two models differ in only {differing} of {len(first)} answers"


def _value(metric: Metric, outcome: Outcome) -> float:
    assert metric.from_counts is not None
    return float(metric.from_counts(class_counts(confusion(outcome))))


def _joint_cells(targets: IntArray, first: IntArray, second: IntArray) -> tuple[IntArray, FloatArray]:
    """Distinct (true, first's answer, second's answer) and the mass of each, imagined rows included."""
    seen, counts = np.unique(np.stack([targets, first, second], axis=1), axis=0, return_counts=True)
    classes, support = np.unique(targets, return_counts=True)
    wrong = _usual_mistakes(classes, np.concatenate([first, second]))
    if wrong is None:
        return seen.astype(np.int64), counts.astype(np.float64)
    # In proportion to the classes' rows, but not so little that a rare class, which counts fully in a macro average,
    # looks certain.
    share = np.maximum(support / support.sum(), min(_LEAST_SHARE, 2 / len(classes)))
    imagined = np.concatenate(
        [np.stack([classes, classes, wrong], axis=1), np.stack([classes, wrong, classes], axis=1)]
    )
    cells = np.concatenate([seen, imagined]).astype(np.int64)
    return cells, np.concatenate([counts, share, share]).astype(np.float64)


def _usual_mistakes(classes: IntArray, answers: IntArray) -> IntArray | None:
    """For each class, the most frequent class in play that it is not; None when only one class is in play."""
    played, counts = np.unique(np.concatenate([classes, answers]), return_counts=True)
    if len(played) < 2:
        return None
    order = played[np.argsort(-counts, kind="stable")]
    return np.asarray(np.where(classes == order[0], order[1], order[0]), dtype=np.int64)


def _indicator(indices: IntArray, k: int) -> FloatArray:
    matrix = np.zeros((len(indices), k))
    matrix[np.arange(len(indices)), indices] = 1.0
    return matrix
