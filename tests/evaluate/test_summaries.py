"""TextRank beside its formula written out, where sentences are taken from, and the verdict in words."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from supertune.contracts import Score
from supertune.errors import UserError
from supertune.evaluate import places_taken, textrank, verdict_on_summaries
from supertune.language import words

SENTENCE = st.lists(st.sampled_from(["cat", "dog", "sat", "ran", "here", "now", "猫", "狗跑了", "."]), max_size=7).map(
    " ".join
)


def ranked(sentences: list[str]) -> list[float]:
    """The paper's formula, sentence by sentence."""
    kinds = [set(words(sentence)) for sentence in sentences]
    sizes = [math.log(max(1, len(words(sentence)))) for sentence in sentences]
    count = len(sentences)
    links = np.zeros((count, count))
    for one in range(count):
        for other in range(count):
            if one != other:
                common = len(kinds[one] & kinds[other])
                links[one, other] = common / (sizes[one] + sizes[other] or 1.0)
    ranks = np.ones(count)
    for _ in range(300):
        ranks = np.array(
            [
                0.15 + 0.85 * sum(links[j, i] / links[j].sum() * ranks[j] for j in range(count) if links[j, i])
                for i in range(count)
            ]
        )
    return ranks.tolist()


@given(st.lists(SENTENCE, max_size=7))
def test_textrank_is_its_formula(sentences: list[str]) -> None:
    order = textrank(sentences)
    assert sorted(order) == list(range(len(sentences)))
    values = ranked(sentences)
    for before, after in pairwise(order):
        assert values[before] >= values[after] - 1e-5


def test_the_most_central_sentence_comes_first() -> None:
    english = ["It rained.", "The old shop burned down on Monday.", "The shop was old.", "On Monday the fire burned."]
    assert textrank(english)[0] == 1
    assert textrank(["天气热。", "老店铺星期一失火了。", "店铺很老。", "星期一失火。"])[0] == 1
    assert textrank([]) == []
    assert textrank(["...", "!!!"]) == [0, 1]


def test_places_are_counted_in_tenths() -> None:
    picture = places_taken([(0, 9), (0,)], [(4,), ()], [10, 1])
    truth, given_ = (picture.groups[name] for name in ("nearest to the summaries", "this model"))
    assert list(truth) == [1, 0, 0, 0, 0, 1, 0, 0, 0, 1]
    assert list(given_) == [0, 0, 0, 0, 1, 0, 0, 0, 0, 0]
    assert "1.5 sentences" in picture.caption
    assert "本模型" in places_taken([(0,)], [(0,)], [1], language="zh").groups


def score(value: float, width: float = 0.02, n: int = 500) -> Score:
    return Score(value, value - width, value + width, n, "rouge1|n:500")


def said(value: float, difference: Score | None, *, language: str = "en", **options: float | int) -> str:
    baselines: Mapping[str, Mapping[str, Score]] = {
        name: {"rouge1": score(other)} for name, other in (("lead", 0.27), ("textrank", 0.26), ("oracle", 0.44))
    }
    own = score(value, **options)  # type: ignore[arg-type]
    return verdict_on_summaries({"rouge1": own}, baselines if difference else {}, difference, language=language)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_verdict_says_what_was_measured(language: str) -> None:
    ahead = said(0.3, Score(0.02, 0.01, 0.03, 500, "d"), language=language)
    for part in ("500", "30.0", "2.0", "+1.0", "+3.0", "26.0", "44.0", "ROUGE-1"):
        assert part in ahead
    texts = {
        ahead,
        said(0.3, Score(0.01, -0.01, 0.03, 500, "d"), language=language),
        said(0.2, Score(-0.07, -0.09, -0.05, 500, "d"), language=language),
        said(0.43, Score(0.16, 0.15, 0.17, 500, "d"), language=language),
        said(0.3, Score(0.02, 0.01, 0.03, 500, "d"), language=language, width=0.2),
        said(0.3, None, language=language),
        said(0.3, None, language=language, n=7),
    }
    assert len(texts) == 7
    assert not any("nan" in text or "  " in text for text in texts)


def test_other_languages_have_no_words() -> None:
    with pytest.raises(UserError, match="'fr'"):
        said(0.3, None, language="fr")
