"""Tokens within characters, found of many texts at once, are those that are found character by character."""

from __future__ import annotations

from functools import cache
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from tokenizers import Encoding, processors

from chat_templates import KINDS, KNOWN, chat_tokenizer
from supertune.conversations import Conversation, Message, Role
from supertune.tasks.chat_template import adopt_template
from supertune.tasks.conversation_tokens import ConversationEncoder
from supertune.tasks.placed_tokens import Placed, PlacingEncoder, token_bytes
from supertune.tasks.rendering import Renderer
from supertune.tasks.token_places import TokenPlaces

TEXTS = st.lists(
    st.sampled_from(
        [
            *"abc XYZ 019.,!?\n▁",
            *"包裹什么时候到？，。好",
            "😀",
            "👍🏽",
            "e\u0301",
            "ﷺ",
            "ह",
            "<|im_start|>",
            "<|im_end|>",
        ]
    ),
    max_size=25,
).map("".join)


def one_by_one(offsets: list[tuple[int, int]], begin: int, end: int) -> tuple[int, int]:
    """The first token of the first character that is in one, and behind the last that does not reach beyond the end."""

    def holding(places: range) -> int | None:
        found = (number for place in places for number, (one, other) in enumerate(offsets) if one <= place < other)
        return next(found, None)

    first = holding(range(begin, end))
    if first is None:
        return 0, 0
    while first < len(offsets) and offsets[first][0] < begin:
        first += 1
    behind = holding(range(end, offsets[-1][1]))
    behind = len(offsets) if behind is None else behind
    while behind > first and offsets[behind - 1][1] > end:
        behind -= 1
    return first, behind


def check(data: Any, encodings: list[Encoding], lengths: list[int]) -> None:
    places = TokenPlaces([Placed.of(encoding) for encoding in encodings])
    assert np.diff(places.firsts).tolist() == list(map(len, encodings))
    spans = []
    for number, length in enumerate(lengths):
        for _ in range(data.draw(st.integers(0, 3))):
            begin = data.draw(st.integers(0, length))
            spans.append((number, begin, data.draw(st.integers(begin, length))))
    firsts, behinds = places.within(*np.array(spans, np.int64).reshape(-1, 3).T)
    for (number, begin, end), first, behind in zip(spans, firsts.tolist(), behinds.tolist(), strict=True):
        expected = one_by_one(encodings[number].offsets, begin, end)
        shift = int(places.firsts[number])
        assert range(first - shift, behind - shift) == range(*expected)
    added = []
    for encoding in encodings:
        reached = 0
        for begin, end in encoding.offsets:
            added.append(max(end - max(begin, reached), 0))
            reached = max(reached, end)
    assert places.added().tolist() == added


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
@settings(max_examples=25)
def test_tokens_within_characters_are_those_found_one_by_one(kind: str, data: Any) -> None:
    raw = chat_tokenizer(KNOWN["chatml"], kind).backend_tokenizer
    texts = data.draw(st.lists(TEXTS, max_size=5))
    check(data, raw.encode_batch(texts, add_special_tokens=False), list(map(len, texts)))


@given(data=st.data())
@settings(max_examples=25)
def test_tokens_that_do_not_stand_in_the_order_of_their_characters_are_found_as_well(data: Any) -> None:
    raw = chat_tokenizer(KNOWN["chatml"]).backend_tokenizer
    texts = data.draw(st.lists(TEXTS, min_size=3, max_size=5))
    one, other, *rest = raw.encode_batch(texts, add_special_tokens=False)
    # Two texts in the same characters.
    mixed = Encoding.merge([one, other], growing_offsets=False)
    check(data, [mixed, *rest], [max(map(len, texts[:2])), *map(len, texts[2:])])


def tokenizer(kind: str) -> Any:
    """One that keeps the space before a word, as Qwen's does, where it is one of bytes."""
    raw = chat_tokenizer(KNOWN["chatml"], kind).backend_tokenizer
    if kind == "byte-bpe":
        raw.post_processor = processors.ByteLevel(trim_offsets=False)
    return raw


@pytest.mark.parametrize("kind", KINDS)
@given(texts=st.lists(TEXTS, max_size=6))
@settings(max_examples=40)
def test_tokens_stand_where_the_tokenizer_says_although_it_is_not_asked(kind: str, texts: list[str]) -> None:
    raw = tokenizer(kind)
    asked = [Placed.of(encoding) for encoding in raw.encode_batch(texts, add_special_tokens=False)]
    for found, expected in zip(PlacingEncoder(raw, worth=-1).encode(texts), asked, strict=True):
        assert found.ids == expected.ids
        assert found.places.tolist() == expected.places.tolist()


@pytest.mark.parametrize("kind", ["byte-bpe", "metaspace-bpe"])
def test_the_bytes_of_tokens_are_the_text(kind: str) -> None:
    raw, text = tokenizer(kind), "<|im_start|>user\nWhere is it? 包裹在哪里 😀\U0010ffff\x00<|im_end|>\n"
    known = token_bytes(raw)
    assert b"".join(known[number] for number in raw.encode(text, add_special_tokens=False).ids) == text.encode()


def test_a_tokenizer_that_says_that_words_begin_behind_their_space_is_asked() -> None:
    raw = chat_tokenizer(KNOWN["chatml"]).backend_tokenizer
    raw.post_processor = processors.Sequence([processors.ByteLevel(trim_offsets=True)])
    (found,) = PlacingEncoder(raw, worth=-1).encode(["a  word 好"])
    assert found.places.tolist() == [[*place] for place in raw.encode("a  word 好", add_special_tokens=False).offsets]


SAID = TEXTS.map(str.strip).filter(bool)


@cache
def encoder(name: str) -> ConversationEncoder:
    tokenizer = chat_tokenizer(KNOWN[name], "byte-bpe" if name == "qwen" else "metaspace-bpe")
    if name == "qwen":
        tokenizer.backend_tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    return ConversationEncoder(Renderer(tokenizer, adopt_template(tokenizer)), 60)


@pytest.mark.parametrize("name", ["qwen", "gemma"])
@given(said=st.lists(st.lists(SAID, min_size=2, max_size=4), max_size=5))
@settings(max_examples=40)
def test_many_rows_become_the_tokens_weights_and_characters_that_few_become(name: str, said: list[list[str]]) -> None:
    roles: tuple[Role, Role] = ("user", "assistant")
    rows = [
        Conversation(tuple(Message(roles[place % 2], text) for place, text in enumerate(texts[: len(texts) // 2 * 2])))
        for texts in said
    ]
    found = encoder(name)
    plain = found.encode(rows)
    # Private, as there is nothing to be set: it is a matter of how many rows there are.
    asking, found._placing = found._placing, PlacingEncoder(found.renderer.tokenizer.backend_tokenizer, worth=-1)
    quick = found.encode(rows)
    found._placing = asking
    for column, values in plain.tokens.items():
        np.testing.assert_array_equal(quick.tokens[column], values)
        assert quick.tokens[column].dtype == values.dtype
    for kept in ("offsets", "rows", "full_lengths"):
        np.testing.assert_array_equal(getattr(quick, kept), getattr(plain, kept))
