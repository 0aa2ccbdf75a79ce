"""Data sets of several formats become one, each row as often as it was asked for, and none is changed by it."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from supertune.contracts import Columns, Layout
from supertune.conversation_rows import conversations_of
from supertune.conversations import Conversation, Message, ToolCall
from supertune.data import Ingredient, Table, infer_columns, mixed, read, split_table
from supertune.data.mixing import row_of
from supertune.errors import UserError

LISTS = Columns(
    ("messages",), answers="generated", layout=Layout("messages", {"messages": "messages", "tools": "tools"})
)


def ingredient(rows: list[dict[str, Any]], times: float = 1.0, source: str = "rows") -> Ingredient:
    table = Table.from_rows(rows, source=source)
    return Ingredient(table, infer_columns(table, answers="generated"), times)


def alpaca(count: int) -> list[dict[str, Any]]:
    return [
        {"instruction": f"Translate. 翻译 {row}", "input": "hi" * (row % 2), "output": f"嗨 {row}"}
        for row in range(count)
    ]


def sharegpt(count: int) -> list[dict[str, Any]]:
    call = {"from": "function_call", "value": '{"name": "f", "arguments": {"城市": "北京"}}'}
    turns = [call, {"from": "observation", "value": "晴"}, {"from": "gpt", "value": "<think>hm</think>Sunny. ☀️"}]
    return [
        {
            "conversations": [{"from": "human", "value": f"Weather {row}?"}, *turns],
            "tools": '[{"name": "f"}]',
            "weight": 2,
        }
        for row in range(count)
    ]


def test_rows_of_every_format_come_out_as_they_went_in(storage: str) -> None:
    one, other = ingredient(alpaca(10), source="a.json"), ingredient(sharegpt(5), source="b.jsonl")
    table, columns = mixed([one, other], seed=0)
    expected = [*conversations_of(one.table, one.columns), *conversations_of(other.table, other.columns)]
    assert list(conversations_of(table, columns)) == expected
    assert expected[-1].messages[1].tool_calls == (ToolCall("f", {"城市": "北京"}),)
    assert [message.weight for message in expected[-1].messages] == [2.0] * 4
    assert table.column("source") == ["a.json"] * 10 + ["b.jsonl"] * 5
    assert table.column("source_row") == [*range(10), *range(5)]
    assert table.source == "a.json + b.jsonl"
    assert table.notes == ("a.json: 10 rows, taken 1 times", "b.jsonl: 5 rows, taken 1 times")
    again, _ = mixed([one, other], seed=0)
    assert again.fingerprint == table.fingerprint


@pytest.mark.parametrize(("times", "rows"), [(0.5, 5), (1, 10), (2.3, 23), (0.01, 0), (3, 30)])
def test_each_row_is_taken_as_often_as_was_asked(times: float, rows: int) -> None:
    both = [ingredient(alpaca(10), times, "a"), ingredient(sharegpt(3), 1, "b")]
    table, _ = mixed(both, seed=7)
    taken = Counter(zip(table.column("source"), table.column("source_row"), strict=True))
    own = {row: count for (source, row), count in taken.items() if source == "a"}
    assert sum(own.values()) == rows
    assert all(count - int(times) in (0, 1) for count in own.values())
    assert sum(taken.values()) == rows + 3
    assert mixed(both, seed=7)[0].fingerprint == table.fingerprint
    if times % 1 > 0 and rows:
        assert any(mixed(both, seed=seed)[0].fingerprint != table.fingerprint for seed in range(8, 12))


def test_what_is_taken_twice_stays_in_one_split() -> None:
    table, columns = mixed([ingredient(alpaca(50), 2)], seed=0)
    splits = split_table(table, columns, seed=1)
    assert [len(part) for part in splits.values()] == [80, 10, 10]
    where = [set(part.column("source_row")) for part in splits.values()]
    assert not where[0] & where[1]
    assert not where[0] & where[2]
    assert not where[1] & where[2]


def test_plain_texts_are_mixed_among_themselves() -> None:
    one, other = ingredient([{"text": "eins"}, {"text": "zwei"}]), ingredient([{"text": "三", "weight": 0.5}], 2)
    table, columns = mixed([one, other], seed=0)
    found = list(conversations_of(table, columns))
    assert [(each.messages[0].content, each.messages[0].weight, each.plain) for each in found] == [
        ("eins", 1, True),
        ("zwei", 1, True),
        ("三", 0.5, True),
        ("三", 0.5, True),
    ]
    with pytest.raises(UserError, match="plain text and conversations cannot be mixed"):
        mixed([one, ingredient(alpaca(3))], seed=0)


def test_shares_and_rows_that_cannot_be_are_told() -> None:
    for times in (0, -1, float("nan"), float("inf")):
        with pytest.raises(UserError, match="is to be taken") as caught:
            mixed([ingredient(alpaca(3), times)], seed=0)
        assert caught.value.fix
    good = ingredient([{"messages": [{"role": "user", "content": "a"}]}])
    bad = Table.from_rows([{"messages": [{"role": "boss", "content": "a"}]}], source="bad.jsonl")
    with pytest.raises(UserError, match="row 0 has the role 'boss'") as caught:
        mixed([good, Ingredient(bad, good.columns)], seed=0)
    assert caught.value.where == "bad.jsonl, column 'messages'"
    with pytest.raises(UserError):
        read("bad.jsonl")


texts = st.text(max_size=8) | st.sampled_from(["<think>a</think>b", "<think></think><think>x</think>", "好", "[", "{}"])
values = st.none() | st.booleans() | st.text(max_size=3) | st.lists(st.integers(-9, 9))
calls = st.builds(
    ToolCall,
    st.text(min_size=1, max_size=5).filter(str.strip),
    st.dictionaries(st.text(max_size=3), values, max_size=2),
    st.none() | st.just("c1"),
)
flags = {"train": st.none() | st.booleans(), "weight": st.sampled_from([0.0, 0.5, 1.0, 3.0])}
thoughts = st.text(max_size=5).map(str.strip)
tools = {"name": st.none() | st.just("f"), "tool_call_id": st.none() | st.just("c")}
messages = st.one_of(
    st.builds(Message, st.sampled_from(["user", "system"]), texts, **flags),
    st.builds(Message, st.just("tool"), texts, **tools, **flags),
    st.builds(Message, st.just("assistant"), texts, thoughts, st.lists(calls, max_size=2).map(tuple), **flags),
)


@settings(max_examples=150)
@given(st.lists(messages, max_size=4))
def test_a_conversation_comes_back_from_its_row(said: list[Message]) -> None:
    # What was read once is what is written: thoughts apart, empty answers marked.
    [read_once] = conversations_of(Table.from_rows([row_of(Conversation(tuple(said)))]), LISTS)
    [again] = conversations_of(Table.from_rows([row_of(read_once)]), LISTS)
    assert again == read_once
    assert [message.role for message in again.messages] == [message.role for message in said]
    assert [message.weight for message in again.messages] == [message.weight for message in said]
    assert [message.tool_calls for message in again.messages] == [message.tool_calls for message in said]
