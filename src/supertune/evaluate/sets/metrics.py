"""How right sets of labels are: counted over all labels, label by label, row by row, and by the order of the labels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from supertune.contracts import FloatArray, Outcome
from supertune.evaluate.averages import class_intervals, each_class
from supertune.evaluate.counts import ClassCounts, Kind, divide, per_class_values, ratio
from supertune.evaluate.intervals import effective_wilson, mover, studentised_mean
from supertune.evaluate.log_loss import CLIP
from supertune.evaluate.metric import Measured, Metric, Resampling, interval_score, signature
from supertune.evaluate.moments import Moments, influence, studentised
from supertune.evaluate.row_means import row_mean

_NEARLY = 1e-9
_FEW_ROWS = 100
_FEW_WITH_LABEL = 15


@dataclass(frozen=True)
class Counting:
    """What is counted in a row, and what it is called.

    Attributes:
        of: From an outcome to float64 (rows, labels, 3): how many of each label are rightly given, true, and given.
        rows: What the true ones of a label are, in messages.
        nothing: Why there is no precision, recall or F1, by name.
        detail: What signatures say.
    """

    of: Callable[[Outcome], FloatArray]
    rows: str
    nothing: Callable[[Kind], str]
    detail: Callable[[Outcome], str]


def set_micro(kind: Kind, counting: Counting | None = None) -> Metric:
    """Precision, recall or F1 of all labels of all rows together: a frequent label counts more than a rare one."""
    counting = counting or LABELS
    of = counting.of
    moments = Moments(partial(_value, kind), lambda outcome: of(outcome).sum(axis=1, keepdims=True), _logit, _expit)
    return Metric(partial(_measure_micro, kind, moments, counting), from_moments=moments)


def set_macro(kind: Kind, counting: Counting | None = None) -> Metric:
    """The plain mean over the labels that are true or given at least once: a rare label counts as a frequent one."""
    counting = counting or LABELS
    of = counting.of
    moments = Moments(partial(_value, kind), lambda outcome: _present(of(outcome)), _logit, _expit)
    return Metric(partial(_measure_macro, kind, moments, counting), from_moments=moments)


def set_per_label(kind: Kind, counting: Counting | None = None) -> Metric:
    """One score per label, under ``f1/<label>`` and the like, as for classes."""
    of = (counting or LABELS).of
    return Metric(lambda name, outcome, _: each_class(kind, totals_of(of(outcome)), outcome.labels))


def f1_samples() -> Metric:
    """The mean over rows of each row's own F1; 1 for a row without labels that is given none."""
    return row_mean(_row_f1, _detail)


def subset_accuracy() -> Metric:
    """Share of rows whose labels are exactly right."""
    return row_mean(lambda outcome: (outcome.targets == _given(outcome)).all(axis=1).astype(np.float64), _detail)


def hamming_loss() -> Metric:
    """Share of the decisions, one for each row and label, that are wrong."""
    return row_mean(lambda outcome: (outcome.targets != _given(outcome)).mean(axis=1), _detail, higher_is_better=False)


def label_ranking() -> Metric:
    """Label ranking average precision: of the labels ranked at or above a true one, the share that is true.

    The mean over true labels, then over rows; 1 for rows with no label or all. It asks for the order of the
    probabilities only, not where they are cut. Source: Schapire and Singer 2000, "BoosTexter".
    """
    return row_mean(_ranking, _detail)


def set_log_loss() -> Metric:
    """Mean of −ln of the probability of each row's and label's truth, in nats."""

    def measure(name: str, outcome: Outcome, resampling: Resampling) -> Measured:
        values, highest = _losses(outcome), float(-np.log(CLIP))
        low, high, method = studentised_mean(values, resampling)
        warning = f"interval is approximate: it rests on {len(outcome)} rows" if len(outcome) < _FEW_ROWS else None
        if method == "none":
            low, high = 0.0, highest
            warning = "too few different rows for an interval: it spans every possible value"
        score = interval_score(
            float(values.mean()),
            low,
            high,
            n=len(outcome),
            signature=signature(name, "nats", _detail(outcome), interval=method, n=len(outcome)),
            limits=(0.0, highest),
            warning=warning,
        )
        return Measured({name: score})

    return Metric(measure, from_rows=_losses, higher_is_better=False)


def label_counts(outcome: Outcome) -> ClassCounts:
    """How often each label is rightly given, true, and given, float64 (labels,)."""
    return totals_of(_counted(outcome))


def totals_of(counted: FloatArray) -> ClassCounts:
    """The counts of all rows together, float64 (labels,), from those of each row (rows, labels, 3)."""
    totals = counted.sum(axis=0)
    return ClassCounts(totals[:, 0], totals[:, 1], totals[:, 2])


# ---------------------------------------------------------------- counting


def _given(outcome: Outcome) -> NDArray[np.bool_]:
    assert outcome.given is not None
    return outcome.given


def _counted(outcome: Outcome) -> FloatArray:
    """float64 (rows, labels, 3): rightly given, true, given."""
    given = _given(outcome)
    return np.stack([outcome.targets & given, outcome.targets, given], axis=-1).astype(np.float64)


def _present(counted: FloatArray) -> FloatArray:
    """The same of the labels that are true or given at least once."""
    return counted[:, counted.any(axis=(0, 2))]


def _value(kind: Kind, means: FloatArray) -> FloatArray:
    """From the means of rightly given, true and given labels, float64 (…, 3); 0 where there is nothing to divide by."""
    return divide(*ratio(kind, ClassCounts(means[..., 0], means[..., 1], means[..., 2])))


def _detail(outcome: Outcome) -> str:
    return f"labels:{len(outcome.labels)}"


def _losses(outcome: Outcome) -> FloatArray:
    right = np.where(outcome.targets, outcome.outputs, 1 - outcome.outputs)
    return np.asarray(-np.log(np.clip(right, CLIP, 1.0)).mean(axis=1), dtype=np.float64)


def _row_f1(outcome: Outcome) -> FloatArray:
    counted = _counted(outcome).sum(axis=1)
    named = counted[:, 1] + counted[:, 2]
    return np.where(named > 0, divide(2 * counted[:, 0], named), 1.0)


def _ranking(outcome: Outcome) -> FloatArray:
    from scipy.stats import rankdata

    truth = outcome.targets
    # Rank 1 for the most probable label; equal ones share the worst rank, so that ties are no gain.
    above = rankdata(-outcome.outputs, method="max", axis=1)
    true_above = rankdata(np.where(truth, -outcome.outputs, np.inf), method="max", axis=1)
    number = truth.sum(axis=1)
    mean = divide(np.where(truth, true_above / above, 0.0).sum(axis=1), number.astype(np.float64))
    return np.where((number == 0) | (number == truth.shape[1]), 1.0, mean)


def _logit(value: FloatArray) -> FloatArray:
    inside = np.clip(value, _NEARLY, 1 - _NEARLY)
    return np.asarray(np.log(inside) - np.log1p(-inside))


def _expit(at: FloatArray) -> FloatArray:
    # Beyond 700 the exponential overflows, and nothing is left to tell apart.
    return np.asarray(1 / (1 + np.exp(-np.clip(at, -700, 700))))


# ---------------------------------------------------------------- with intervals


def _measure_micro(
    kind: Kind, moments: Moments, counting: Counting, name: str, outcome: Outcome, resampling: Resampling
) -> Measured:
    rows = moments.rows(outcome)[:, 0]
    total = rows.sum(axis=0)
    right, out_of = ratio(kind, ClassCounts(total[0], total[1], total[2]))
    if out_of == 0:
        return Measured(undefined={name: counting.nothing(kind)})
    low, high, method = studentised(moments, rows, resampling)
    # Labels of one row err together, which only the draws of rows know; what never errs does not vary in any draw.
    decisions = ClassCounts(*(np.asarray([part]) for part in total))
    if method == "none":
        decisions = ClassCounts(*(np.asarray([part * len(rows) / max(out_of, 1.0)]) for part in total))
    ends = class_intervals(kind, decisions)
    score = interval_score(
        float(right / out_of),
        min(low, float(ends[0][0])),
        max(high, float(ends[1][0])),
        n=len(outcome),
        signature=signature(name, counting.detail(outcome), interval=f"wilson+{method}", n=len(outcome)),
        warning=_warning(outcome, counting),
    )
    return Measured({name: score})


def _measure_macro(
    kind: Kind, moments: Moments, counting: Counting, name: str, outcome: Outcome, _: Resampling
) -> Measured:
    rows = moments.rows(outcome)
    n, labels = rows.shape[:2]
    if not labels:
        return Measured(undefined={name: counting.nothing(kind)})
    totals = rows.sum(axis=0)
    counts = ClassCounts(totals[:, 0], totals[:, 1], totals[:, 2])
    values = per_class_values(kind, counts)
    low, high = class_intervals(kind, counts)
    moves = np.stack([influence(moments.value, rows[:, label]) for label in range(labels)])
    spread = moves.std(axis=1, keepdims=True)
    # What never errs moves by rounding alone, and has no correlation.
    unit = np.where(spread > _NEARLY, moves, 0.0) / np.maximum(spread, _NEARLY)
    correlation = unit @ unit.T / n
    np.fill_diagonal(correlation, 1.0)
    built = mover(values, low, high, correlation)
    mean, variance = float(values.mean()), float(moves.mean(axis=0).var() / n)
    overall = effective_wilson(mean, variance, mean) if variance > 0 and 0 < mean < 1 else built
    score = interval_score(
        mean,
        min(built[0], overall[0]),
        max(built[1], overall[1]),
        n=n,
        signature=signature(name, f"labels:{labels}-of-{len(outcome.labels)}", interval="wilson-mover", n=n),
        warning=_warning(outcome, counting, by_label=True),
    )
    return Measured({name: score})


def _why_nothing(kind: Kind) -> str:
    if kind == "precision":
        return "no row was given a label, so there is no precision"
    return f"no row has a label{'' if kind == 'recall' else ' or was given one'}, so there is no {kind}"


def _warning(outcome: Outcome, counting: Counting, *, by_label: bool = False) -> str | None:
    rows = counting.of(outcome)[..., 1].sum(axis=0)
    if by_label and (absent := [label for label, count in zip(outcome.labels, rows, strict=True) if not count]):
        named = ", ".join(map(repr, absent[:3])) + (" and others" if len(absent) > 3 else "")
        return f"no test row has the label {named}: the score cannot say anything about it"
    if by_label and rows.min() < _FEW_WITH_LABEL:
        return f"interval is approximate: the rarest label has {int(rows.min())} test {counting.rows}"
    return f"interval is approximate: it rests on {len(outcome)} rows" if len(outcome) < _FEW_ROWS else None


LABELS = Counting(_counted, "rows", _why_nothing, _detail)
