"""Lists of messages, as people write them: OpenAI's form, ShareGPT's, and their relatives.

A message is an object with who speaks (``role``, ``from``) and what is said (``content``, ``value``): a text, or a list
of parts that are texts. Functions are called in ``tool_calls`` (OpenAI), in ``function_call`` (its older form), or in a
turn of their own (ShareGPT's ``function_call``). What is thought before an answer stands in ``reasoning_content``, or
at its beginning between ``<think>`` and ``</think>``. ``train`` and ``weight`` say of a message whether, and how much,
it is learned.
"""

from __future__ import annotations

import ast
import difflib
import json
import re
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, Literal, cast

from supertune.conversations import ROLES, Message, Role, ToolCall
from supertune.language import is_missing, number_of, shorten

ROLE_KEYS = ("role", "from", "speaker", "角色")
CONTENT_KEYS = ("content", "value", "text", "parts", "内容")
_REASONING_KEYS = ("reasoning_content", "reasoning", "thinking")
_TRAIN_KEYS = ("train", "loss", "train_on_turn")
_ARGUMENT_KEYS = ("arguments", "parameters", "args", "input")
_TEXT_PARTS = ("text", "input_text", "output_text", None)
_SPELLINGS: Mapping[Role | Literal["call"], tuple[str, ...]] = {
    "system": ("system", "developer", "系统"),
    "user": ("user", "human", "prompter", "customer", "client", "instruction", "用户", "人类", "客户"),
    "assistant": (
        *("assistant", "gpt", "bot", "model", "chatgpt", "chatbot", "ai", "agent", "claude", "bing", "bard"),
        *("助手", "助理", "模型", "机器人", "客服"),
    ),
    "tool": ("tool", "observation", "function", "function_response", "tool_response", "ipython", "工具"),
    "call": ("function_call", "tool_call"),
}
_ROLES: Mapping[str, Role | Literal["call"]] = {
    spelling: role for role, spellings in _SPELLINGS.items() for spelling in spellings
}
_SPEAKERS: Mapping[str, Role] = {
    spelling: role for spelling, role in _ROLES.items() if role != "tool" and role != "call"
}
_THOUGHT = re.compile(r"\s*<think>(.*?)</think>\n*", re.DOTALL)
_PRINTED = re.compile(r"\s*\[\s*(?:\]|[{\[(])")
"""How a list of objects, or of lists, begins."""
_SHOWN = 60
_TRUTH = {"true": True, "false": False, "1": True, "0": False}


def messages_in(value: object, roles: Mapping[str, str]) -> list[Message]:
    """The messages that a cell holds: a list, or a text that is one (JSON, or as pandas writes it).

    Args:
        value: As it was read.
        roles: Spellings of roles beside those that are known.

    Raises:
        ValueError: It holds something else; says what, to stand behind the row's number.
    """
    found = listed(value)
    if found is None:
        raise ValueError(f"has {shown(value)}, which is no list of messages")
    return [_plain(item, roles) or _message(item, f"messages[{number}]", roles) for number, item in enumerate(found)]


def listed(value: object) -> list[Any] | None:
    """The list that a value is, or is written as; None for none."""
    if isinstance(value, str) and value.lstrip()[:1] == "[":
        value = _written_out(value)
    return value if isinstance(value, list) else None


def is_message(value: object) -> bool:
    """Whether it is an object that says who speaks and what."""
    return (
        isinstance(value, dict)
        and any(isinstance(value.get(key), str) for key in ROLE_KEYS)
        and any(key in value for key in (*CONTENT_KEYS, "tool_calls", "function_call"))
    )


def holds_messages(value: object) -> bool:
    """Whether it is a list of which every item is a message; not for an empty one."""
    found = listed(value)
    return bool(found) and all(map(is_message, found or ()))


def history_in(value: object) -> list[Message]:
    """What was said before: a list of pairs of what was asked and what was answered.

    Raises:
        ValueError: It holds something else.
    """
    if is_missing(value):
        return []
    pairs = listed(value)
    if pairs is None or not all(isinstance(pair, list) and len(pair) == 2 for pair in pairs):
        raise ValueError(f"has {shown(value)}, which is no list of pairs of what was asked and answered")
    said: list[Message] = []
    for number, (asked, answered) in enumerate(pairs):
        place = f"history[{number}]"
        said.append(Message("user", _required(asked, place)))
        said.append(answer_of(_required(answered, place)))
    return said


def tools_in(value: object) -> tuple[Mapping[str, Any], ...]:
    """The functions that may be called, each in OpenAI's envelope (``{"type": "function", "function": {…}}``).

    Raises:
        ValueError: It holds something else.
    """
    if is_missing(value):
        return ()
    if isinstance(value, str):
        value = _json(value, "no list of functions")
    if isinstance(value, dict):
        value = [value]
    if not isinstance(value, list):
        raise ValueError(f"has {shown(value)}, which is no list of functions")
    return tuple(map(_tool, value))


def answer_of(content: str, reasoning: str = "") -> Message:
    """What the assistant says, and what it thinks before; an empty answer is not learned."""
    content, reasoning = _thoughts_apart(content, reasoning)
    return Message("assistant", content, reasoning, train=None if reasoning or not is_missing(content) else False)


def weight_in(value: object) -> float:
    """How much something counts: a number of at least 0, 1 where nothing is said.

    Raises:
        ValueError: It is no such number.
    """
    if is_missing(value):
        return 1.0
    if (number := number_of(value)) >= 0:
        return number
    raise ValueError(f"has {shown(value)} as weight, which is no number of at least 0")


def shown(value: object) -> str:
    """A value on one short line."""
    # A megabyte need not be written out to be cut.
    text = value[: 4 * _SHOWN] if isinstance(value, str) else value
    return shorten(repr(text)[: 8 * _SHOWN], _SHOWN)


# ---------------------------------------------------------------- one message


def _plain(item: object, roles: Mapping[str, str]) -> Message | None:
    """A message of nothing but who speaks and what, which nearly all are, read quickly; None for any other."""
    if type(item) is not dict or len(item) != 2:
        return None
    spelling, content = item.get("role") or item.get("from"), item.get("content") or item.get("value")
    if type(spelling) is not str or type(content) is not str or spelling in roles:
        return None
    role = _SPEAKERS.get(spelling)
    if role is None or (role == "assistant" and ("<think>" in content or is_missing(content))):
        return None
    return Message(role, content)


def _message(item: object, place: str, roles: Mapping[str, str]) -> Message:
    if not isinstance(item, dict):
        raise ValueError(f"has {shown(item)} as {place}, which is no object")
    role = _role(item, place, roles)
    content = _first(item, CONTENT_KEYS)
    if role == "call":
        calls = _calls(content, place)
        return Message("assistant", "", tool_calls=calls, train=_train(item, place), weight=weight_in(_weight(item)))
    train, weight = _train(item, place), weight_in(_weight(item))
    if role == "assistant":
        thought = _reasoning(item, content)
        text, thought = _thoughts_apart(_content(content, place), thought)
        calls = _calls(_first(item, ("tool_calls", "function_call")), place)
        if train is None and not (calls or thought) and is_missing(text):
            train = False
        return Message("assistant", text, thought, calls, train=train, weight=weight)
    if role == "tool":
        name, call = (None if is_missing(item.get(key)) else str(item[key]) for key in ("name", "tool_call_id"))
        told = _told(content, place)
        return Message("tool", told, name=name, tool_call_id=call, train=train, weight=weight)
    if content is None:
        raise ValueError(f"has no content in {place}")
    return Message(role, _content(content, place), train=train, weight=weight)


def _role(item: Mapping[str, Any], place: str, roles: Mapping[str, str]) -> Role | Literal["call"]:
    spelling = _first(item, ROLE_KEYS)
    if not isinstance(spelling, str) or not spelling.strip():
        raise ValueError(f"has no role in {place} ({shown(item)})")
    if spelling in roles:
        return cast("Role", roles[spelling])
    role = _ROLES.get(spelling) or _ROLES.get(spelling.strip().casefold())
    if role is None:
        close = difflib.get_close_matches(spelling.strip().casefold(), _ROLES, 1)
        meant = f" (did you mean {close[0]!r}?)" if close else ""
        raise ValueError(f"has the role {shown(spelling)} in {place}, which is not known{meant}")
    return role


def _content(value: object, place: str) -> str:
    """What is said: a text, or the texts of a list of parts, one behind the other."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, list):
        return "".join(_part(part, place) for part in value)
    raise ValueError(f"has {shown(value)} as content of {place}, which is no text")


def _part(part: object, place: str) -> str:
    if isinstance(part, str):
        return part
    if isinstance(part, dict):
        kind = part.get("type")
        if kind in _TEXT_PARTS and isinstance(part.get("text"), str):
            return str(part["text"])
        if kind in _REASONING_KEYS:
            return ""
        raise ValueError(f"has a part of the type {shown(kind)} in {place}, and only texts are learned")
    raise ValueError(f"has {shown(part)} in the content of {place}, which is no text")


def _told(value: object, place: str) -> str:
    """What a function gives back: text as it stands, anything else as JSON."""
    if isinstance(value, list) and value and all(isinstance(part, dict) and "type" in part for part in value):
        return _content(value, place)
    return "" if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _reasoning(item: Mapping[str, Any], content: object) -> str:
    thought = _first(item, _REASONING_KEYS)
    if isinstance(thought, str):
        return thought.strip()
    parts = content if isinstance(content, list) else ()
    found = (_first(part, ("text", *_REASONING_KEYS)) for part in parts if _is_thought(part))
    return "\n".join(text.strip() for text in found if isinstance(text, str))


def _is_thought(part: object) -> bool:
    return isinstance(part, dict) and part.get("type") in _REASONING_KEYS


def _thoughts_apart(content: str, reasoning: str) -> tuple[str, str]:
    """What is said, and what was thought before: between marks at its beginning, where it is not known already."""
    if reasoning or "<think>" not in content or not (found := _THOUGHT.match(content)):
        return content, reasoning
    # Nothing may stand between the first marks, and something between the next.
    return _thoughts_apart(content[found.end() :], found.group(1).strip())


def _train(item: Mapping[str, Any], place: str) -> bool | None:
    value = _first(item, _TRAIN_KEYS)
    if value is None or isinstance(value, bool):
        return value
    found = _TRUTH.get(str(value).strip().casefold())
    if found is None:
        raise ValueError(f"has {shown(value)} as train of {place}, which is neither true nor false")
    return found


def _weight(item: Mapping[str, Any]) -> object:
    return item.get("weight")


# ---------------------------------------------------------------- functions


def _calls(value: object, place: str) -> tuple[ToolCall, ...]:
    if is_missing(value) or value == []:
        return ()
    if isinstance(value, str):
        value = _json(value, f"no call of a function in {place}")
    return tuple(_call(item, place) for item in (value if isinstance(value, list) else [value]))


def _call(item: object, place: str) -> ToolCall:
    inner = item.get("function", item) if isinstance(item, dict) else None
    name = inner.get("name") if isinstance(inner, dict) else None
    if not isinstance(item, dict) or not isinstance(inner, dict) or not isinstance(name, str) or not name.strip():
        raise ValueError(f"has {shown(item)} as call in {place}, which names no function")
    arguments = _first(inner, _ARGUMENT_KEYS)
    if isinstance(arguments, str):
        arguments = _json(arguments, f"no JSON as arguments of {name!r} in {place}") if arguments.strip() else {}
    if arguments is None:
        arguments = {}
    if not isinstance(arguments, dict):
        raise ValueError(f"has {shown(arguments)} as arguments of {name!r} in {place}, which is no JSON object")
    identity = item.get("id")
    return ToolCall(name, arguments, None if is_missing(identity) else str(identity))


def _tool(item: object) -> Mapping[str, Any]:
    if isinstance(item, str):
        item = _json(item, "no function")
    inner = item.get("function", item) if isinstance(item, dict) else None
    if not isinstance(inner, dict) or not isinstance(inner.get("name"), str):
        raise ValueError(f"has {shown(item)} among its functions, which has no name")
    return cast("Mapping[str, Any]", item) if inner is not item else {"type": "function", "function": inner}


# ---------------------------------------------------------------- small


def _first(item: Mapping[str, Any], keys: Sequence[str]) -> Any:
    """The value of the first key that has one."""
    for key in keys:
        if (value := item.get(key)) is not None:
            return value
    return None


def _required(value: object, place: str) -> str:
    if not isinstance(value, str):
        raise ValueError(f"has {shown(value)} in {place}, which is no text")
    return value


def _json(text: str, what: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"has {shown(text)}, which is {what}: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    return error.msg[0].lower() + error.msg[1:] if isinstance(error, json.JSONDecodeError) else str(error)


def _written_out(text: str) -> object:
    """A list that was written as text: JSON, or as Python prints it, which pandas does; else the text."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        if not _PRINTED.match(text):
            return text
    with warnings.catch_warnings():
        # A backslash in the text is no matter of ours.
        warnings.simplefilter("ignore", SyntaxWarning)
        try:
            return ast.literal_eval(text.strip())
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            return text


assert set(ROLES) == set(_SPELLINGS) - {"call"}
