"""Tags of every scheme stand for the entities that wrote them, and slips are told where the scheme forbids them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supertune.entity_tags import entities_of, looks_like_tag, scheme_of, slips

LETTERS = {"IOB2": "BIIB", "BIOES": "BIES", "BILOU": "BILU", "BMES": "BMES"}
"""Of each scheme how an entity begins, goes on, ends, and is written that is one token long."""
spans = st.lists(st.tuples(st.integers(0, 2), st.integers(1, 4), st.sampled_from("ab")), max_size=5)


def placed(pieces: list[tuple[int, int, str]]) -> tuple[list[tuple[int, int, str]], int]:
    """Entities (first, behind the last, label) with gaps between them, and how many tokens there are."""
    entities, place = [], 0
    for gap, length, label in pieces:
        entities.append((place + gap, place + gap + length, label))
        place += gap + length
    return entities, place + 1


def written(entities: list[tuple[int, int, str]], tokens: int, scheme: str) -> list[str]:
    begins, inside, ends, single = LETTERS[scheme]
    tags = ["O"] * tokens
    for first, behind, label in entities:
        letters = single if behind == first + 1 else begins + inside * (behind - first - 2) + ends
        tags[first:behind] = [f"{letter}-{label}" for letter in letters]
    return tags


@pytest.mark.parametrize("scheme", LETTERS)
@given(spans)
def test_what_a_scheme_wrote_is_read_back_without_slips(scheme: str, pieces: list[tuple[int, int, str]]) -> None:
    entities, tokens = placed(pieces)
    tags = written(entities, tokens, scheme)
    assert entities_of(tags) == entities
    assert slips(tags, scheme) == []


@given(spans)
def test_iob1_marks_only_what_touches_its_like(pieces: list[tuple[int, int, str]]) -> None:
    entities, tokens = placed(pieces)
    tags = ["O"] * tokens
    for first, behind, label in entities:
        touches = first > 0 and tags[first - 1][2:] == label
        tags[first:behind] = [f"{'B' if touches else 'I'}-{label}", *[f"I-{label}"] * (behind - first - 1)]
    assert entities_of(tags) == entities
    scheme = scheme_of([tags])
    assert scheme in (("IOB1",) if entities else ("IO",))
    assert slips(tags, scheme) == []


@pytest.mark.parametrize(
    ("tags", "scheme"),
    [
        (["B-a", "I-a", "O"], "IOB2"),
        (["I-a", "I-a", "B-a", "O"], "IOB1"),
        (["B-a", "E-a", "S-b"], "BIOES"),
        (["B-a", "L-a", "U-b"], "BILOU"),
        (["B-a", "M-a", "E-a", "S-a"], "BMES"),
        (["person-actor", "O", "person-actor"], "IO"),
        (["O", "O"], "IO"),
    ],
)
def test_the_scheme_is_known_by_its_letters(tags: list[str], scheme: str) -> None:
    assert scheme_of([["O"], tags]) == scheme


def test_plain_labels_are_entities_as_long_as_they_go_on() -> None:
    tags = ["PER", "PER", "O", "person-actor/director", "LOC", "LOC"]
    assert entities_of(tags) == [(0, 2, "PER"), (3, 4, "person-actor/director"), (4, 6, "LOC")]
    assert entities_of(["B", "I", "o", "B"]) == [(0, 2, "entity"), (3, 4, "entity")]
    assert entities_of(["B_PER", "I_PER"]) == [(0, 2, "PER")]


@pytest.mark.parametrize(
    ("tags", "scheme", "places"),
    [
        (["O", "I-a", "I-a"], "IOB2", [1]),
        (["B-a", "I-b"], "IOB2", [1]),
        (["B-a", "I-a", "O"], "BIOES", [1]),
        (["B-a", "O"], "BILOU", [0]),
        (["E-a"], "BMES", [0]),
        (["O", "I-a"], "IOB1", []),
    ],
)
def test_slips_are_found_at_their_token(tags: list[str], scheme: str, places: list[int]) -> None:
    assert [place for place, _ in slips(tags, scheme)] == places


def test_words_that_are_no_tags() -> None:
    assert [looks_like_tag(word) for word in ("O", "B-PER", "I_x", "PER", "B", "Bob-x")] == [True] * 3 + [False] * 3
