"""Answers are pointed out where they stand, and nothing of the text is changed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from supertune.recipes.kinds.marking import marked

part = st.tuples(st.integers(0, 59), st.integers(1, 30)).map(lambda found: (found[0], min(60, sum(found))))


def test_both_are_marked_where_they_stand() -> None:
    text = "the cat sat on the mat"
    assert marked(text, (4, 7), (4, 7)) == "the ⟦«cat»⟧ sat on the mat"
    assert marked(text, (4, 7), (8, 11)) == "the ⟦cat⟧ «sat» on the mat"
    assert marked(text, (4, 7), (4, 11)) == "the ⟦«cat⟧ sat» on the mat"
    assert marked(text, None, (0, 3)) == "«the» cat sat on the mat"
    assert marked(text, None, None) == text


@given(part | st.none(), part | st.none())
def test_without_the_signs_a_short_text_is_as_it_was(
    truth: tuple[int, int] | None, given_: tuple[int, int] | None
) -> None:
    text = "0123456789" * 6
    shown = marked(text, truth, given_)
    bare = "".join(character for character in shown if character not in "⟦⟧«»")
    assert bare == text
    if truth:
        inside = shown.partition("⟦")[2].partition("⟧")[0]
        assert "".join(character for character in inside if character not in "«»") == text[slice(*truth)]


def test_what_is_far_from_both_is_left_out() -> None:
    text = "x" * 1000 + "right" + "y" * 1000 + "wrong" + "z" * 1000
    shown = marked(text, (1000, 1005), (2005, 2010))
    assert shown.startswith("…x")
    assert "⟦right⟧yy" in shown
    assert "yy«wrong»" in shown
    assert len(shown) < 400
