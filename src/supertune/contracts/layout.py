"""How conversations stand in rows: which column says what, and what is made of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, get_args

Face = Literal["chat", "summarization", "translation", "generative-qa", "text"]
"""What is written: an answer to anything, a summary, a translation, an answer to a question, or text as such."""
Format = Literal[
    "messages", "sharegpt", "alpaca", "prompt-completion", "question-answer", "summary", "translation", "text"
]
FORMATS: tuple[Format, ...] = get_args(Format)
Part = Literal["messages", "tools", "system", "history", "answer", "reasoning", "weight"]
"""What a column may hold beside the fields of the prompt."""


@dataclass(frozen=True)
class Generation:
    """What the user wants of conversations; what is None is found.

    Attributes:
        face: What is written, which says how columns are called and what the prompt is.
        prompt: What is asked, with ``{column}`` for what stands in a column; ``{{`` for a brace.
        system: The system message of every conversation that has none of its own.
        roles: Who speaks, as the rows write it → ``system``, ``user``, ``assistant`` or ``tool``; beside the spellings
            that are known.
    """

    face: Face = "chat"
    prompt: str | None = None
    system: str | None = None
    roles: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Layout:
    """How a row becomes a conversation.

    A column may be named with a key behind a dot (``translation.en``), where it holds objects.

    Attributes:
        format: What people call the format. ``messages`` and ``sharegpt`` hold lists of messages, ``text`` is learned
            as it stands; all others ask something (``prompt``) and answer it.
        columns: What is there → its column. ``messages``: lists of messages. ``answer``: what the assistant says.
            ``reasoning``: what it thinks before. ``history``: pairs of what was asked and answered before. ``system``,
            ``tools``, and ``weight``, how much the whole row counts.
        prompt: What the user asks, or the text to learn, with ``{column}`` for what stands in a column. A line whose
            fields are all empty is left out. None for lists of messages.
        system: The system message of conversations that have none of their own.
        roles: Spellings of roles → ``system``, ``user``, ``assistant`` or ``tool``, beside those that are known.
    """

    format: Format
    columns: Mapping[Part, str]
    prompt: str | None = None
    system: str | None = None
    roles: Mapping[str, str] = field(default_factory=dict)

    def state(self) -> dict[str, Any]:
        """All of it, as JSON."""
        return asdict(self)

    @staticmethod
    def from_state(state: Mapping[str, Any]) -> Layout:
        """The layout as it was saved by `state`."""
        return Layout(**state)
