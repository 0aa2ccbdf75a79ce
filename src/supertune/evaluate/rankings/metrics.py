"""How far up the relevant items stand: metrics of retrieval, each a mean over the queries."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from supertune.contracts import FloatArray, Outcome
from supertune.evaluate.metric import Metric
from supertune.evaluate.row_means import row_mean


def mrr() -> Metric:
    """Mean of 1 ÷ the rank of the first relevant item, 0 where none is among those given (Voorhees 1999)."""
    return row_mean(_reciprocal_ranks, _cutoff)


def mean_average_precision() -> Metric:
    """Mean of the average of the precisions at each relevant item, over all that are relevant, found or not.

    As trec_eval's ``map``; Buckley and Voorhees 2000, "Evaluating Evaluation Measure Stability".
    """
    return row_mean(_average_precisions, _cutoff)


def ndcg(cutoff: int) -> Metric:
    """Discounted gain of the first items ÷ that of the best order there is, gains being the relevances themselves.

    Linear gains and 1 ÷ log2(rank + 1), as Järvelin and Kekäläinen 2002, trec_eval's ``ndcg`` and scikit-learn's
    ``ndcg_score``; not the 2^relevance − 1 of Burges et al. 2005.
    """

    def rows(outcome: Outcome) -> FloatArray:
        discounts = 1 / np.log2(np.arange(2, cutoff + 2))
        best = np.array([discounts[: len(relevant)] @ relevant[:cutoff] for relevant in outcome.targets])
        return np.asarray(np.minimum(outcome.outputs[:, :cutoff] @ discounts / best, 1.0))

    return row_mean(rows, lambda _: "gains:linear", impossible=_needs(cutoff))


def recall(cutoff: int) -> Metric:
    """Share of all relevant items that are among the first."""

    def rows(outcome: Outcome) -> FloatArray:
        return np.asarray((outcome.outputs[:, :cutoff] > 0).sum(axis=1) / _relevant(outcome))

    return row_mean(rows, lambda _: "over:relevant", impossible=_needs(cutoff))


def _reciprocal_ranks(outcome: Outcome) -> FloatArray:
    relevant = outcome.outputs > 0
    return np.asarray(np.where(relevant.any(axis=1), 1 / (relevant.argmax(axis=1) + 1), 0.0))


def _average_precisions(outcome: Outcome) -> FloatArray:
    relevant = outcome.outputs > 0
    precisions = relevant.cumsum(axis=1) / np.arange(1, relevant.shape[1] + 1)
    return np.asarray((precisions * relevant).sum(axis=1) / _relevant(outcome))


def _relevant(outcome: Outcome) -> FloatArray:
    """float64 (rows,): how many items are relevant to each query."""
    return np.array([len(relevant) for relevant in outcome.targets], dtype=np.float64)


def _cutoff(outcome: Outcome) -> str:
    return f"first:{outcome.outputs.shape[1]}"


def _needs(cutoff: int) -> Callable[[Outcome], str | None]:
    def impossible(outcome: Outcome) -> str | None:
        given = outcome.outputs.shape[1]
        if given >= cutoff:
            return None
        return f"only the first {given} items of each query are known, and the metric is about the first {cutoff}"

    return impossible
