"""Texts inside nested values: what people said in messages, and none of what programs read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

_OF_PROGRAMS = frozenset(
    {"role", "from", "name", "id", "type", "weight", "train", "tools", "tool_calls", "tool_call_id", "function_call"}
)
"""Keys of a message under which nothing is said: its speaker, switches, and calls, whose JSON has to stay as it is."""


def edited(value: Any, edit: Callable[[str], str]) -> Any:
    """The value with every text in it changed, of lists and objects also; numbers and the like as they are."""
    if isinstance(value, str):
        return edit(value)
    if isinstance(value, list):
        return [edited(item, edit) for item in value]
    if isinstance(value, dict):
        return {key: item if key in _OF_PROGRAMS else edited(item, edit) for key, item in value.items()}
    return value


def texts_in(value: Any) -> list[str]:
    """Every text that `edited` would change, in order; a number as it is written."""
    return list(_texts_in(value))


def _texts_in(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _texts_in(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            if key not in _OF_PROGRAMS:
                yield from _texts_in(item)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield str(value)
