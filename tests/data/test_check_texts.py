"""Groups of equal texts are exact, whatever the keys do."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from supertune.contracts import Columns
from supertune.data.check import texts as texts_module
from supertune.data.check.texts import BLANK, UNIQUE, blake2b_key, group_texts
from supertune.data.table import Table
from supertune.language import fold, is_blank

steady = settings(deadline=None, derandomize=True)


def tables(**splits):
    return {
        split: Table.from_rows([{"text": ""}, *({"text": text} for text in texts)]).select(
            np.arange(1, len(texts) + 1), step="rows"
        )
        for split, texts in splits.items()
    }


def partition(groups):
    """Sets of (split, row) that are said to have the same text."""
    found = {}
    for split, numbers in groups.of.items():
        for row, number in enumerate(numbers.tolist()):
            if number >= 0:
                found.setdefault(number, set()).add((split, row))
    return {frozenset(rows) for rows in found.values()}


def expected(**splits):
    found = {}
    for split, texts in splits.items():
        for row, text in enumerate(texts):
            if not is_blank(text):
                found.setdefault(fold(text), set()).add((split, row))
    return {frozenset(rows) for rows in found.values() if len(rows) > 1}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("好吃，推荐！", "　好吃，推荐！ "),
        ("late  again", "late\n again"),
        ("caf\u00e9", "cafe\u0301"),
        ("👩‍👩‍👧 ok", "👩‍👩‍👧\u3000ok"),
    ],
)
def test_equal_once_folded(one, other):
    groups = group_texts(tables(all=[one, "between", other]), Columns(("text",)))
    assert partition(groups) == {frozenset({("all", 0), ("all", 2)})}


@pytest.mark.parametrize(("one", "other"), [("好吃!", "好吃！"), ("简体", "簡體"), ("Late", "late"), ("👍", "👍🏽")])
def test_different_once_folded(one, other):
    assert group_texts(tables(all=[one, other]), Columns(("text",))).of["all"].tolist() == [UNIQUE, UNIQUE]


def test_blank_texts_are_marked_and_never_grouped():
    groups = group_texts(
        tables(all=["", " ", "\u3000", "\u200b", "\ufeff", "\u3000", "好", "\x00"]), Columns(("text",))
    )
    assert groups.of["all"].tolist() == [BLANK] * 6 + [UNIQUE, BLANK]
    assert groups.blank("all").tolist() == [0, 1, 2, 3, 4, 5, 7]


def test_several_columns_count_together():
    rows = [{"title": "a", "body": "b"}, {"title": "a", "body": "c"}, {"title": " a", "body": "b"}, {"title": "a"}]
    groups = group_texts({"all": Table.from_rows(rows)}, Columns(("title", "body")))
    assert partition(groups) == {frozenset({("all", 0), ("all", 2)})}


words = st.lists(
    st.sampled_from(["甲", "甲 ", "乙", "a", "b", "bb", " ", "", "\u200b"]) | st.text(max_size=3), max_size=30
)
poor_keys = st.sampled_from([lambda _: 0, lambda _: 2**64 - 1, len, lambda text: ord(text[0]) % 3, blake2b_key])


@steady
@given(words, words, poor_keys)
def test_colliding_keys_change_nothing(train, test, key):
    groups = group_texts(tables(train=train, test=test), Columns(("text",)), key=key)
    assert partition(groups) == expected(train=train, test=test)
    assert all((numbers < groups.count).all() for numbers in groups.of.values())


@pytest.mark.parametrize("chunk", [1, 2, 7])
def test_chunks_of_rows_do_not_cut_groups(monkeypatch, chunk):
    monkeypatch.setattr(texts_module, "_CHUNK", chunk)
    train = [f"text {number % 23}" for number in range(60)]
    test = [f"text {number % 31}" for number in range(40)]
    for key in (blake2b_key, len, lambda _: 5):
        groups = group_texts(tables(train=train, test=test), Columns(("text",)), key=key)
        assert partition(groups) == expected(train=train, test=test)


def test_keys_stay_the_same_so_that_a_seed_keeps_its_split():
    assert blake2b_key("好吃") == 7268868149719647572


def test_a_pair_is_the_same_where_both_sides_are():
    rows = [("a", "b"), ("a ", "b"), ("b", "a"), ("a\nb", "c"), ("a", "b\nc"), ("a", " "), ("", "a")]
    table = Table.from_rows([{"text": one, "other": other} for one, other in rows])
    pair = Columns(("text", "other"), pair=True)
    groups = group_texts({"all": table}, pair).of["all"].tolist()
    assert groups[0] == groups[1] >= 0
    assert groups[2:5] == [UNIQUE] * 3
    assert groups[5:] == [BLANK] * 2
    both = group_texts({"all": table}, Columns(("text", "other"), pair=True, symmetric=True)).of["all"].tolist()
    assert both[0] == both[1] == both[2] >= 0
    assert both[3:5] == [UNIQUE] * 2
