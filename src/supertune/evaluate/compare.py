"""Is one model better than another on the same rows, and could that be luck?"""

from __future__ import annotations

import numpy as np

from supertune.contracts import FloatArray, IntArray, Outcome, Score
from supertune.errors import UserError
from supertune.evaluate.counts import ClassCounts, class_counts, confusion
from supertune.evaluate.intervals import mean_difference_of_shares, studentised_mean
from supertune.evaluate.metric import (
    Metric,
    Resampling,
    interval_score,
    predicted,
    signature,
)
from supertune.evaluate.moments import Moments, influence, rests_on
from supertune.evaluate.validity import check_outcome

_CHUNK = 1 << 22
_LEAST_SHARE = 0.25
_FEW_DISAGREEMENTS = 20
_FEW_FOR_MEANS = 50
_FEW_NUMBERS = 200


def paired(name: str, metric: Metric, first: Outcome, second: Outcome, resampling: Resampling) -> Score:
    """``first`` minus ``second`` in one metric, with the 95 % interval of the difference on the same rows.

    Functions of means, such as R² and BLEU, use the studentised bootstrap of what each row adds to the difference
    (`influence`).

    Metrics that are counted use a smoothed paired bootstrap: rows alike in truth and both answers are drawn
    together with Dirichlet weights, after adding about one imagined row that only ``first`` and one that only
    ``second`` gets right (as Bonett and Price 2012 for proportions), so that few disagreements do not look
    like certainty. Metrics that are means over rows use the studentised bootstrap of the rows' differences, and where
    their values lie between 0 and 1, `mean_difference_of_shares`.

    Raises:
        UserError: The outcomes are not of the same rows, or the metric cannot be compared in pairs.
    """
    check_outcome(first)
    check_outcome(second)
    if first.labels != second.labels or not np.array_equal(first.targets, second.targets):
        raise UserError(
            "the two models were not measured on the same rows with the same labels",
            fix="compare predictions of one test file",
        )
    if metric.from_counts is not None:
        return _from_counts(name, metric, first, second, resampling)
    if metric.from_rows is not None:
        return _from_rows(name, metric, first, second, resampling)
    if metric.from_moments is not None:
        return _from_moments(name, metric.from_moments, first, second, resampling)
    advice = "r2 or mae" if first.answers == "numbers" else "f1_macro or accuracy"
    raise UserError(f"the metric {name!r} has no paired comparison", fix=f"compare {advice}")


def _from_rows(name: str, metric: Metric, first: Outcome, second: Outcome, resampling: Resampling) -> Score:
    assert metric.from_rows is not None
    differences = metric.from_rows(first) - metric.from_rows(second)
    interval = mean_difference_of_shares if metric.rows_are_shares else studentised_mean
    low, high, method = interval(differences, resampling)
    text = signature(f"difference:{name}", interval=f"paired-{method}", n=len(first))
    return interval_score(
        float(differences.mean()),
        low,
        high,
        n=len(first),
        signature=text,
        limits=(-np.inf, np.inf),
        warning=_warning_of_rows(metric, first, second, differences),
    )


def _from_moments(name: str, moments: Moments, first: Outcome, second: Outcome, resampling: Resampling) -> Score:
    difference, n = 0.0, len(first)
    moves = np.zeros(n)
    for sign, outcome in ((1, first), (-1, second)):
        rows = moments.rows(outcome)
        columns = rows.shape[1]
        difference += sign * float(moments.value(rows.mean(axis=0)).mean())
        moves += sign * sum(influence(moments.value, rows[:, column]) for column in range(columns)) / columns
    # The difference as a mean over rows, each with what it adds to it.
    low, high, method = studentised_mean(difference + moves, resampling)
    return interval_score(
        difference,
        low,
        high,
        n=n,
        signature=signature(f"difference:{name}", interval=f"paired-linear-{method}", n=n),
        limits=(-np.inf, np.inf),
        warning=_few_matter(moves),
    )


def _few_matter(moves: FloatArray) -> str | None:
    n = len(moves)
    if n < _FEW_NUMBERS:
        return f"interval is approximate: it rests on {n} rows"
    return (
        "interval is approximate: a few rows far from the others decide it"
        if rests_on(moves) < _FEW_FOR_MEANS
        else None
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


def _warning_of_rows(metric: Metric, first: Outcome, second: Outcome, differences: FloatArray) -> str | None:
    if first.answers == "classes":
        return _disagreement_warning(first, second, _FEW_FOR_MEANS)
    if not metric.rows_are_shares:
        return None
    return _few_differ(int(np.count_nonzero(differences)), len(first), _FEW_DISAGREEMENTS)


def _disagreement_warning(first: Outcome, second: Outcome, enough: int) -> str | None:
    return _few_differ(int((predicted(first) != predicted(second)).sum()), len(first), enough)


def _few_differ(differing: int, n: int, enough: int) -> str | None:
    if differing >= enough:
        return None
    return f"interval is approximate: the two models differ in only {differing} of {n} answers"


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
