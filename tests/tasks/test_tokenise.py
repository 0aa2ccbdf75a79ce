"""Token ids are those that calling the tokenizer gives, whatever it puts around a text and wherever it cuts."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import AutoTokenizer, PreTrainedTokenizerBase, PreTrainedTokenizerFast

from supertune.contracts import Columns, Features
from supertune.data import Table
from supertune.language import join_fields
from supertune.models import load_tokenizer, resolve
from supertune.tasks import token_lengths, tokenizer_fingerprint
from supertune.tasks.tokenise import joined, token_batches
from tiny_models import needs_e5, needs_minilm

COLUMNS = Columns(text=("text",))
WORDS = (
    *("the", "film", "unbelievable", "##s", "[SEP]", "[CLS]", "</s>", "<s>", "[MASK]", "<pad>", "▁", "1,234.5"),
    *(
        "好",
        "电影不错",
        "，",
        "。",
        "\u3000",
        "𠀀",
        "😀",
        "👩‍👩‍👧",
        "é",
        "e\u0301",
        "ﷺ",
        "ﬁ",
        "ａｂ",
        "हिन्दी",
        "한국어",
    ),
    *(" ", "\n", "\t", "\u200b", "\x00", "\ue000"),
)
TEXTS = st.lists(st.sampled_from(WORDS) | st.text(max_size=6), max_size=40).map("".join)


def rows(texts: list[str]) -> Table:
    return Table.from_rows([{"text": text} for text in texts])


def encoded(texts: list[str], tokenizer: PreTrainedTokenizerBase, max_length: int) -> Features:
    return joined(token_batches(rows(texts), COLUMNS, tokenizer, max_length))


def pieces(features: Features) -> list[list[int]]:
    ids = features.tokens["input_ids"]
    return [ids[start:end].tolist() for start, end in itertools.pairwise(features.offsets)]


def agrees(texts: list[str], tokenizer: PreTrainedTokenizerBase, max_length: int) -> None:
    """What the tokenizer gives when it is called, with and without cutting."""
    found = encoded(texts, tokenizer, max_length)
    texts = [join_fields([text]) for text in texts]
    assert pieces(found) == [tokenizer(text, truncation=True, max_length=max_length)["input_ids"] for text in texts]
    full = [len(tokenizer(text, verbose=False)["input_ids"]) for text in texts]
    assert found.full_lengths.tolist() == full
    assert np.concatenate(list(token_lengths(rows(texts), COLUMNS, tokenizer))).tolist() == full
    assert found.rows.tolist() == list(range(len(texts)))


@pytest.mark.parametrize("name", [pytest.param("minilm", marks=needs_minilm), pytest.param("e5", marks=needs_e5)])
def test_published_tokenizers(name: str) -> None:
    tokenizer = load_tokenizer(resolve({"e5": "e5-multilingual"}.get(name, name)), max_length=512)

    @settings(max_examples=150)
    @given(st.lists(TEXTS, min_size=1, max_size=4), st.integers(3, 40), st.sampled_from(["left", "right"]))
    def check(texts: list[str], max_length: int, side: str) -> None:
        tokenizer.truncation_side = side
        agrees(texts, tokenizer, max_length)

    check()


SPECIAL = {"<a>": 1, "<b>": 2, "<c>": 3}
LETTERS = dict(zip("abcdefghij", range(4, 14), strict=True))


def template(single: str) -> Callable[[], Any]:
    return lambda: processors.TemplateProcessing(single=single, special_tokens=list(SPECIAL.items()))


class Upper(PreTrainedTokenizerFast):  # type: ignore[misc]
    """A class that does more than its raw tokenizer, as those of some published models do."""

    def _encode_plus(self, text: Any, **options: Any) -> Any:
        return super()._encode_plus([each[::-1] for each in text] if isinstance(text, list) else text[::-1], **options)


def letters(processor: Callable[[], Any] | None, kind: type = PreTrainedTokenizerFast) -> PreTrainedTokenizerBase:
    raw = Tokenizer(models.WordLevel({"<unk>": 0, **SPECIAL, **LETTERS}, unk_token="<unk>"))
    raw.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    if processor is not None:
        raw.post_processor = processor()
    tokenizer: PreTrainedTokenizerBase = kind(tokenizer_object=raw, unk_token="<unk>")
    return tokenizer


@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize(
    "processor",
    [
        pytest.param(None, id="nothing around"),
        pytest.param(template("<a> $A"), id="before"),
        pytest.param(template("$A <b>"), id="after"),
        pytest.param(template("<a> <b> $A <c>"), id="two before, one after"),
        pytest.param(template("<a> $A <b> $A"), id="the text twice"),
        pytest.param(lambda: processors.RobertaProcessing(("<b>", 2), ("<a>", 1)), id="roberta"),
        pytest.param(lambda: processors.ByteLevel(trim_offsets=True), id="byte level"),
    ],
)
def test_whatever_stands_around_a_text(processor: Callable[[], Any] | None, side: str) -> None:
    tokenizer = letters(processor)
    tokenizer.truncation_side = side
    for max_length in (4, 5, 9, 64):
        agrees(["", "a", "abcdefghij", "abc" * 7, "<a>bc", "?"], tokenizer, max_length)


def test_a_class_with_its_own_way_is_called() -> None:
    tokenizer = letters(template("<a> $A <b>"), Upper)
    agrees(["abc", "", "abcdefghij"], tokenizer, 5)
    assert pieces(encoded(["abc"], tokenizer, 5)) == [[1, 6, 5, 4, 2]]


def test_as_long_as_its_special_tokens(tiny_encoder: Path) -> None:
    agrees(["the film", ""], AutoTokenizer.from_pretrained(tiny_encoder), 2)


def test_special_tokens_written_in_a_text_are_treated_as_the_tokenizer_is_told(tiny_encoder: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tiny_encoder)
    ids = []
    for tokenizer.split_special_tokens in (False, True):
        agrees(["good [SEP] film"], tokenizer, 16)
        ids.append(pieces(encoded(["good [SEP] film"], tokenizer, 16)))
    assert ids[0] != ids[1]


def test_an_earlier_call_leaves_no_trace(tiny_encoder: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tiny_encoder)
    texts = ["good", "the film was not very good"]
    wanted, known = pieces(encoded(texts, tokenizer, 16)), tokenizer_fingerprint(tokenizer)
    tokenizer(texts, truncation=True, padding="max_length", max_length=4)
    assert pieces(encoded(texts, tokenizer, 16)) == wanted
    tokenizer(texts, truncation=True, padding="max_length", max_length=4)
    assert tokenizer_fingerprint(tokenizer) == known


def test_pieces_are_small_and_lose_nothing(tiny_encoder: Path) -> None:
    """Neither many rows nor long ones are handed over all at once."""
    tokenizer = AutoTokenizer.from_pretrained(tiny_encoder)
    texts = [f"good {row}" for row in range(3000)] + ["bad " * 130_000] * 3 + ["late"] * 5
    found = list(token_batches(rows(texts), COLUMNS, tokenizer, 8))
    assert max(map(len, found)) == 1024
    assert max(int(piece.full_lengths.sum()) for piece in found) < 300_000
    assert np.concatenate([piece.rows for piece in found]).tolist() == list(range(len(texts)))
    whole = joined(found)
    assert len(whole) == len(texts)
    assert pieces(whole)[-12:] == [tokenizer(text, truncation=True, max_length=8)["input_ids"] for text in texts[-12:]]


def test_progress_counts_rows(tiny_encoder: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tiny_encoder)
    told: list[int] = []
    joined(token_batches(rows(["good"] * 2500), COLUMNS, tokenizer, 8), told.append)
    assert told == [1024, 2048, 2500]


def test_no_rows_are_no_items(tiny_encoder: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tiny_encoder)
    none = rows(["good"]).select([], step="none")
    found = joined(token_batches(none, COLUMNS, tokenizer, 8))
    assert len(found) == 0
    assert found.tokens["input_ids"].dtype == np.int32
    assert found.offsets.tolist() == [0]


def test_the_fingerprint_tells_tokenizers_apart(tiny_encoder: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tiny_encoder)
    known = tokenizer_fingerprint(tokenizer)
    assert tokenizer_fingerprint(AutoTokenizer.from_pretrained(tiny_encoder)) == known
    tokenizer.truncation_side = "left"
    found = {known, tokenizer_fingerprint(tokenizer)}
    tokenizer.truncation_side = "right"
    tokenizer.split_special_tokens = True
    found.add(tokenizer_fingerprint(tokenizer))
    tokenizer.split_special_tokens = False
    assert tokenizer_fingerprint(tokenizer) == known
    tokenizer.add_tokens(["parcels"])
    found.add(tokenizer_fingerprint(tokenizer))
    assert len(found) == 4
    assert tokenizer_fingerprint(letters(None)) != tokenizer_fingerprint(letters(None, Upper))


# ---------------------------------------------------------------------------------------------------------- pairs

PAIR = Columns(text=("text", "other"), pair=True)


def pair_rows(pairs: list[tuple[str, str]]) -> Table:
    return Table.from_rows([{"text": first, "other": second} for first, second in pairs])


@needs_minilm
@given(pairs=st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=8), max_length=st.integers(8, 40))
@settings(deadline=None, max_examples=60)
def test_a_pair_is_what_calling_the_tokenizer_with_both_gives(pairs: list[tuple[str, str]], max_length: int) -> None:
    tokenizer = load_tokenizer(resolve("minilm"), max_length=max_length)
    found = joined(token_batches(pair_rows(pairs), PAIR, tokenizer, max_length))
    cleaned = [tuple(join_fields([side]) for side in pair) for pair in pairs]
    expected = tokenizer(*map(list, zip(*cleaned, strict=True)), truncation=True, max_length=max_length)
    assert pieces(found) == expected["input_ids"]
    types = found.tokens["token_type_ids"]
    assert [types[start:end].tolist() for start, end in itertools.pairwise(found.offsets)] == expected["token_type_ids"]
    whole = tokenizer(*map(list, zip(*cleaned, strict=True)), verbose=False)["input_ids"]
    assert found.full_lengths.tolist() == [len(ids) for ids in whole]


@needs_minilm
def test_of_a_pair_the_longer_side_is_cut() -> None:
    tokenizer = load_tokenizer(resolve("minilm"), max_length=16)
    found = joined(token_batches(pair_rows([("film " * 50, "a short question")]), PAIR, tokenizer, 16))
    types = found.tokens["token_type_ids"]
    assert len(types) == 16
    assert int((types == 1).sum()) == 4  # three words and the mark at their end


@needs_e5
def test_models_without_token_types_get_none() -> None:
    tokenizer = load_tokenizer(resolve("e5-multilingual"), max_length=32)
    found = joined(token_batches(pair_rows([("很好", "不错")]), PAIR, tokenizer, 32))
    assert set(found.tokens) == {"input_ids"}
    assert pieces(found) == [tokenizer("很好", "不错")["input_ids"]]


def test_a_tokenizer_that_puts_nothing_between_two_texts_gets_them_joined() -> None:
    raw = Tokenizer(models.WordLevel({"a": 1, "b": 2, "[UNK]": 0}, unk_token="[UNK]"))
    raw.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=raw, unk_token="[UNK]")
    found = joined(token_batches(pair_rows([("a", "b")]), PAIR, tokenizer, 16))
    assert pieces(found) == [tokenizer(join_fields(["a", "b"]))["input_ids"]]


def test_a_second_beginning_parts_no_pair() -> None:
    raw = Tokenizer(models.WordLevel({"a": 1, "b": 2, "[UNK]": 0, "<bos>": 3}, unk_token="[UNK]"))
    raw.pre_tokenizer = pre_tokenizers.Whitespace()
    raw.post_processor = processors.TemplateProcessing(
        single="<bos> $A", pair="<bos> $A <bos>:1 $B:1", special_tokens=[("<bos>", 3)]
    )
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=raw, unk_token="[UNK]", bos_token="<bos>")
    found = joined(token_batches(pair_rows([("a", "b")]), PAIR, tokenizer, 16))
    assert pieces(found) == [tokenizer(join_fields(["a", "b"]))["input_ids"]]
    assert pieces(found)[0].count(3) == 1
