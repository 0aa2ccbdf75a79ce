"""What is said of rankings: the numbers, luck told apart from change, and one piece of advice."""

from __future__ import annotations

import pytest

from supertune.contracts import Score
from supertune.errors import UserError
from supertune.evaluate import verdict_on_rankings


def score(value: float, low: float, high: float, n: int = 400) -> Score:
    return Score(value, low, high, n, "mrr")


def scores(first: float = 0.6, n: int = 400, width: float = 0.04) -> dict[str, Score]:
    return {
        "mrr": score(first + 0.1, first + 0.1 - width, first + 0.1 + width, n),
        "recall@1": score(first, first - width, first + width, n),
    }


@pytest.mark.parametrize(
    ("language", "said"),
    [
        (
            "en",
            [
                "Of 400 test queries",
                "60 % (56 to 64 %)",
                "0.700 (0.660 to 0.740)",
                "BM25) reaches 0.500",
                "0.080 ahead",
            ],
        ),
        ("zh", ["400 个测试查询", "60%（56% 至 64%）", "0.700（0.660 至 0.740）", "BM25）可达 0.500", "高 0.080"]),
    ],
)
def test_the_numbers_are_told(language: str, said: list[str]) -> None:
    told = verdict_on_rankings(
        scores(), {"bm25": {"mrr": score(0.5, 0.4, 0.6)}}, score(0.08, 0.02, 0.14), language=language
    )
    assert all(part in told for part in said), told


@pytest.mark.parametrize(
    ("difference", "rival", "said", "advised"),
    [
        (score(0.08, 0.02, 0.14), "untrained", "luck alone would rarely", "worst errors in the report first"),
        (score(0.01, -0.02, 0.04), "untrained", "which could be luck", "so far the model as it was does as well"),
        (score(0.01, -0.02, 0.04), "bm25", "differs from words alone by +0.010", "so far words do as well"),
        (
            score(-0.1, -0.2, -0.05),
            "untrained",
            "0.100 behind what it was before training (between −0.200 and −0.050",
            "Use the model as it was",
        ),
        (score(-0.1, -0.2, -0.05), "bm25", "0.100 behind words alone", "Leave the order to the words"),
        (None, "untrained", "in the first place", "worst errors in the report first"),
    ],
)
def test_luck_and_advice(difference: Score | None, rival: str, said: str, advised: str) -> None:
    told = verdict_on_rankings(scores(), {}, difference, rival=rival)
    assert said in told
    assert told.rstrip(".").count(advised) == 1
    assert "words" not in told or rival == "bm25"
    chinese = verdict_on_rankings(scores(), {}, difference, rival=rival, language="zh")
    assert ("运气" in chinese) == (difference is not None)


def test_few_queries_and_hard_ones_have_advice_of_their_own() -> None:
    assert "More test queries would help most" in verdict_on_rankings(scores(n=20), {}, None)
    assert "More test queries would help most" in verdict_on_rankings(scores(width=0.2), {}, None)
    assert "hard negatives" in verdict_on_rankings(scores(first=0.3), {}, None)
    assert "hard negatives" not in verdict_on_rankings(scores(first=0.3), {}, None, rival="bm25")
    with pytest.raises(UserError, match="'fr'"):
        verdict_on_rankings(scores(), {}, None, language="fr")
