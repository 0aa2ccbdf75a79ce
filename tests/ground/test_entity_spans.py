"""Entities of every form people write them in come out as the characters they are, or the mistake is told."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supertune.contracts import Columns
from supertune.data import Table
from supertune.entity_cells import shape_of
from supertune.entity_spans import Entity, tagged, tagged_of
from supertune.errors import UserError
from supertune.language import join_tokens

TEXT = "Bob met 李明 in Köln 😀, then Ann."
PEOPLE = [(0, 3, "PER"), (8, 10, "PER"), (14, 18, "LOC"), (27, 30, "PER")]


def words(spans: list[tuple[int, int, str]] = PEOPLE) -> list[str]:
    return [TEXT[start:end] for start, end, _ in spans]


def test_the_example_is_what_it_seems() -> None:
    assert words() == ["Bob", "李明", "Köln", "Ann"]


FORMS: dict[str, Any] = {
    "doccano": [list(span) for span in PEOPLE],
    "with words": [[start, end, label, TEXT[start:end]] for start, end, label in PEOPLE],
    "spans": [{"start": start, "end": end, "label": label} for start, end, label in PEOPLE],
    "doccano relations": [
        {"id": 7, "start_offset": start, "end_offset": end, "label": label} for start, end, label in PEOPLE
    ],
    "label studio": [
        {"start": start, "end": end, "text": TEXT[start:end], "labels": [label]} for start, end, label in PEOPLE
    ],
    "label studio results": [
        {"type": "labels", "value": {"start": start, "end": end, "labels": [label]}} for start, end, label in PEOPLE
    ],
    "pipeline": [
        {"entity_group": label, "score": 0.9, "word": TEXT[start:end], "start": start, "end": end}
        for start, end, label in PEOPLE
    ],
    "bigbio": [{"offsets": [[start, end]], "text": [TEXT[start:end]], "type": label} for start, end, label in PEOPLE],
    "spacy": {"entities": [list(span) for span in PEOPLE]},
    "lists side by side": {
        "start": [span[0] for span in PEOPLE],
        "end": [span[1] for span in PEOPLE],
        "label": [span[2] for span in PEOPLE],
    },
    "cluener": {
        "PER": {"Bob": [[0, 2]], "李明": [[8, 9]], "Ann": [[27, 29]]},
        "LOC": {"Köln": [[14, 17]]},
    },
    "words alone": [{"text": TEXT[start:end], "label": label} for start, end, label in PEOPLE],
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("as_text", [False, True, "python"])
def test_every_form_gives_the_same_entities(form: str, as_text: object) -> None:
    value = FORMS[form]
    assert shape_of(value) == "spans"
    if as_text:
        value = repr(value) if as_text == "python" else json.dumps(value)
    found = tagged(TEXT, value)
    assert found.entities == tuple(Entity(*span) for span in PEOPLE)
    expected = {"last-included"} if form == "cluener" else set()
    assert {fault.how for fault in found.faults} == expected


def utf16(place: int) -> int:
    return len(TEXT[:place].encode("utf-16-le")) // 2


@pytest.mark.parametrize(
    ("how", "moved"),
    [
        ("last-included", lambda start, end: (start, end - 1)),
        ("from-one", lambda start, end: (start + 1, end)),
        ("utf-16", lambda start, end: (utf16(start), utf16(end))),
        ("bytes", lambda start, end: (len(TEXT[:start].encode()), len(TEXT[:end].encode()))),
        ("elsewhere", lambda start, end: (start - 5, end - 5)),
    ],
)
def test_places_that_are_counted_otherwise_are_mended_by_the_words_and_told(how: str, moved: Any) -> None:
    start, end, label = PEOPLE[3]
    begins, ends = moved(start, end)
    found = tagged(TEXT, [{"start": begins, "end": ends, "label": label, "text": "Ann"}])
    assert found.entities == (Entity(*PEOPLE[3]),)
    (fault,) = found.faults
    assert fault.how == how
    assert (fault.said.start, fault.said.end) == (begins, ends)


def test_of_overlapping_entities_the_longest_is_kept() -> None:
    said = [[0, 3, "PER"], [0, 18, "EVENT"], [14, 18, "LOC"], [27, 30, "PER"], [27, 30, "PER"]]
    found = tagged(TEXT, said)
    assert found.entities == (Entity(0, 18, "EVENT"), Entity(27, 30, "PER"))
    assert sorted(fault.how for fault in found.faults) == ["overlap", "overlap", "twice"]


def test_white_space_at_the_edge_is_no_part_of_an_entity() -> None:
    found = tagged(TEXT, [[3, 11, "X"]])
    assert found.entities == (Entity(4, 10, "X"),)
    assert [fault.how for fault in found.faults] == ["blank-edge"]


def test_words_that_are_nowhere_are_left_out_and_told() -> None:
    found = tagged(TEXT, [{"start": 0, "end": 3, "text": "Eve", "label": "PER"}])
    assert found.entities == ()
    assert [fault.how for fault in found.faults] == ["lost"]


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ([[0, 99, "PER"]], "at the characters 0 to 99, and its text has 31"),
        ([[-2, 3, "PER"]], "at the characters -2 to 3"),
        ([[3, 3, "PER"]], "ends where it has not begun"),
        ([[3, 4, "PER"]], "nothing but white space"),
        ([[0, 3]], "is not [start, end, label]"),
        ([{"start": 0, "end": 3}], "without a label"),
        ([{"start": 0, "label": "PER"}], "without its place"),
        ([{"start": 0, "end": 3, "labels": ["PER", "BOSS"]}], "with 2 labels"),
        ([{"start": "zero", "end": 3, "label": "PER"}], "no character's number"),
        ("[[0, 3", "begins as a list and is none"),
        (["O", "B-PER"], "2 tags for a text of 8 words"),
        ("B-PER O O", "3 tags for a text of 8 words"),
        (5, "which are no entities"),
    ],
)
def test_what_cannot_be_in_the_text_is_refused_with_row_and_column(value: object, says: str) -> None:
    rows = Table.from_rows([{"text": TEXT, "spans": value}])
    with pytest.raises(UserError) as caught:
        list(tagged_of(rows, Columns(("text",), ("spans",), answers="spans")))
    assert says in caught.value.what
    assert caught.value.what.startswith("row 0 has")
    assert caught.value.where == "column 'spans'"
    assert caught.value.fix


def test_nothing_is_not_the_same_as_no_entity() -> None:
    for value, entities in ((None, None), ("", None), ([], ()), ("[]", ())):
        assert tagged(TEXT, value).entities == entities


# ------------------------------------------------------------------------------------------------------------ tokens


def test_tags_of_tokens_become_characters_of_the_joined_text() -> None:
    found = tagged(["Ann", "lives", "in", "New", "York", "."], ["B-PER", "O", "O", "B-LOC", "I-LOC", "O"])
    assert found.text == "Ann lives in New York ."
    assert found.entities == (Entity(0, 3, "PER"), Entity(13, 21, "LOC"))
    chinese = tagged(list("李明在New York。"), [*("B-PER", "I-PER", "O"), *["B-LOC", *["I-LOC"] * 7], "O"])
    assert chinese.text == "李明在New York。"
    assert chinese.entities == (Entity(0, 2, "PER"), Entity(3, 11, "LOC"))


def test_tags_of_a_text_are_of_its_words_or_its_characters() -> None:
    assert tagged("Ann is  here", "B-PER O O").entities == (Entity(0, 3, "PER"),)
    assert tagged("李明在这里", ["B-PER", "E-PER", "O", "O", "O"]).entities == (Entity(0, 2, "PER"),)
    assert tagged("李明 在", ["B-PER", "E-PER", "O"]).entities == (Entity(0, 2, "PER"),)


def test_numbers_are_tags_where_somebody_names_them() -> None:
    assert tagged(["Ann", "left"], [1, 0], ("O", "B-PER")).entities == (Entity(0, 3, "PER"),)
    for names, says in (((), "nobody says"), (("O",), "1 names")):
        with pytest.raises(ValueError, match=says) as caught:
            tagged(["Ann", "left"], [1, 0], names)
        assert "data.tag_names" in caught.value.args[1]


def test_beside_tokens_spans_count_tokens() -> None:
    tokens = ["Ann", "lives", "in", "New", "York"]
    found = tagged(tokens, [{"start": 3, "end": 5, "type": "Loc"}])
    assert found.entities == (Entity(13, 21, "Loc"),)
    assert tagged(tokens, []).entities == ()
    with pytest.raises(ValueError, match="tokens 3 to 6, of which there are 5"):
        tagged(tokens, [{"start": 3, "end": 6, "type": "Loc"}])
    with pytest.raises(ValueError, match="4 tags for 5 tokens"):
        tagged(tokens, ["O"] * 4)


@given(st.lists(st.text(st.sampled_from("abé好，。 1é😀"), min_size=1, max_size=4), max_size=8))
def test_every_token_stands_where_it_is_said_to(tokens: list[str]) -> None:
    text, places = join_tokens(tokens)
    assert [text[start:end] for start, end in places] == tokens
    assert "".join(text.split()) == "".join("".join(tokens).split())


@pytest.mark.parametrize(
    ("tokens", "text"),
    [
        (["EU", "rejects", "it", "."], "EU rejects it ."),
        (["我", "爱", "北", "京"], "我爱北京"),
        (["我们", "在", "Google", "Brain", "工作", "。"], "我们在Google Brain工作。"),
        (list("OK好"), "OK好"),
        (["서울", "에"], "서울 에"),
    ],
)
def test_a_space_stands_between_tokens_where_scripts_have_one(tokens: list[str], text: str) -> None:
    assert join_tokens(tokens)[0] == text
