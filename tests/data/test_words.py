"""Words and parts of speech: nothing is lost between words, known sentences have known tags, columns are added."""

from __future__ import annotations

import re
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from supertune.contracts import Columns
from supertune.data import OPERATORS, Table, built, clean
from supertune.data.words import tagged_words, tagging, words_in
from supertune.errors import MissingExtraError, UserError

COLUMNS = Columns(("text",), ("label",))
mixed = st.text(alphabet=st.sampled_from("ab cd.,!?\"'`“”’—-()[]$3点好吃的。，！\n\t 😀é́"), max_size=40)


def bare(text: str) -> str:
    return re.sub(r"\s+", "", text)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(mixed)
def test_words_put_together_are_the_text_without_its_white_space(text: str) -> None:
    words = words_in(text)
    assert "".join(words) == bare(text)
    assert all(word and not any(map(str.isspace, word)) for word in words)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.text(max_size=40) | mixed)
def test_no_text_makes_it_stumble_and_every_word_has_a_tag(text: str) -> None:
    assert [word for word, _ in tagged_words(text)] == words_in(text)
    assert all(tag and " " not in tag for _, tag in tagged_words(text))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("I didn't like it. She did!", "I did n't like it . She did !"),
        ("这家店的饭菜很好吃，送得也快。", "这家 店 的 饭菜 很 好吃 ， 送得 也 快 。"),
        ("iPhone手机很好用 for me", "iPhone 手机 很 好 用 for me"),
        ("", ""),
    ],
)
def test_known_texts(text: str, words: str) -> None:
    assert " ".join(words_in(text)) == words


def test_known_parts_of_speech() -> None:
    text = "She will book two tickets to New York, and my friends loved it. 我 喜欢 北京"
    assert tagged_words(text) == [
        *(("She", "PRP"), ("will", "MD"), ("book", "VB"), ("two", "CD"), ("tickets", "NNS"), ("to", "IN")),
        *(("New", "NNP"), ("York", "NNP"), (",", ","), ("and", "CC"), ("my", "PRP$"), ("friends", "NNS")),
        *(("loved", "VBD"), ("it", "PRP"), (".", "."), ("我", "r"), ("喜欢", "v"), ("北京", "ns")),
    ]


def table() -> Table:
    return Table.from_rows(
        [
            {"text": "I didn't wait", "title": "送得快", "label": "a"},
            {"text": "服务很好", "title": None, "label": "b"},
            {"text": " ", "title": "", "label": "a"},
        ]
    )


def test_columns_are_added_and_nothing_else_changes() -> None:
    step = built(OPERATORS, "words", {"tags": True}, "here")
    done = clean({"all": table()}, COLUMNS, [step])
    made = done.tables["all"]
    assert made.column_names == ("text", "title", "label", "words", "words_tags")
    assert made.column("words") == ["I did n't wait", "服务 很 好", ""]
    assert [len(tags.split()) for tags in made.column("words_tags")] == [4, 3, 0]
    assert [made.column(name) for name in ("text", "title", "label")] == [
        table().column(name) for name in ("text", "title", "label")
    ]
    (told,) = done.steps["all"]
    assert (told.tally.changed, told.tally.removed) == (2, {})
    assert {change.after for change in told.tally.samples} == {"I did n't wait", "服务 很 好"}


def test_another_column_after_other_steps_and_filters() -> None:
    steps = [
        built(OPERATORS, "missing", {}, "here"),
        built(OPERATORS, "words", {"column": "title", "into": "cut"}, "here"),
        built(OPERATORS, "words", {}, "here"),
    ]
    made = clean({"all": table()}, COLUMNS, steps).tables["all"]
    assert made.column("cut") == ["送得 快", ""]
    assert made.column("words") == ["I did n't wait", "服务 很 好"]


@pytest.mark.parametrize(
    ("options", "what"), [({"into": "title"}, "has a column 'title' already"), ({"column": "body"}, "no column 'body'")]
)
def test_columns_that_are_there_or_not_are_told(options: dict[str, str], what: str) -> None:
    with pytest.raises(UserError, match=what):
        clean({"all": table()}, COLUMNS, [built(OPERATORS, "words", options, "here")])


def test_a_missing_model_is_told_before_a_row_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    tagging._tagger.cache_clear()
    monkeypatch.setitem(sys.modules, "gruut_lang_en", None)
    with pytest.raises(MissingExtraError, match=r"supertune\[words\]"):
        built(OPERATORS, "words", {"tags": True}, "here")
    built(OPERATORS, "words", {}, "here")
    tagging._tagger.cache_clear()
