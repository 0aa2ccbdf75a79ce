"""The signs that an answer of a conversation is not one to learn from, each by its name."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from supertune.conversations import Conversation
from supertune.data.answers.echoes import echoes
from supertune.data.answers.endings import ends_early
from supertune.data.answers.languages import other_language
from supertune.data.answers.refusals import refusal_in

_SHOWN = 60


def _answers(conversation: Conversation) -> Iterator[tuple[str, str]]:
    """What was asked last before every answer, and the answer; nothing of plain texts."""
    asked = ""
    for message in () if conversation.plain else conversation.messages:
        if message.role == "user":
            asked = message.content
        elif message.role == "assistant" and message.content:
            yield asked, message.content


def _refusal(conversation: Conversation) -> str | None:
    return next((found[:_SHOWN] for _, answer in _answers(conversation) if (found := refusal_in(answer))), None)


def _echo(conversation: Conversation) -> str | None:
    return next((answer[:_SHOWN] for asked, answer in _answers(conversation) if echoes(asked, answer)), None)


def _unfinished(conversation: Conversation) -> str | None:
    return next((f"… {found}" for _, answer in _answers(conversation) if (found := ends_early(answer))), None)


def _language(conversation: Conversation) -> str | None:
    return next((found for asked, answer in _answers(conversation) if (found := other_language(asked, answer))), None)


SIGNS: Mapping[str, Callable[[Conversation], str | None]] = {
    "refusals": _refusal,
    "echoes": _echo,
    "unfinished": _unfinished,
    "languages": _language,
}
"""Name → what shows it in a conversation, or None; one bad answer is enough."""
