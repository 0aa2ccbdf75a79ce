"""What is odd about conversations, looked for in one pass over the rows: several checks tell of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from supertune.contracts import Columns, IntArray
from supertune.conversations import Conversation, Message
from supertune.data.answers import SIGNS
from supertune.data.conversation_columns import conversations_in
from supertune.data.table import Table
from supertune.language import is_missing

MEGABYTE = 1_000_000
_TAGS = (
    *("a", "abbr", "b", "blockquote", "body", "br", "button", "center", "code", "dd", "div", "dl", "dt", "em", "font"),
    *("footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "head", "header", "hr", "html", "i", "iframe", "img"),
    *("input", "label", "li", "link", "meta", "nav", "ol", "option", "p", "pre", "script", "section", "select", "span"),
    *("small", "strong", "style", "sub", "sup", "table", "tbody", "td", "th", "thead", "title", "tr", "u", "ul"),
)
_MARKUP = re.compile(
    rf"</?(?:{'|'.join(_TAGS)})(?:\s[^<>]*)?/?>|&(?:nbsp|amp|lt|gt|quot|apos|#\d{{1,6}}|#x[0-9a-f]{{1,6}});",
    re.IGNORECASE,
)
_CODE = re.compile(r"```.*?(?:```|\Z)|`[^`\n]*`", re.DOTALL)
_CONTROL = re.compile(
    "|".join(
        [
            # ChatML (Qwen, Yi), Llama 3, Phi, GLM, Command R, gpt-oss and their kin.
            r"<\|[A-Za-z][\w ▁]{0,40}\|>",
            # DeepSeek, with its full-width bars.
            r"<｜[^｜<>\n]{1,40}｜>",
            # Gemma, GLM, InternLM, Granite; sequence marks of many.
            r"</?(?:start_of_turn|end_of_turn|start_of_image|bos|eos|pad|unk|mask|sop|eop|eoa|eoh|s)>",
            # Llama 2 and Mistral.
            r"\[/?(?:INST|TOOL_CALLS|AVAILABLE_TOOLS|TOOL_RESULTS|SYSTEM_PROMPT|gMASK|CLS|SEP|MASK|PAD|UNK)\]",
            r"<</?SYS>>",
            # What stands for roles where there are no tokens for them (Alpaca).
            r"^### (?:Instruction|Response|Input):",
        ]
    ),
    re.MULTILINE,
)
"""Control tokens and marks of published chat templates."""
_AROUND = 20


@dataclass(frozen=True)
class Oddity:
    """Rows that are odd in one way.

    Attributes:
        rows: int64, ascending indices into the split's table.
        shown: What is odd in the first of them.
    """

    rows: IntArray
    shown: str


Turns = Mapping[str, Oddity]
"""What is odd → where; what is not there is nowhere."""


def turns_of(splits: Mapping[str, Table], columns: Columns) -> dict[str, Turns]:
    """What is odd in each split.

    Raises:
        UserError: A row is no conversation.
    """
    return {split: _turns(table, columns) for split, table in splits.items()}


def _turns(table: Table, columns: Columns) -> Turns:
    rows: dict[str, list[int]] = {}
    shown: dict[str, str] = {}
    for row, conversation in enumerate(conversations_in(table, columns)):
        for name, find in _FINDERS.items():
            if (found := find(conversation)) is not None:
                rows.setdefault(name, []).append(row)
                shown.setdefault(name, found)
    return {name: Oddity(np.array(found, np.int64), shown[name]) for name, found in rows.items()}


# ---------------------------------------------------------------- answers


def _empty_answer(conversation: Conversation) -> str | None:
    """An assistant that says nothing, calls nothing and thinks nothing."""
    if conversation.plain:
        return None
    for number, message in enumerate(conversation.messages):
        if message.role == "assistant" and not (message.tool_calls or message.reasoning or _said(message)):
            return f"messages[{number}]"
    return None


def _no_answer(conversation: Conversation) -> str | None:
    spoken = conversation.plain or any(message.role == "assistant" for message in conversation.messages)
    return None if spoken else _start(conversation.messages[-1].content if conversation.messages else "")


def _open_end(conversation: Conversation) -> str | None:
    """An answer somewhere, and something else behind the last one."""
    last = conversation.messages[-1] if conversation.messages else None
    if conversation.plain or last is None or last.role == "assistant" or _no_answer(conversation) is not None:
        return None
    return f"{last.role}: {_start(last.content)}"


# ---------------------------------------------------------------- order


def _twice(conversation: Conversation) -> str | None:
    """The same side twice in a row; a function that is called says what it says whenever it is done."""
    for number, (one, other) in enumerate(_neighbours(conversation), 1):
        if one.role == other.role != "tool":
            return f"messages[{number}], {other.role}: {_start(other.content)}"
    return None


def _assistant_first(conversation: Conversation) -> str | None:
    if conversation.plain:
        return None
    first = next((message for message in conversation.messages if message.role != "system"), None)
    return _start(first.content) if first is not None and first.role == "assistant" else None


def _late_system(conversation: Conversation) -> str | None:
    for number, message in enumerate(conversation.messages):
        if message.role == "system" and number:
            return f"messages[{number}]: {_start(message.content)}"
    return None


def _uncalled_tool(conversation: Conversation) -> str | None:
    """An answer of a function that nobody called: none was called before it, or none by that identity."""
    called: set[str | None] | None = None
    for number, message in enumerate(conversation.messages):
        if message.role == "assistant":
            called = {call.id for call in message.tool_calls} if message.tool_calls else None
        elif message.role == "tool":
            known = called is not None and (
                message.tool_call_id is None or None in called or message.tool_call_id in called
            )
            if not known:
                return f"messages[{number}]: {_start(message.content)}"
        else:
            called = None
    return None


# ---------------------------------------------------------------- texts


def _markup_asked(conversation: Conversation) -> str | None:
    return _markup(message for message in conversation.messages if message.role != "assistant")


def _markup_answered(conversation: Conversation) -> str | None:
    return _markup(message for message in conversation.messages if message.role == "assistant")


def _markup(messages: Iterator[Message]) -> str | None:
    """HTML outside of code."""
    for message in messages:
        text = message.content
        if ("<" in text or "&" in text) and _MARKUP.search(text) and (found := _MARKUP.search(_CODE.sub("", text))):
            return found.group()
    return None


def _control_asked(conversation: Conversation) -> str | None:
    return _control(message for message in conversation.messages if message.role != "assistant")


def _control_answered(conversation: Conversation) -> str | None:
    return _control(message for message in conversation.messages if message.role == "assistant")


def _control(messages: Iterator[Message]) -> str | None:
    for message in messages:
        for text in (message.content, message.reasoning):
            if ("<" in text or "[" in text or "###" in text) and (found := _CONTROL.search(text)):
                return found.group()
    return None


def _long(conversation: Conversation) -> str | None:
    """A megabyte or more of UTF-8."""
    characters = sum(len(message.content) + len(message.reasoning) for message in conversation.messages)
    if characters * 4 < MEGABYTE:
        return None
    texts = (text for message in conversation.messages for text in (message.content, message.reasoning))
    size = sum(len(text.encode("utf-8", "surrogatepass")) for text in texts)
    return f"{size / MEGABYTE:,.1f} MB" if size >= MEGABYTE else None


def _neighbours(conversation: Conversation) -> Iterator[tuple[Message, Message]]:
    return zip(conversation.messages, conversation.messages[1:], strict=False)


def _said(message: Message) -> bool:
    return not is_missing(message.content)


def _start(text: str) -> str:
    return repr(text[:_AROUND] + ("…" if len(text) > _AROUND else ""))


_FINDERS: Mapping[str, Callable[[Conversation], str | None]] = {
    "empty answer": _empty_answer,
    "no answer": _no_answer,
    "open end": _open_end,
    "twice": _twice,
    "assistant first": _assistant_first,
    "late system": _late_system,
    "uncalled tool": _uncalled_tool,
    "markup asked": _markup_asked,
    "markup answered": _markup_answered,
    "control asked": _control_asked,
    "control answered": _control_answered,
    "long": _long,
    **SIGNS,
}
