"""Conversations: what generative tasks learn from and answer, whatever format the rows came in.

A conversation is a list of messages. An instruction with its answer is one of two messages, a document with its summary
as well; plain text is one message that no template surrounds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

Role = Literal["system", "user", "assistant", "tool"]
ROLES: tuple[Role, ...] = get_args(Role)


@dataclass(frozen=True)
class ToolCall:
    """A function that the assistant wants called.

    Attributes:
        name: The function's name.
        arguments: Parameter → value.
        id: By which the answer to it refers to it, where the data have one.
    """

    name: str
    arguments: Mapping[str, Any]
    id: str | None = None


@dataclass(frozen=True)
class Message:
    """What one side says at once.

    Attributes:
        role: Who says it.
        content: What is said.
        reasoning: What the assistant thought before it said so; empty where nothing is known of it.
        tool_calls: Functions that the assistant wants called.
        name: Of a message of the role ``tool``: the function that answers.
        tool_call_id: Of such a message: the call that it answers.
        train: Whether it is learned, where the row says so; None for what the configuration says of all messages.
        weight: How much its tokens count in the loss.
    """

    role: Role
    content: str
    reasoning: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    name: str | None = None
    tool_call_id: str | None = None
    train: bool | None = None
    weight: float = 1.0


@dataclass(frozen=True)
class Conversation:
    """Messages in order.

    Attributes:
        messages: What is said.
        tools: Functions that may be called, as JSON schemas.
        plain: The one message is a text, which no template surrounds.
    """

    messages: tuple[Message, ...]
    tools: tuple[Mapping[str, Any], ...] = ()
    plain: bool = False
