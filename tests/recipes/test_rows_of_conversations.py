"""Conversations where recipes look at texts: their language, and rows that say nothing."""

from __future__ import annotations

import pytest

from supertune.contracts import Columns, Layout
from supertune.data import Table
from supertune.errors import UserError
from supertune.language import guess_language
from supertune.recipes.rows import sample_texts, without_blank_rows

LISTS = Columns(("messages",), answers="generated", layout=Layout("messages", {"messages": "messages"}))


def table(*rows: tuple[str, str]) -> Table:
    return Table.from_rows(
        [
            {"messages": [{"role": "user", "content": asked}, {"role": "assistant", "content": answer}]}
            for asked, answer in rows
        ]
    )


def test_texts_are_what_is_said() -> None:
    rows = table(
        ("你好，请问今天天气怎么样？", "今天北京天气晴朗，适合出门散步。"), ("明天呢？", "明天有小雨，请带伞。")
    )
    assert sample_texts(rows, LISTS, 10)[1] == "明天呢？\n明天有小雨，请带伞。"
    assert len(sample_texts(rows, LISTS, 1)) == 1
    assert guess_language(sample_texts(rows, LISTS, 10)).language == "zh"


def test_rows_that_say_nothing_are_left_out() -> None:
    rows = table(("hi", "ho"), ("", "\u3000"), ("", "ho"), ("hi", ""))
    assert without_blank_rows(rows, LISTS).row_ids.tolist() == [0, 2, 3]
    kept = table(("hi", "ho"))
    assert without_blank_rows(kept, LISTS) is kept
    bad = Table.from_rows([{"messages": "hello"}], source="chat.csv")
    with pytest.raises(UserError, match="row 0 has 'hello', which is no list of messages") as caught:
        sample_texts(bad, LISTS, 10)
    assert caught.value.where == "chat.csv, column 'messages'"
