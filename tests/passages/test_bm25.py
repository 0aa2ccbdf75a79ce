"""BM25 equals the formula of the textbook, in English and Chinese, and comes back from the disk as it was."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from supertune.errors import UserError
from supertune.language import search_terms
from supertune.passages import NOTHING, Bm25

PASSAGES = (
    "The parcel is late, the box was torn.",
    "Where is my PARCEL?",
    "包裹还没到，盒子破了。",
    "小猫在箱子里。",
    "",
    "We send lamps; ＬＡＭＰＳ are not books.",
    "Где моя посылка?",
)


def textbook(passages: list[list[str]], query: list[str], k1: float, b: float) -> list[float]:
    """The sum over the query's terms, as it stands in the docstring."""
    average = sum(map(len, passages)) / len(passages)
    scores = []
    for passage in passages:
        score = 0.0
        for term in query:
            having = sum(term in other for other in passages)
            rarity = math.log(1 + (len(passages) - having + 0.5) / (having + 0.5))
            often = passage.count(term)
            score += rarity * often / (often + k1 * (1 - b + b * len(passage) / average))
        scores.append(score)
    return scores


@settings(max_examples=60, deadline=None)
@given(
    passages=st.lists(st.lists(st.sampled_from("ab好猫x1"), max_size=9).map(" ".join), min_size=1, max_size=15),
    query=st.lists(st.sampled_from("ab好猫y"), max_size=5).map(" ".join),
    k1=st.sampled_from((0.9, 1.2, 2.0)),
    b=st.sampled_from((0.0, 0.4, 0.75, 1.0)),
)
def test_scores_are_those_of_the_textbook(passages: list[str], query: str, k1: float, b: float) -> None:
    found = Bm25.build(passages, k1=k1, b=b).search([query], len(passages))
    terms = [search_terms(passage) for passage in passages]
    if not any(terms):
        assert (found.ids == NOTHING).all()
        return
    expected = textbook(terms, search_terms(query), k1, b)
    hits = [number for number, score in enumerate(expected) if score > 0]
    assert sorted(found.ids[0][found.ids[0] != NOTHING].tolist()) == hits
    for number, score in zip(found.ids[0].tolist(), found.scores[0].tolist(), strict=True):
        assert number == NOTHING or score == pytest.approx(expected[number], rel=1e-5)
    assert (found.scores[0][:-1] >= found.scores[0][1:]).all()


def test_words_of_every_script_find_their_passages() -> None:
    index = Bm25.build(PASSAGES)
    for query, first in (("parcel late", 0), ("my Parcel", 1), ("包裹", 2), ("猫", 3), ("lamps", 5), ("ПОСЫЛКА", 6)):
        assert index.search([query], 3).ids[0, 0] == first, query
    assert (index.search(["zebra", ""], 3).ids == NOTHING).all()
    assert index.search([], 3).ids.shape == (0, 3)


def test_equal_scores_come_in_the_order_of_the_passages() -> None:
    index = Bm25.build(["same words"] * 50)
    assert index.search(["words"], 7).ids[0].tolist() == list(range(7))


def test_an_index_comes_back_from_the_disk(tmp_path: Path) -> None:
    index = Bm25.build(PASSAGES, k1=0.9, b=0.4)
    index.save(tmp_path / "bm25")
    back = Bm25.open(tmp_path / "bm25")
    queries = ["the parcel", "盒子 箱子", "lamps"]
    assert (back.search(queries, 5).ids == index.search(queries, 5).ids).all()
    assert (back.search(queries, 5).scores == index.search(queries, 5).scores).all()
    (tmp_path / "bm25" / "worth.npy").write_bytes(b"no")
    with pytest.raises(UserError, match=r"worth\.npy"):
        Bm25.open(tmp_path / "bm25")
    (tmp_path / "bm25" / "terms.json").write_text('{"terms": 3}')
    with pytest.raises(UserError, match=r"terms\.json"):
        Bm25.open(tmp_path / "bm25")


def test_passages_without_words_are_no_trouble(tmp_path: Path) -> None:
    index = Bm25.build(["", "。", "😀"])
    index.save(tmp_path / "bm25")
    assert (Bm25.open(tmp_path / "bm25").search(["words"], 2).ids == NOTHING).all()
    assert np.isneginf(index.search(["words"], 2).scores).all()
