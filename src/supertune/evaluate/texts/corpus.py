"""BLEU, chrF and TER as sacreBLEU computes them: of a whole set of texts, from counts summed over its rows.

Sources: Papineni et al. 2002; Popović 2015; Snover et al. 2006; Post 2018, "A Call for Clarity in Reporting BLEU
Scores", whose signatures stand in ours. Scores are a hundredth of sacreBLEU's.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, cast

import numpy as np

from supertune.contracts import FloatArray, Outcome
from supertune.evaluate.metric import Measured, Metric, Resampling, interval_score, signature
from supertune.evaluate.moments import Moments, doubt, influence, studentised
from supertune.language import is_chinese

if TYPE_CHECKING:
    from sacrebleu.metrics.base import Metric as Scorer

_NEARLY = 1e-4
"""As near to 0 or 1 as a score may come: beyond, the steps in which slopes are taken would be larger than the rest."""
_NONE = 1e-3
"""Sums below this are 0: counts are whole, and slopes are taken in steps far smaller than 1."""
_BETA = 2


def bleu() -> Metric:
    """Geometric mean of the precisions of 1 to 4 words in sequence, with a penalty for brevity."""
    return _metric(_bleu_scorer, _bleu, _logit, _share)


def chrf() -> Metric:
    """F2 of the mean precision and recall of 1 to 6 characters in sequence, white space left out."""
    return _metric(_chrf_scorer, _chrf, _logit, _share)


def ter() -> Metric:
    """Edits, shifts of phrases among them, per word of the references; above 1 where more is wrong than there is."""
    return _metric(
        _ter_scorer,
        _ter,
        lambda value: np.sqrt(np.maximum(value, 0.0)),
        lambda at: np.maximum(at, 0.0) ** 2,
        limits=(0.0, np.inf),
        higher_is_better=False,
    )


def _metric(
    scorer: Callable[[bool], Scorer],
    value: Callable[[FloatArray], FloatArray],
    steady: Callable[[FloatArray], FloatArray],
    back: Callable[[FloatArray], FloatArray],
    *,
    limits: tuple[float, float] = (0.0, 1.0),
    higher_is_better: bool = True,
) -> Metric:
    moments = Moments(value, lambda outcome: _statistics(scorer, outcome)[0], steady, back)
    measure = partial(_measure, scorer, moments, limits)
    return Metric(measure, from_moments=moments, higher_is_better=higher_is_better)


def _measure(
    scorer: Callable[[bool], Scorer],
    moments: Moments,
    limits: tuple[float, float],
    name: str,
    outcome: Outcome,
    resampling: Resampling,
) -> Measured:
    statistics, theirs = _statistics(scorer, outcome)
    rows, n = statistics[:, 0], len(outcome)
    value = float(moments.value(rows.mean(axis=0)))
    low, high, method = studentised(moments, rows, resampling)
    if method == "none":
        low = high = value
    score = interval_score(
        value,
        low,
        high,
        n=n,
        signature=signature(name, f"sacrebleu|{theirs}", interval=method, n=n),
        limits=limits,
        warning=doubt(influence(moments.value, rows), method),
    )
    return Measured({name: score})


def _statistics(scorer: Callable[[bool], Scorer], outcome: Outcome) -> tuple[FloatArray, str]:
    """float64 (rows, 1, counts): what each row adds to the counts, times the rows; and sacreBLEU's signature.

    Times the rows because scores are functions of the sums, not of the means: BLEU's smoothing asks how many there are.
    """
    most = max(map(len, outcome.targets))
    # By sacreBLEU's convention a list for all first references, one for all second ones, and None where there is none.
    streams = [[refs[index] if index < len(refs) else None for refs in outcome.targets] for index in range(most)]
    metric = scorer(is_chinese("\n".join(text for refs in outcome.targets for text in refs)))
    counts = metric._extract_corpus_statistics(list(outcome.outputs), cast("list[list[str]]", streams))
    rows = np.asarray(counts, dtype=np.float64)[:, None] * len(outcome)
    return rows, str(metric.get_signature())


# ---------------------------------------------------------------- sacreBLEU's settings, for Chinese or not


def _bleu_scorer(chinese: bool) -> Scorer:
    from sacrebleu.metrics.bleu import BLEU

    # ``force`` only silences a hint on texts that look tokenized.
    return BLEU(tokenize="zh" if chinese else "13a", force=True)


def _chrf_scorer(_: bool) -> Scorer:
    from sacrebleu.metrics.chrf import CHRF

    return CHRF(beta=_BETA)


def _ter_scorer(chinese: bool) -> Scorer:
    from sacrebleu.metrics.ter import TER

    # Without these a Chinese sentence would be one word.
    return TER(normalized=chinese, asian_support=chinese)


# ---------------------------------------------------------------- from sums to scores


def _bleu(sums: FloatArray) -> FloatArray:
    """Of the lengths of answers and references, then right and all sequences of 1 to 4 words: (…, 10)."""
    length, wanted, right, every = sums[..., 0], sums[..., 1], sums[..., 2:6], sums[..., 6:10]
    missed = right < _NONE
    # Where no sequence of a length is right, half a one is taken to be, then a quarter (NIST's smoothing).
    smoothed = np.where(missed, 0.5 ** np.cumsum(missed, axis=-1), right)
    exists = (every > _NONE).all(axis=-1) & ~missed.all(axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        brevity = np.minimum(1 - wanted / length, 0.0)
        found = np.exp(brevity + np.log(smoothed / every).mean(axis=-1))
    return np.where(exists, found, 0.0)


def _chrf(sums: FloatArray) -> FloatArray:
    """Of all sequences in answers, in references, and those in both, for 1 to 6 characters: (…, 18)."""
    given, wanted, both = (sums[..., start::3] for start in range(3))
    known = (given > _NONE) & (wanted > _NONE)
    orders = np.maximum(known.sum(axis=-1), 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        precision = np.where(known, both / given, 0.0).sum(axis=-1) / orders
        recall = np.where(known, both / wanted, 0.0).sum(axis=-1) / orders
        found = (1 + _BETA**2) * precision * recall / (_BETA**2 * precision + recall)
    return np.where(precision + recall > 0, found, 0.0)


def _ter(sums: FloatArray) -> FloatArray:
    """Of edits and words in the references: (…, 2)."""
    edits, words = sums[..., 0], sums[..., 1]
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(words > _NONE, edits / words, (edits > _NONE).astype(np.float64))


def _logit(value: FloatArray) -> FloatArray:
    inside = np.clip(value, _NEARLY, 1 - _NEARLY)
    return np.asarray(np.log(inside / (1 - inside)))


def _share(at: FloatArray) -> FloatArray:
    return np.asarray((1 + np.tanh(at / 2)) / 2)
