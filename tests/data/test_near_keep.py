"""Which row of each cluster stays."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from supertune.data import Table
from supertune.data.near_duplicates import disputed_clusters, surplus_rows
from supertune.errors import UserError

CLUSTERS = np.array([0, -1, 0, 1, 0, 1, -1])
TEXTS = ["短", "x", "长一点", "same", "长一 点", "same ", "y"]
LABELS = np.array([5, 0, 6, 2, 6, 2, 1])


def test_first():
    assert surplus_rows(CLUSTERS).tolist() == [2, 4, 5]


def test_longest_counts_folded_characters_and_takes_the_first_of_equals():
    assert surplus_rows(CLUSTERS, keep="longest", texts=TEXTS).tolist() == [0, 2, 5]


def test_most_complete():
    cells = [(None, 1), (1, 1), ("　", 2), (None, None), ("a", 3), ("b", None), (1, 1)]
    rows = Table.from_rows([{"one": one if one is None else str(one), "two": two} for one, two in cells])
    assert surplus_rows(CLUSTERS, keep="most-complete", table=rows).tolist() == [0, 2, 3]


def test_most_agreed():
    assert surplus_rows(CLUSTERS, keep="most-agreed", labels=LABELS).tolist() == [0, 4, 5]
    without = np.array([-1, 0, -1, -1, 3, -1, 0])
    assert surplus_rows(CLUSTERS, keep="most-agreed", labels=without).tolist() == [0, 2, 5]


def test_clusters_that_are_not_of_one_mind():
    assert disputed_clusters(CLUSTERS, LABELS).tolist() == [0]
    assert disputed_clusters(CLUSTERS, np.array([5, 0, -1, 2, 5, 3, 1])).tolist() == [1]
    assert disputed_clusters(np.full(3, -1), np.zeros(3, int)).tolist() == []


@settings(deadline=None, derandomize=True)
@given(st.lists(st.integers(-1, 5), max_size=40), st.sampled_from(["first", "longest", "most-agreed"]), st.randoms())
def test_one_row_of_each_cluster_stays(numbers, keep, source):
    clusters = np.array(numbers, np.int64)
    texts = ["a" * source.randrange(4) for _ in numbers]
    labels = np.array([source.randrange(-1, 3) for _ in numbers], np.int64)
    gone = surplus_rows(clusters, keep=keep, texts=texts, labels=labels)
    kept = np.delete(clusters, gone)
    assert sorted(kept[kept >= 0].tolist()) == sorted(set(numbers) - {-1})
    assert (np.diff(gone) > 0).all()
    assert (clusters[gone] >= 0).all()


def test_what_is_missing_is_told():
    with pytest.raises(UserError, match="'best' is no way"):
        surplus_rows(CLUSTERS, keep="best")
    for keep in ("longest", "most-complete", "most-agreed"):
        with pytest.raises(ValueError, match="needed"):
            surplus_rows(CLUSTERS, keep=keep)
    with pytest.raises(ValueError, match="7 are in the clusters"):
        surplus_rows(CLUSTERS, keep="longest", texts=["a"])
