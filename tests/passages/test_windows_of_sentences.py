"""Long passages in windows: each fits, sentences stay whole where they can, and nothing of the text is lost."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from supertune.language import break_near_middle, search_terms
from supertune.passages import windows_of
from supertune.sentences import sentence_spans, sentences


def tokens(texts: Sequence[str]) -> np.ndarray:
    """Two special tokens, and one for each word or character of a script without spaces."""
    return np.array([2 + sum(len(term) == 1 or term.isascii() for term in search_terms(text)) for text in texts])


PIECES = st.sampled_from(
    [
        "The parcel is late. ",
        "It was torn! ",
        "好。",
        "包裹还没到，盒子破了。",
        "a, b, c, d, e, f, g, h, i, j. ",
        "\n",
        "x" * 9 + " ",
    ]
)


@settings(max_examples=80, deadline=None)
@given(texts=st.lists(st.lists(PIECES, max_size=30).map("".join), min_size=1, max_size=4), most=st.integers(6, 20))
def test_windows_fit_and_cover_the_text(texts: list[str], most: int) -> None:
    for text, windows in zip(texts, windows_of(texts, tokens, most), strict=True):
        if tokens([text])[0] <= most:
            assert windows == [(0, len(text))]
            continue
        assert (tokens([text[start:end] for start, end in windows]) <= most).all()
        covered = np.zeros(len(text), bool)
        for start, end in windows:
            assert 0 <= start < end <= len(text)
            covered[start:end] = True
        assert not "".join(text[place] for place in np.flatnonzero(~covered)).strip()
        assert [start for start, _ in windows] == sorted(start for start, _ in windows)
        # None is within another.
        assert all(one[1] < other[1] for one, other in pairwise(windows))


def test_windows_are_whole_sentences_and_share_some() -> None:
    said = [f"Word {number} and again {number}." for number in range(12)]
    text = " ".join(said)
    windows = [text[start:end] for start, end in windows_of([text], tokens, 22)[0]]
    assert len(windows) > 2
    for window in windows:
        assert all(sentence in said for sentence in sentences(window))
    for one, other in pairwise(windows):
        assert sentences(one)[-1] == sentences(other)[0]


def test_a_sentence_too_long_is_cut_behind_a_comma() -> None:
    text = "包裹还没到了很久很久，盒子破了好几个地方，要退货要退款要赔偿，请尽快回复。"
    windows = [text[start:end] for start, end in windows_of([text], tokens, 22)[0]]
    assert len(windows) > 1
    assert all(window.endswith(("，", "。")) for window in windows)


def test_characters_without_any_break_are_cut_all_the_same() -> None:
    windows = windows_of(["好" * 100], tokens, 12)[0]
    assert windows[0][0] == 0
    assert windows[-1][1] == 100


@given(st.text(alphabet="ab好。.!？ \n\u0301", max_size=40))
def test_spans_of_sentences_are_their_places(text: str) -> None:
    assert [text[start:end] for start, end in sentence_spans(text)] == sentences(text)


@given(st.text(alphabet="ab好，, \u0301", min_size=2, max_size=40))
def test_a_cut_leaves_something_on_both_sides(text: str) -> None:
    assert 0 < break_near_middle(text) < len(text)


def test_terms_are_words_and_pairs_of_characters() -> None:
    assert search_terms("Don't ＳＨＩＰ 3 lamps!") == ["don't", "ship", "3", "lamps"]
    assert search_terms("小猫 iPhone15") == ["小", "猫", "小猫", "iphone15"]
    assert search_terms("Straße Ünal посылка") == ["strasse", "ünal", "посылка"]
    assert search_terms("猫、犬") == ["猫", "犬"]
    assert search_terms("，。😀") == []
