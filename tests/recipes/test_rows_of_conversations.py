"""Conversations where recipes look at texts: their language, and rows that say nothing."""

from __future__ import annotations

import pytest

from supertune.config import Config
from supertune.console import Console
from supertune.contracts import Columns, Layout
from supertune.data import Table
from supertune.errors import UserError
from supertune.language import guess_language
from supertune.recipes.rows import find_columns, sample_texts, without_blank_rows

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


@pytest.mark.parametrize(
    ("row", "task"),
    [
        ({"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}, "chat"),
        ({"消息": [{"role": "用户", "content": "你好"}, {"role": "助手", "content": "您好"}]}, "chat"),
        ({"instruction": "Answer.", "input": "Where is my parcel, number {n}?", "output": "On its way, {n}."}, "chat"),
        ({"document": "A long text about the parcel {n}.", "summary": "The parcel {n} was late."}, "summarization"),
        ({"en": "Where is the parcel number {n}?", "zh": "第{n}个包裹在哪里？"}, "translation"),
    ],
)
def test_rows_to_learn_writing_from_are_known_where_no_task_is_named(row: dict[str, object], task: str) -> None:
    rows = Table.from_rows(
        [
            {name: value.replace("{n}", str(n)) if isinstance(value, str) else value for name, value in row.items()}
            for n in range(100, 130)
        ]
    )
    with pytest.raises(UserError) as caught:
        find_columns(Config(), {"train": rows}, Console(quiet=True))
    assert f"--task {task}, " in (caught.value.fix or "")
    assert "--text" in caught.value.fix or "--label" in caught.value.fix


def test_rows_of_anything_else_are_not_taken_for_conversations() -> None:
    rows = Table.from_rows([{"text": f"a text that is like no other, number {n}"} for n in range(30)])
    with pytest.raises(UserError) as caught:
        find_columns(Config(), {"train": rows}, Console(quiet=True))
    assert "--task" not in (caught.value.fix or "")
