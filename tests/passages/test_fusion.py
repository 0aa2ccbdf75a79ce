"""Rankings joined by reciprocal ranks, and the measure of what a search finds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from supertune.passages import NOTHING, Found, Vectors, fused, nearest, recall, without


def ranking(*rows: list[int]) -> Found:
    ids = np.array(rows, np.int64)
    return Found(ids, np.where(ids == NOTHING, -np.inf, 1.0).astype(np.float32))


@given(
    rankings=st.lists(st.lists(st.integers(0, 12), min_size=6, max_size=6, unique=True), min_size=1, max_size=4),
    present=st.integers(0, 6),
)
def test_a_passage_is_worth_the_sum_of_its_reciprocal_ranks(rankings: list[list[int]], present: int) -> None:
    rankings[0][present:] = [NOTHING] * (6 - present)
    found = fused([ranking(ids) for ids in rankings], 20)
    worth: dict[int, float] = {}
    for ids in rankings:
        for rank, number in enumerate(ids, 1):
            if number != NOTHING:
                worth[number] = worth.get(number, 0.0) + 1 / (60 + rank)
    numbers = found.ids[0][found.ids[0] != NOTHING].tolist()
    assert sorted(numbers) == sorted(worth)
    assert found.scores[0, : len(worth)] == pytest.approx([worth[number] for number in numbers])
    assert (np.diff(found.scores[0, : len(worth)]) <= 0).all()


def test_rankings_of_several_queries_stay_apart() -> None:
    found = fused([ranking([1, 2], [3, 4]), ranking([2, 1], [4, NOTHING])], 3)
    assert found.ids.tolist() == [[1, 2, NOTHING], [4, 3, NOTHING]]


def test_recall_takes_equals_for_equals() -> None:
    vectors = np.repeat(np.eye(4, dtype=np.float32), 3, axis=0)
    whole, queries = Vectors("float32", 4, vectors), vectors[[0, 3]]
    truth = nearest(whole, queries, 2)
    assert truth.ids.tolist() == [[0, 1], [3, 4]]
    assert recall(ranking([1, 2], [3, 8]), truth, whole, queries).tolist() == [1.0, 0.5]
    assert recall(ranking([NOTHING, 9], [5, 4]), truth, whole, queries).tolist() == [0.0, 1.0]


def test_a_passage_is_not_found_by_itself() -> None:
    found = without(ranking([4, 7, 1], [5, 2, 3]), np.array([7, 9]))
    assert found.ids.tolist() == [[4, 1], [5, 2]]
