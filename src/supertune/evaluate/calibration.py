"""Whether a confidence of 80 % means 80 % right: reliability bins and the expected calibration error."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from supertune.contracts import FloatArray, IntArray, Outcome, Score
from supertune.evaluate.intervals import Z, wilson
from supertune.evaluate.metric import (
    Measured,
    Metric,
    Resampling,
    interval_score,
    predicted,
    signature,
)
from supertune.evaluate.validity import check_classifier

_BINS = 10
_ROWS_PER_BIN = 10
_ENOUGH_ROWS = 100
_PRIOR_ROWS = 10


@dataclass(frozen=True)
class ReliabilityBin:
    """Rows of similar confidence.

    Attributes:
        confidence: Their mean top-class probability.
        accuracy: Share that was right, with Wilson's interval.
        count: Number of rows.
        lowest: Least confidence in the bin.
        highest: Greatest confidence in the bin.
    """

    confidence: float
    accuracy: Score
    count: int
    lowest: float
    highest: float


@dataclass(frozen=True)
class _Gaps:
    """Per bin: share of all rows, accuracy minus confidence, and the standard error of that difference."""

    share: FloatArray
    gap: FloatArray
    error: FloatArray


def ece() -> Metric:
    """Expected calibration error of the most probable class, equal-mass bins, freed of its bias.

    The usual estimate is too high: bins of finite size differ from their confidence by chance alone. Here the
    value is the calibration error whose *expected* usual estimate equals the one observed, given the standard
    error of each bin (in the line of Kumar et al. 2019 and Roelofs et al. 2022, who subtract an estimate of the
    bias; solving for it leaves less). The interval holds every error for which the observed estimate is not
    surprising, so it always holds the value, and reaches 0 where the model may be perfectly calibrated. It reaches
    as high as Wilson's interval of the accuracy allows: with 60 rows all right, full confidence is not yet proven.
    """
    return Metric(_measure_ece, higher_is_better=False)


def reliability(outcome: Outcome, bins: int = _BINS) -> tuple[ReliabilityBin, ...]:
    """Accuracy against confidence in bins of (nearly) equal size, from the least confident up.

    Rows of equal confidence stay together, so there may be fewer bins than asked for.
    """
    check_classifier(outcome)
    confidence, right = _confidence_and_right(outcome)
    order = np.argsort(confidence, kind="stable")
    confidence, right = confidence[order], right[order]
    result = []
    for start, stop in itertools.pairwise(_edges(confidence, bins)):
        count = int(stop - start)
        correct = float(right[start:stop].sum())
        low, high = wilson(np.asarray(correct), np.asarray(count))
        text = signature("accuracy", "reliability-bin", interval="wilson", n=count)
        accuracy = interval_score(correct / count, float(low), float(high), n=count, signature=text)
        mean = float(confidence[start:stop].mean())
        lowest, highest = float(confidence[start]), float(confidence[stop - 1])
        result.append(ReliabilityBin(mean, accuracy, count, lowest, highest))
    return tuple(result)


def _confidence_and_right(outcome: Outcome) -> tuple[FloatArray, FloatArray]:
    answers = predicted(outcome)
    confidence = np.clip(outcome.outputs[np.arange(len(outcome)), answers], 0.0, 1.0)
    return confidence, (answers == outcome.targets).astype(np.float64)


def _edges(ordered: FloatArray, bins: int) -> IntArray:
    """Bin boundaries as positions in the sorted confidences, moved so that equal confidences stay together."""
    positions = np.linspace(0, len(ordered), bins + 1).round().astype(np.int64)
    inner = np.searchsorted(ordered, ordered[positions[1:-1].clip(max=len(ordered) - 1)], side="left")
    return np.unique(np.concatenate([[0], inner, [len(ordered)]])).astype(np.int64)


def _gaps(confidence: FloatArray, right: FloatArray, bins: int) -> _Gaps:
    order = np.argsort(confidence, kind="stable")
    confidence, right = confidence[order], right[order]
    edges = _edges(confidence, bins)
    counts = np.diff(edges).astype(np.float64)

    def mean(values: FloatArray) -> FloatArray:
        return np.asarray(np.add.reduceat(values, edges[:-1]) / counts)

    gap = mean(right - confidence)
    seen = np.maximum(mean((right - confidence) ** 2) - gap**2, 0) * counts / np.maximum(counts - 1, 1)
    if_calibrated = mean(confidence * (1 - confidence))
    # Some rows' worth of the variance a calibrated model would have: a bin of all right answers is not certain.
    variance = (seen * counts + _PRIOR_ROWS * if_calibrated) / (counts + _PRIOR_ROWS)
    return _Gaps(counts / counts.sum(), gap, np.maximum(np.sqrt(variance / counts), 1e-9))


def _expected_estimates(gaps: _Gaps, errors: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Mean and standard deviation of the usual estimate for each true error, float64 (errors,).

    The true error is spread over the bins as the observed gaps are, chance included; the absolute value of a
    normal variable has a folded normal distribution.
    """
    from scipy.special import ndtr

    shape = np.sqrt(gaps.gap**2 + gaps.error**2)
    centres = errors[:, None] * (shape / (gaps.share @ shape))[None, :]
    spread = gaps.error[None, :]
    ratio = centres / spread
    means = spread * np.sqrt(2 / np.pi) * np.exp(-(ratio**2) / 2) + centres * (1 - 2 * ndtr(-ratio))
    variances = np.maximum(centres**2 + spread**2 - means**2, 0)
    return means @ gaps.share, np.sqrt(variances @ gaps.share**2)


def _measure_ece(name: str, outcome: Outcome, _: Resampling) -> Measured:
    n = len(outcome)
    confidence, right = _confidence_and_right(outcome)
    bins = int(np.clip(n // _ROWS_PER_BIN, 1, _BINS))
    gaps = _gaps(confidence, right, bins)
    usual = float(gaps.share @ np.abs(gaps.gap))
    errors = np.linspace(0, 1, 2001)
    means, deviations = _expected_estimates(gaps, errors)
    value = float(np.interp(usual, means, errors, left=0.0, right=1.0))
    possible = errors[np.abs(usual - means) <= Z * deviations]
    low, high = (float(possible[0]), float(possible[-1])) if len(possible) else (value, value)
    lowest, highest = wilson(np.asarray(right.sum()), np.asarray(n))
    high = max(high, float(confidence.mean() - lowest), float(highest - confidence.mean()))
    text = signature(
        name,
        "top-label",
        f"equal-mass-bins:{len(gaps.share)}",
        "debiased:matched-mean",
        interval="test-inversion",
        n=n,
    )
    warning = None if n >= _ENOUGH_ROWS else f"interval is approximate: {n} rows are few to judge confidences by"
    return Measured({name: interval_score(value, low, high, n=n, signature=text, warning=warning)})
