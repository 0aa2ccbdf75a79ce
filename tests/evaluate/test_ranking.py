"""Metrics of rankings equal their definitions and scikit-learn's nDCG."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn.metrics import ndcg_score

from supertune.contracts import FloatArray, Outcome
from supertune.errors import UserError
from supertune.evaluate import METRICS, estimate, measure, metrics_for, paired_difference

NAMES = metrics_for("ranking")


def collection(random: np.random.Generator, queries: int, strength: float = 1.0) -> tuple[FloatArray, FloatArray]:
    """Relevances of 120 items to each query, 1 to 15 of them above 0, and a model's scores, no two alike."""
    relevances = np.zeros((queries, 120))
    for row in relevances:
        row[: random.integers(1, 16)] = 1
        row *= random.integers(1, 4, 120) if random.random() < 0.5 else 1
        random.shuffle(row)
    return relevances, random.normal(size=relevances.shape) + strength * relevances


def ranked(relevances: FloatArray, scores: FloatArray, first: int = 100) -> Outcome:
    order = np.argsort(-scores, axis=1)[:, :first]
    targets = (tuple(np.sort(row[row > 0])[::-1].tolist()) for row in relevances)
    return Outcome(
        np.fromiter(targets, object, len(relevances)), np.take_along_axis(relevances, order, axis=1), answers="ranking"
    )


def by_definition(found: list[float], relevant: tuple[float, ...]) -> dict[str, float]:
    """Of one query."""
    ranks = [rank for rank, relevance in enumerate(found, 1) if relevance > 0]

    def gain(relevances: list[float]) -> float:
        return sum(relevance / math.log2(rank + 1) for rank, relevance in enumerate(relevances[:10], 1))

    return {
        "mrr": 1 / ranks[0] if ranks else 0.0,
        "ndcg@10": gain(found) / gain(list(relevant)),
        "recall@1": sum(rank <= 1 for rank in ranks) / len(relevant),
        "recall@10": sum(rank <= 10 for rank in ranks) / len(relevant),
        "recall@100": sum(rank <= 100 for rank in ranks) / len(relevant),
        "map": sum(number / rank for number, rank in enumerate(ranks, 1)) / len(relevant),
    }


def test_two_thousand_random_queries_equal_the_definitions_and_scikit_learn() -> None:
    random = np.random.default_rng(0)
    relevances, scores = collection(random, 2000)
    rankings = ranked(relevances, scores)
    wanted = [by_definition(*row) for row in zip(rankings.outputs.tolist(), rankings.targets, strict=True)]
    for name in NAMES:
        entry = METRICS["ranking"][name]
        assert entry.from_rows is not None
        np.testing.assert_allclose(entry.from_rows(rankings), [row[name] for row in wanted], rtol=0, atol=1e-12)
        assert estimate(rankings, name) == pytest.approx(np.mean([row[name] for row in wanted]))
    assert estimate(rankings, "ndcg@10") == pytest.approx(ndcg_score(relevances, scores, k=10))


def test_a_ranking_by_hand() -> None:
    rankings = Outcome(np.fromiter([(3.0, 2.0, 1.0)], object, 1), np.array([[0.0, 2.0, 0.0, 3.0]]), answers="ranking")
    best = 3 + 2 / math.log2(3) + 1 / 2
    padded = Outcome(rankings.targets, np.pad(rankings.outputs, ((0, 0), (0, 6))), answers="ranking")
    assert estimate(rankings, "mrr") == pytest.approx(1 / 2)
    assert estimate(rankings, "map") == pytest.approx((1 / 2 + 2 / 4) / 3)
    assert estimate(padded, "ndcg@10") == pytest.approx((2 / math.log2(3) + 3 / math.log2(5)) / best)
    assert estimate(padded, "recall@10") == pytest.approx(2 / 3)


def test_metrics_of_more_items_than_are_known_do_not_exist_and_say_so() -> None:
    random = np.random.default_rng(1)
    rankings = ranked(*collection(random, 20), first=10)
    found = measure(rankings, NAMES, resamples=200)
    assert set(found.undefined) == {"recall@100"}
    assert "first 10 items" in found.undefined["recall@100"]
    with pytest.raises(UserError, match="first 100"):
        estimate(rankings, "recall@100")
    assert "|first:10|" in found.scores["mrr"].signature
    assert "|gains:linear|" in found.scores["ndcg@10"].signature


def test_scores_lie_in_their_intervals_and_differences_have_the_right_sign() -> None:
    random = np.random.default_rng(2)
    relevances, scores = collection(random, 200, 2.0)
    good = ranked(relevances, scores)
    bad = ranked(relevances, scores + 2 * random.normal(size=scores.shape))
    found = measure(good, NAMES, resamples=500).scores
    for name in NAMES:
        assert 0 < found[name].low < found[name].value < found[name].high <= 1
        difference = paired_difference(good, bad, name, resamples=500)
        assert 0 < difference.low < difference.value < difference.high
        same = paired_difference(good, good, name)
        assert same.low < same.value == 0 < same.high
        assert "only 0 of 200" in (same.warning or "")


def test_shares_of_queries_have_wilsons_interval() -> None:
    targets = np.fromiter([(1.0,)] * 50, object, 50)
    outputs = np.zeros((50, 1))
    outputs[:48] = 1
    found = measure(Outcome(targets, outputs, answers="ranking"), ["recall@1"]).scores["recall@1"]
    wanted = binomtest(48, 50).proportion_ci(method="wilson")
    assert (found.low, found.high) == pytest.approx((wanted.low, wanted.high))


@pytest.mark.parametrize(
    ("relevant", "found", "wrong"),
    [
        ((), [0.0], "nothing is relevant to the query of row 1"),
        ((1.0,), [math.nan], "relevance of row 1 is not a number from 0"),
        ((1.0,), [-1.0], "relevance of row 1 is not a number from 0"),
        ((1.0, 0.0), [1.0], "relevance of row 1 is not a number above 0"),
        ((math.inf,), [1.0], "relevance of row 1 is not a number above 0"),
        ((1.0, 2.0), [1.0], "row 1 do not descend"),
        ((1.0,), [2.0], "more was found for the query of row 1"),
        ((1.0,), [1.0, 1.0], "more was found for the query of row 1"),
    ],
)
def test_rankings_that_are_none_are_refused_with_their_row(
    relevant: tuple[float, ...], found: list[float], wrong: str
) -> None:
    targets = np.fromiter([(2.0, 1.0), relevant], object, 2)
    outputs = np.array([[0.0] * len(found), found])
    with pytest.raises(UserError, match=wrong):
        measure(Outcome(targets, outputs, answers="ranking"), NAMES)


def test_shapes_that_do_not_fit_are_refused() -> None:
    targets = np.fromiter([(1.0,)] * 2, object, 2)
    for outputs in (np.zeros(2), np.zeros((3, 4)), np.zeros((2, 0))):
        with pytest.raises(UserError, match="2 queries"):
            measure(Outcome(targets, outputs, answers="ranking"), NAMES)
    with pytest.raises(UserError, match="no rows"):
        measure(Outcome(targets[:0], np.zeros((0, 4)), answers="ranking"), NAMES)
