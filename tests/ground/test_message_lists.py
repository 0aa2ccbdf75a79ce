"""Lists of messages in the forms that people write them in, and what is told of those that are none."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supertune.conversations import Message, ToolCall
from supertune.message_lists import history_in, holds_messages, messages_in, tools_in, weight_in

USER, ANSWER = Message("user", "你好 👋"), Message("assistant", "Hello!")
CALL = ToolCall("weather", {"city": "北京", "days": 2}, "c1")
ARGUMENTS = {"city": "北京", "days": 2}


def assistant(**more: Any) -> dict[str, Any]:
    return {"role": "assistant", **more}


@pytest.mark.parametrize(
    "value",
    [
        [{"role": "user", "content": "你好 👋"}, {"role": "assistant", "content": "Hello!"}],
        [{"from": "human", "value": "你好 👋"}, {"from": "gpt", "value": "Hello!"}],
        [{"from": "user", "value": "你好 👋"}, {"from": "bot", "value": "Hello!"}],
        [{"role": "Human", "value": "你好 👋"}, {"role": " ASSISTANT ", "text": "Hello!"}],
        [{"角色": "用户", "内容": "你好 👋"}, {"角色": "助手", "内容": "Hello!"}],
        [{"role": "user", "parts": [{"text": "你好 👋"}]}, {"role": "model", "parts": [{"text": "Hello!"}]}],
        [
            {"role": "user", "content": [{"type": "text", "text": "你好"}, " 👋"]},
            assistant(content=[{"type": "output_text", "text": "Hel"}, {"type": "text", "text": "lo!"}]),
        ],
        '[{"role": "user", "content": "你好 👋"}, {"role": "assistant", "content": "Hello!"}]',
        "  [{'role': 'user', 'content': '你好 👋'}, {'role': 'assistant', 'content': 'Hello!', 'weight': None}]",
    ],
)
def test_the_same_messages_in_every_spelling(value: object) -> None:
    assert messages_in(value, {}) == [USER, ANSWER]
    assert holds_messages(value)


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (assistant(content="<think>\nhm\n</think>\n\nYes."), Message("assistant", "Yes.", "hm")),
        (assistant(content="Yes.", reasoning_content=" hm\n"), Message("assistant", "Yes.", "hm")),
        (assistant(content="<think>a</think>b", reasoning="hm"), Message("assistant", "<think>a</think>b", "hm")),
        (
            assistant(content=[{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "Yes."}]),
            Message("assistant", "Yes.", "hm"),
        ),
        (assistant(content="what is <think>?"), Message("assistant", "what is <think>?")),
        (assistant(content="<think>never closed"), Message("assistant", "<think>never closed")),
        (assistant(content="<think></think>\n\nYes."), Message("assistant", "Yes.")),
        ({"role": "user", "content": "<think>a</think>b"}, Message("user", "<think>a</think>b")),
        ({"role": "developer", "content": "Be short."}, Message("system", "Be short.")),
        (assistant(content="x", train=False), Message("assistant", "x", train=False)),
        (assistant(content="x", loss="true"), Message("assistant", "x", train=True)),
        (assistant(content="x", weight=0), Message("assistant", "x", weight=0.0)),
        (assistant(content="x", weight="0.5", train=None), Message("assistant", "x", weight=0.5)),
        (assistant(content=""), Message("assistant", "", train=False)),
        (assistant(content=None), Message("assistant", "", train=False)),
        (assistant(content="", train=True), Message("assistant", "", train=True)),
        ({"role": "客服", "content": "您好"}, Message("assistant", "您好")),
        ({"role": "visitor", "content": "hi"}, Message("user", "hi")),
    ],
)
def test_what_a_message_may_have(message: dict[str, Any], expected: Message) -> None:
    assert messages_in([message], {"visitor": "user"}) == [expected]


@pytest.mark.parametrize(
    "message",
    [
        assistant(
            content=None,
            tool_calls=[
                {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": json.dumps(ARGUMENTS)}}
            ],
        ),
        assistant(tool_calls=[{"id": "c1", "function": {"name": "weather", "arguments": ARGUMENTS}}]),
        assistant(content="", tool_calls=json.dumps([{"id": "c1", "name": "weather", "arguments": ARGUMENTS}])),
        assistant(function_call={"id": "c1", "name": "weather", "parameters": json.dumps(ARGUMENTS)}),
        {
            "from": "function_call",
            "value": json.dumps({"id": "c1", "name": "weather", "arguments": ARGUMENTS}, ensure_ascii=False),
        },
        {"from": "function_call", "value": [{"id": "c1", "name": "weather", "arguments": json.dumps(ARGUMENTS)}]},
    ],
)
def test_functions_are_called_in_every_form(message: dict[str, Any]) -> None:
    assert messages_in([message], {}) == [Message("assistant", "", tool_calls=(CALL,))]


def test_a_call_without_arguments_has_none() -> None:
    for arguments in ({}, "", " ", "{}", None):
        [message] = messages_in([assistant(tool_calls=[{"name": "now", "arguments": arguments}])], {})
        assert message.tool_calls == (ToolCall("now", {}),)


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (
            {"role": "tool", "tool_call_id": "c1", "name": "weather", "content": "晴"},
            Message("tool", "晴", name="weather", tool_call_id="c1"),
        ),
        ({"from": "observation", "value": "晴"}, Message("tool", "晴")),
        (
            {"role": "function", "name": "weather", "content": {"t": "晴"}},
            Message("tool", '{"t": "晴"}', name="weather"),
        ),
        ({"role": "tool", "content": [{"type": "text", "text": "晴"}]}, Message("tool", "晴")),
        ({"role": "tool", "content": [1, 2]}, Message("tool", "[1, 2]")),
        ({"role": "tool", "content": None}, Message("tool", "")),
    ],
)
def test_what_functions_give_back(message: dict[str, Any], expected: Message) -> None:
    assert messages_in([message], {}) == [expected]


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("hello", "has 'hello', which is no list of messages"),
        (None, "has None, which is no list of messages"),
        ({"role": "user"}, "which is no list of messages"),
        ("[{'role': ", "which is no list of messages"),
        (["hello"], "has 'hello' as messages[0], which is no object"),
        ([{"content": "x"}], "has no role in messages[0]"),
        ([{"role": "", "content": "x"}], "has no role in messages[0]"),
        (
            [{"role": "user", "content": "x"}, {"role": "asistant", "content": "y"}],
            "has the role 'asistant' in messages[1], which is not known (did you mean 'assistant'?)",
        ),
        ([{"role": "user"}], "has no content in messages[0]"),
        ([{"role": "user", "content": None}], "has no content in messages[0]"),
        ([{"role": "user", "content": 3}], "has 3 as content of messages[0], which is no text"),
        (
            [{"role": "user", "content": [{"type": "image_url", "image_url": "x"}]}],
            "has a part of the type 'image_url' in messages[0], and only texts are learned",
        ),
        ([{"role": "user", "content": [3]}], "has 3 in the content of messages[0]"),
        (
            [assistant(content="x", train="maybe")],
            "has 'maybe' as train of messages[0], which is neither true nor false",
        ),
        ([assistant(content="x", weight=-1)], "has -1 as weight, which is no number of at least 0"),
        ([assistant(content="x", weight="much")], "has 'much' as weight"),
        (
            [assistant(tool_calls=[{"function": {"arguments": "{}"}}])],
            "as call in messages[0], which names no function",
        ),
        ([assistant(tool_calls=["weather"])], "has 'weather' as call in messages[0]"),
        (
            [assistant(tool_calls=[{"name": "f", "arguments": "{"}])],
            "which is no JSON as arguments of 'f' in messages[0]: ",
        ),
        (
            [assistant(tool_calls=[{"name": "f", "arguments": "[1]"}])],
            "has [1] as arguments of 'f' in messages[0], which is no JSON object",
        ),
        (
            [{"from": "function_call", "value": "call it"}],
            "has 'call it', which is no call of a function in messages[0]",
        ),
    ],
)
def test_what_is_no_list_of_messages_is_told_with_its_place(value: object, reason: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        messages_in(value, {})
    assert reason in str(caught.value)
    assert len(str(caught.value)) < 300


def test_functions_that_may_be_called() -> None:
    function = {"name": "weather", "parameters": {"type": "object"}}
    wrapped = ({"type": "function", "function": function},)
    for value in (
        [function],
        function,
        list(wrapped),
        json.dumps([function]),
        json.dumps(wrapped),
        [json.dumps(function)],
    ):
        assert tools_in(value) == wrapped
    assert tools_in(None) == tools_in("") == tools_in([]) == ()
    for value, reason in (
        ("weather", "which is no list of functions"),
        (3, "no list of functions"),
        ([{}], "has no name"),
    ):
        with pytest.raises(ValueError, match=reason):
            tools_in(value)


def test_what_was_said_before_and_how_much_a_row_counts() -> None:
    asked = [["你好 👋", "Hello!"]]
    assert history_in(asked) == history_in(json.dumps(asked)) == [USER, ANSWER]
    assert history_in(None) == history_in([]) == []
    for bad in ("x", [["a"]], [["a", 3]], {"a": 1}):
        with pytest.raises(ValueError, match="has "):
            history_in(bad)
    assert [weight_in(value) for value in (None, 0, 2, 0.5, "0.5", True)] == [1, 0, 2, 0.5, 0.5, 1]


contents = st.text(min_size=1).filter(lambda text: "<think>" not in text)


@given(st.lists(st.tuples(st.sampled_from(["user", "assistant", "system"]), contents), min_size=1))
def test_any_text_comes_through_every_form_unchanged(turns: list[tuple[str, str]]) -> None:
    openai = [{"role": role, "content": text} for role, text in turns]
    spelled = {"user": "human", "assistant": "gpt", "system": "system"}
    sharegpt = [{"from": spelled[role], "value": text} for role, text in turns]
    found = messages_in(openai, {})
    assert [(message.role, message.content) for message in found] == turns
    assert found == messages_in(sharegpt, {}) == messages_in(json.dumps(openai), {})
    assert found == messages_in(json.dumps(sharegpt, ensure_ascii=False), {})
    assert found == messages_in(repr(openai), {})


KEYS = ["role", "content", "tool_calls", "from", "value", "name", "arguments", "function", "weight", "type", "text"]
simple = st.none() | st.booleans() | st.integers() | st.text(max_size=5)
nested = st.recursive(
    simple,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4),
)


@given(nested)
def test_whatever_a_cell_holds_is_read_or_told(value: object) -> None:
    for cell in (value, json.dumps(value), [value]):
        told = "has "
        try:
            messages_in(cell, {})
        except ValueError as error:
            told = str(error)
        assert told.startswith("has ")
