"""What is compared of a text: the same by hand, in Python's sets and in arrays."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from supertune.data.near_duplicates import jaccard, shingles
from supertune.data.near_duplicates.shingling import shingle_hashes
from supertune.language import compared_units, fold, fold_case_and_width

steady = settings(deadline=None, derandomize=True)
hard = "ab 'A。！好吃味道＇ｶﾞがé\u0301\u200d\ufe0f👍👎ßﬁ한\u1112\u1161\u11abहिन्दी\u0345\x00…ไทย"
any_text = st.text(st.characters() | st.sampled_from(hard), max_size=12)


@pytest.mark.parametrize(
    ("text", "units"),
    [
        ("Late again!", ["late", "again"]),
        ("don't e-mail", ["dont", "e", "mail"]),
        ("很好吃，推荐！", ["很", "好", "吃", "推", "荐"]),
        ("买了iPhone 15，ＧＯＯＤ", ["买", "了", "iphone", "15", "good"]),
        ("好👍🏽 ok", ["好", "👍", "🏽", "ok"]),
        ("？！", ["?", "!"]),
        ("’", ["’"]),
        ("co\u00adoperate", ["cooperate"]),
        ("हिन्दी है", ["हिन्दी", "है"]),
        ("ไทย", ["ไ", "ท", "ย"]),
        ("  \u200b\u3000", []),
        ("a\x00b", ["a", "b"]),
    ],
)
def test_units_of_both_languages_and_others(text, units):
    assert compared_units(text) == units


def test_short_texts_have_shingles_of_their_own():
    assert shingles("好") == {("", "好"), ("好", "")}
    assert shingles("好", 3) == {("", "", "好"), ("", "好", ""), ("好", "", "")}
    assert shingles("late again") == {("", "late"), ("late", "again"), ("again", "")}
    assert shingles("late again", 1) == {("late",), ("again",)}
    assert shingles("") == shingles(" \u3000") == frozenset()
    singles = ["好", "吃", "好吃", "a", "b", "👍", "👎", "!", "?"]
    assert all(jaccard(one, other) < 1 for one, other in combinations(singles, 2))


def test_similarity_by_hand():
    # Twenty units have 21 shingles; another word in the middle changes two of them.
    words = [f"word{number}" for number in range(20)]
    other = [*words[:10], "else", *words[11:]]
    assert jaccard(" ".join(words), " ".join(other)) == pytest.approx(19 / 23)
    assert jaccard("味道很好，送餐快。", "味道很好 送餐快！！") == 1
    assert jaccard("GREAT food", "great food.") == 1
    assert jaccard("", "") == 0


@steady
@given(any_text, any_text)
def test_texts_that_are_equal_once_folded_have_the_same_shingles(one, other):
    if fold(one) == fold(other):
        assert shingles(one) == shingles(other)


@settings(steady, max_examples=300)
@given(st.lists(any_text, max_size=6), st.sampled_from([1, 2, 3]))
@example(["…", "...", "‥", "a…b", "a b"], 2)
@example(["ﾊﾞ", "バ", "ハ\u3099", "ハ"], 2)
@example(["a\x00b", "a b", "\x00", ""], 2)
def test_hashes_stand_for_the_same_sets(texts, ngram):
    found = shingle_hashes(texts, ngram)
    hashes = [set(found.hashes[a:b].tolist()) for a, b in zip(found.offsets[:-1], found.offsets[1:], strict=True)]
    sets = [shingles(text, ngram) for text in texts]
    assert [len(own) for own in hashes] == [len(own) for own in sets]
    for one, other in combinations(range(len(texts)), 2):
        assert len(hashes[one] & hashes[other]) == len(sets[one] & sets[other])


@steady
@given(st.lists(any_text, max_size=5), any_text)
def test_the_batch_around_a_text_makes_no_difference(others, text):
    alone = shingle_hashes([text])
    beside = shingle_hashes([*others, text, *others])
    start, stop = beside.offsets[len(others) : len(others) + 2]
    assert np.array_equal(beside.hashes[start:stop], alone.hashes)


@steady
@given(st.text())
def test_units_hold_all_letters_and_digits(text):
    folded = fold_case_and_width(text)
    assert [c for c in "".join(compared_units(text)) if c.isalnum()] == [c for c in folded if c.isalnum()]


def test_hashes_stay_the_same_between_processes_and_machines():
    expected = [7692919870120926899, 2942313833031901493, 4081971513106730569, 4717023513082676009]
    assert shingle_hashes(["好吃 ok"]).hashes.tolist() == expected
