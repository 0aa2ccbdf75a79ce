"""How good a model is and how sure we are: metrics with intervals, baselines, pictures and plain words.

A metric is one file with a function that makes a `Metric`, and one line in `METRICS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from supertune.contracts import Outcome, Score
from supertune.errors import UserError
from supertune.evaluate.auroc import auroc
from supertune.evaluate.averages import accuracy, macro, micro, per_class, weighted
from supertune.evaluate.baselines import MajorityBaseline, TfidfBaseline
from supertune.evaluate.calibration import ReliabilityBin, ece, reliability
from supertune.evaluate.compare import paired
from supertune.evaluate.counts import class_counts, confusion
from supertune.evaluate.log_loss import log_loss
from supertune.evaluate.mcc import mcc
from supertune.evaluate.metric import Measured, Metric, Resampling, check_classifier, check_numbers
from supertune.evaluate.numbers import (
    MeanBaseline,
    TfidfRidge,
    calibration_of_numbers,
    error_histogram,
    largest_errors,
    mae,
    pearson,
    quadratic_kappa,
    r2,
    rmse,
    spearman,
    truth_and_answers,
    verdict_on_numbers,
)
from supertune.evaluate.numbers.moments import five_of
from supertune.evaluate.pictures import (
    baseline_chart,
    class_f1_chart,
    confidence_histogram,
    confusion_map,
    reliability_chart,
    worst_errors,
)
from supertune.evaluate.verdict import verdict

METRICS: Mapping[str, Metric] = {
    "accuracy": accuracy(),
    "f1_macro": macro("f1"),
    "f1_micro": micro(),
    "f1_weighted": weighted("f1"),
    "f1_per_class": per_class("f1"),
    "precision_macro": macro("precision"),
    "precision_micro": micro(),
    "precision_weighted": weighted("precision"),
    "precision_per_class": per_class("precision"),
    "recall_macro": macro("recall"),
    "recall_micro": micro(),
    "recall_weighted": weighted("recall"),
    "recall_per_class": per_class("recall"),
    "mcc": mcc(),
    "auroc": auroc(),
    "log_loss": log_loss(),
    "ece": ece(),
    "r2": r2(),
    "pearson": pearson(),
    "spearman": spearman(),
    "rmse": rmse(),
    "mae": mae(),
    "quadratic_kappa": quadratic_kappa(),
}
"""Name → metric. ``*_per_class`` yield one key per class: ``f1/<label>`` and so on; those of numbers one per
column beside their mean where there are several: ``r2/<column>``."""

CHECKS: Mapping[str, Callable[[Outcome], None]] = {"classes": check_classifier, "numbers": check_numbers}
"""Kind of answers → what refuses an outcome that is none."""

__all__ = [
    "METRICS",
    "MajorityBaseline",
    "MeanBaseline",
    "Measured",
    "Metric",
    "ReliabilityBin",
    "Resampling",
    "TfidfBaseline",
    "TfidfRidge",
    "baseline_chart",
    "calibration_of_numbers",
    "class_f1_chart",
    "confidence_histogram",
    "confusion_map",
    "error_histogram",
    "estimate",
    "largest_errors",
    "measure",
    "metrics_for",
    "paired_difference",
    "reliability",
    "reliability_chart",
    "score",
    "truth_and_answers",
    "verdict",
    "verdict_on_numbers",
    "worst_errors",
]


def metrics_for(answers: str) -> tuple[str, ...]:
    """Names of the metrics that judge this kind of answers, in the registry's order."""
    return tuple(name for name, metric in METRICS.items() if metric.answers == answers)


def measure(outcome: Outcome, metrics: Sequence[str], *, seed: int = 0, resamples: int = 2000) -> Measured:
    """Every metric named, with its interval, and for those that do not exist for these rows, why.

    Raises:
        UserError: A name is unknown, there are no rows, or the answers are not numbers.
    """
    resampling = Resampling(seed, resamples)
    scores: dict[str, Score] = {}
    undefined: dict[str, str] = {}
    for name in metrics:
        entry = _metric(name)
        CHECKS[entry.answers](outcome)
        measured = entry.measure(name, outcome, resampling)
        scores.update(measured.scores)
        undefined.update(measured.undefined)
    return Measured(scores, undefined)


def score(outcome: Outcome, metrics: Sequence[str], *, seed: int = 0, resamples: int = 2000) -> dict[str, Score]:
    """The scores of `measure`; keys that do not exist for these rows are absent."""
    return dict(measure(outcome, metrics, seed=seed, resamples=resamples).scores)


def estimate(outcome: Outcome, metric: str) -> float:
    """One metric's value without its interval, in well under a millisecond for those that are counted.

    NaN for a correlation with numbers that are all the same.

    Raises:
        UserError: The name is unknown, or the metric does not exist for these rows.
    """
    entry = _metric(metric)
    CHECKS[entry.answers](outcome)
    if entry.value is not None:
        return entry.value(outcome)
    if entry.from_moments is not None:
        return float(entry.from_moments.value(five_of(entry.from_moments, outcome).mean(axis=0)).mean())
    if entry.from_counts is not None:
        return float(entry.from_counts(class_counts(confusion(outcome))))
    if entry.from_rows is not None:
        return float(entry.from_rows(outcome).mean())
    measured = entry.measure(metric, outcome, Resampling())
    if metric not in measured.scores:
        raise UserError(f"the metric {metric!r} is not one number for these rows", fix="choose another")
    return measured.scores[metric].value


def paired_difference(a: Outcome, b: Outcome, metric: str, *, seed: int = 0, resamples: int = 2000) -> Score:
    """``a`` minus ``b`` in one metric on the same rows, with its 95 % interval; see `compare.paired`.

    Raises:
        UserError: The outcomes are not of the same rows, or the metric cannot be compared in pairs.
    """
    return paired(metric, _metric(metric), a, b, Resampling(seed, resamples))


def _metric(name: str) -> Metric:
    if name not in METRICS:
        from difflib import get_close_matches

        near = get_close_matches(name, METRICS, n=1)
        raise UserError(
            f"there is no metric {name!r}",
            where="evaluate.metric",
            fix=f"did you mean {near[0]!r}?" if near else f"choose from {', '.join(METRICS)}",
        )
    return METRICS[name]
