"""How good a model is and how sure we are: metrics with intervals, baselines, pictures and plain words.

A metric is one file with a function that makes a `Metric`, and one line in `METRICS` (`registry.py`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from supertune.contracts import FloatArray, Outcome, Score
from supertune.errors import UserError
from supertune.evaluate.baselines import MajorityBaseline, TfidfBaseline
from supertune.evaluate.calibration import ReliabilityBin, reliability
from supertune.evaluate.compare import paired
from supertune.evaluate.counts import class_counts, confusion
from supertune.evaluate.generated import SideBySide, side_by_side, verdict_on_texts
from supertune.evaluate.intervals import mean_of_shares, wilson
from supertune.evaluate.mcnemar import McNemar, holm, mcnemar
from supertune.evaluate.metric import Measured, Metric, Resampling
from supertune.evaluate.numbers import (
    MeanBaseline,
    TfidfRidge,
    calibration_of_numbers,
    error_histogram,
    largest_errors,
    truth_and_answers,
    verdict_on_numbers,
)
from supertune.evaluate.pictures import (
    baseline_chart,
    class_f1_chart,
    confidence_histogram,
    confusion_map,
    reliability_chart,
    worst_errors,
)
from supertune.evaluate.questions import SentenceBaseline, verdict_on_answers
from supertune.evaluate.rankings import verdict_on_rankings
from supertune.evaluate.registry import METRICS
from supertune.evaluate.repeated import RepeatedDifference, repeated_difference, repeated_score
from supertune.evaluate.sets import (
    LabelShares,
    TfidfLabels,
    label_mistakes,
    labels_per_row,
    labels_together,
    verdict_on_sets,
    worst_sets,
)
from supertune.evaluate.spans import (
    DictionaryBaseline,
    edge_errors,
    entity_confusion,
    kinds_of_errors,
    only_spans,
    verdict_on_spans,
    worst_spans,
)
from supertune.evaluate.summaries import places_taken, textrank, verdict_on_summaries
from supertune.evaluate.validity import check_outcome
from supertune.evaluate.verdict import verdict

__all__ = [
    "METRICS",
    "DictionaryBaseline",
    "LabelShares",
    "MajorityBaseline",
    "McNemar",
    "MeanBaseline",
    "Measured",
    "Metric",
    "ReliabilityBin",
    "RepeatedDifference",
    "Resampling",
    "SentenceBaseline",
    "SideBySide",
    "TfidfBaseline",
    "TfidfLabels",
    "TfidfRidge",
    "baseline_chart",
    "calibration_of_numbers",
    "class_f1_chart",
    "confidence_histogram",
    "confusion_map",
    "edge_errors",
    "entity_confusion",
    "error_histogram",
    "estimate",
    "holm",
    "kinds_of_errors",
    "label_mistakes",
    "labels_per_row",
    "labels_together",
    "largest_errors",
    "mcnemar",
    "mean_of_shares",
    "measure",
    "metrics_for",
    "only_spans",
    "paired_difference",
    "places_taken",
    "reliability",
    "reliability_chart",
    "repeated_difference",
    "repeated_score",
    "row_scores",
    "row_values",
    "score",
    "side_by_side",
    "textrank",
    "truth_and_answers",
    "verdict",
    "verdict_on_answers",
    "verdict_on_numbers",
    "verdict_on_rankings",
    "verdict_on_sets",
    "verdict_on_spans",
    "verdict_on_summaries",
    "verdict_on_texts",
    "wilson",
    "worst_errors",
    "worst_sets",
    "worst_spans",
]


def metrics_for(answers: str) -> tuple[str, ...]:
    """Names of the metrics that judge this kind of answers, in the registry's order."""
    return tuple(METRICS[answers])


def measure(outcome: Outcome, metrics: Sequence[str], *, seed: int = 0, resamples: int = 2000) -> Measured:
    """Every metric named, with its interval, and for those that do not exist for these rows, why.

    Raises:
        UserError: A name is unknown, there are no rows, or the answers are not numbers.
    """
    check_outcome(outcome)
    resampling = Resampling(seed, resamples)
    scores: dict[str, Score] = {}
    undefined: dict[str, str] = {}
    for name in metrics:
        measured = _metric(name, outcome.answers).measure(name, outcome, resampling)
        scores.update(measured.scores)
        undefined.update(measured.undefined)
    return Measured(scores, undefined)


def score(outcome: Outcome, metrics: Sequence[str], *, seed: int = 0, resamples: int = 2000) -> dict[str, Score]:
    """The scores of `measure`; keys that do not exist for these rows are absent."""
    return dict(measure(outcome, metrics, seed=seed, resamples=resamples).scores)


def estimate(outcome: Outcome, metric: str) -> float:
    """One metric's value without its interval, in well under a millisecond for those that are counted.

    NaN for a correlation with numbers that are all the same, and for a mean over labels where there is none.

    Raises:
        UserError: The name is unknown, or the metric does not exist for these rows.
    """
    entry = _metric(metric, outcome.answers)
    check_outcome(outcome)
    if entry.value is not None:
        return entry.value(outcome)
    if entry.from_moments is not None:
        values = entry.from_moments.value(entry.from_moments.rows(outcome).mean(axis=0))
        # A mean over labels of which none is true or given.
        return float(values.mean()) if values.size else math.nan
    if entry.from_counts is not None:
        return float(entry.from_counts(class_counts(confusion(outcome))))
    if entry.from_rows is not None:
        return float(entry.from_rows(outcome).mean())
    measured = entry.measure(metric, outcome, Resampling())
    if metric not in measured.scores:
        raise UserError(f"the metric {metric!r} is not one number for these rows", fix="choose another")
    return measured.scores[metric].value


def row_values(outcome: Outcome, metric: str) -> FloatArray:
    """Float64 (rows,): what each row adds to a metric that is their mean.

    Raises:
        UserError: The name is unknown, or the metric is no such mean for these rows.
    """
    entry = _metric(metric, outcome.answers)
    check_outcome(outcome)
    if entry.from_rows is None:
        raise UserError(f"the metric {metric!r} is no mean over rows", fix="choose another")
    return entry.from_rows(outcome)


def row_scores(outcome: Outcome, metric: str) -> FloatArray:
    """Float64 (rows,): the metric of each row alone, to sort rows by; for corpus metrics such as BLEU too.

    Raises:
        UserError: The name is unknown, or there is no such number for these rows.
    """
    entry = _metric(metric, outcome.answers)
    if entry.from_rows is not None:
        return row_values(outcome, metric)
    alone = (outcome.take(np.array([row])) for row in range(len(outcome)))
    return np.array([estimate(one, metric) for one in alone], np.float64)


def paired_difference(a: Outcome, b: Outcome, metric: str, *, seed: int = 0, resamples: int = 2000) -> Score:
    """``a`` minus ``b`` in one metric on the same rows, with its 95 % interval; see `compare.paired`.

    Raises:
        UserError: The outcomes are not of the same rows, or the metric cannot be compared in pairs.
    """
    return paired(metric, _metric(metric, a.answers), a, b, Resampling(seed, resamples))


def _metric(name: str, answers: str) -> Metric:
    known = METRICS[answers]
    if name not in known:
        from difflib import get_close_matches

        near = get_close_matches(name, known, n=1)
        raise UserError(
            f"there is no metric {name!r} of {answers}",
            where="evaluate.metric",
            fix=f"did you mean {near[0]!r}?" if near else f"choose from {', '.join(known)}",
        )
    return known[name]
