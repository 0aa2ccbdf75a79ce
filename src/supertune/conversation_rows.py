"""Rows become conversations, whatever format they are in: what the layout of the columns is for.

Lists of messages are taken as they are. Of everything else a row asks something, which the prompt puts into words, and
answers it. A row that nobody has answered yet ends with what is asked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from supertune.answer_spans import in_cell as answers_in
from supertune.contracts import Columns, Layout, Part, Rows
from supertune.conversations import Conversation, Message
from supertune.errors import UserError
from supertune.language import is_missing
from supertune.message_lists import (
    answer_of,
    history_in,
    holds_messages,
    is_message,
    listed,
    messages_in,
    shown,
    tools_in,
    weight_in,
)
from supertune.prompts import Field, Prompt, as_text, field_of, prompt_of
from supertune.summary_texts import OF_POINTS
from supertune.summary_texts import in_cell as summaries_in

_T = TypeVar("_T")
_BATCH = 256
"""Rows held at once: one of them may be a megabyte."""
_FIXES: Mapping[Part, str] = {
    "messages": 'write a list of messages, [{"role": "user", "content": "…"}, {"role": "assistant", "content": "…"}]; '
    "other words for who speaks are said in training: supertune train … --set task.roles='{visitor: user}'",
    "tools": 'write a list of functions, [{"name": "…", "description": "…", "parameters": {…}}], or nothing',
    "history": 'write a list of pairs, [["what was asked", "what was answered"]], or nothing',
    "weight": "write how much the row counts: 1 as all others, 0 not at all",
    "system": "write a text",
    "reasoning": "write a text",
    "answer": "write a text; several that are acceptable as a list of texts; leave the cell empty where there is none",
}


@dataclass(frozen=True)
class Fault:
    """A row that is no conversation.

    Attributes:
        row: Its place among the rows.
        row_id: Its number in its file.
        column: The column with what is wrong.
        reason: What is wrong, to stand behind the row's number.
        fix: What to do.
    """

    row: int
    row_id: int
    column: str
    reason: str
    fix: str

    def error(self) -> UserError:
        """It as an error."""
        return UserError(f"row {self.row_id} {self.reason}", where=f"column {self.column!r}", fix=self.fix)


def conversations_of(rows: Rows, columns: Columns) -> Iterator[Conversation]:
    """The conversations in order, one for every row; a few hundred rows are in memory at a time.

    Raises:
        UserError: A row is no conversation.
    """
    for found in conversations_or_faults(rows, columns):
        if isinstance(found, Fault):
            raise found.error()
        yield found


def conversations_or_faults(rows: Rows, columns: Columns) -> Iterator[Conversation | Fault]:
    """The conversations in order, and what is wrong with the rows that are none."""
    layout = columns.layout
    assert layout is not None
    reader = _Reader.of(layout, rows.column_names)
    number = 0
    for batch in rows.batches(_BATCH, columns=reader.needed):
        names = tuple(batch)
        for values in zip(*batch.values(), strict=True):
            try:
                yield reader.conversation(dict(zip(names, values, strict=True)))
            except _CellError as error:
                yield Fault(number, int(rows.row_ids[number]), error.column, str(error), _FIXES[error.part])
            number += 1


def references_of(rows: Rows, columns: Columns) -> Iterator[tuple[str, ...]]:
    """What may be answered, for every row: all acceptable texts of all columns of answers; none for nobody's answer.

    Of a list of messages that is what the assistant says at its end; of plain text there is none.

    Raises:
        UserError: A row is no conversation.
    """
    layout = columns.layout
    assert layout is not None
    if "answer" not in layout.columns:
        for conversation in conversations_of(rows, columns):
            answer = apart(conversation)[1]
            yield () if answer is None or is_missing(answer.content) else (answer.content,)
        return
    found = (field_of(name, rows.column_names) for name in (columns.labels or (layout.columns["answer"],)))
    places = [place for place in found if place is not None]
    needed = tuple(dict.fromkeys(place.column for place in places))
    if not needed:
        yield from (() for _ in range(len(rows)))
        return
    number = 0
    for batch in rows.batches(_BATCH, columns=needed):
        for values in zip(*batch.values(), strict=True):
            row = dict(zip(needed, values, strict=True))
            texts: list[str] = []
            for place in places:
                try:
                    texts += _answers(layout, place, place.value(row))
                except ValueError as error:
                    row_id = int(rows.row_ids[number])
                    raise Fault(number, row_id, place.name, str(error), _FIXES["answer"]).error() from error
            yield tuple(dict.fromkeys(text for text in texts if not is_missing(text)))
            number += 1


def columns_needed(columns: Columns, names: Sequence[str]) -> tuple[str, ...]:
    """The columns that conversations are made of, of those that there are: what their tokens depend on.

    Raises:
        UserError: One is missing without which there are none.
    """
    assert columns.layout is not None
    return _Reader.of(columns.layout, names).needed


def apart(conversation: Conversation) -> tuple[Conversation, Message | None]:
    """What is to be answered, and the answer at its end; None where there is none, and of plain text."""
    messages = conversation.messages
    if conversation.plain or not messages or messages[-1].role != "assistant":
        return conversation, None
    return replace(conversation, messages=messages[:-1]), messages[-1]


def said(messages: Sequence[Message]) -> str:
    """The messages as one text, to be compared and to tell the language by."""
    return "\n".join(message.content for message in messages if message.content)


class _CellError(ValueError):
    """Something wrong in a cell: which part of the layout, in which column."""

    def __init__(self, part: Part, column: str, reason: str) -> None:
        super().__init__(reason)
        self.part = part
        self.column = column


@dataclass(frozen=True)
class _Reader:
    """A layout over the columns that are there."""

    layout: Layout
    places: Mapping[Part, Field]
    prompt: Prompt | None

    @staticmethod
    def of(layout: Layout, names: Sequence[str]) -> _Reader:
        """For rows with these columns; what is missing of the parts beside the prompt is left out."""
        found = {part: field_of(name, names) for part, name in layout.columns.items()}
        places = {part: place for part, place in found.items() if place is not None}
        if layout.prompt is not None:
            return _Reader(layout, places, prompt_of(layout.prompt, names))
        assert "messages" in layout.columns
        if "messages" not in places:
            what = f"has no column {layout.columns['messages']!r}, which holds the messages"
            raise UserError(what, fix=f"its columns are {', '.join(map(repr, names))}")
        return _Reader(layout, places, None)

    @property
    def needed(self) -> tuple[str, ...]:
        """The columns to read, each once."""
        fields = (*(self.prompt.fields if self.prompt else ()), *self.places.values())
        return tuple(dict.fromkeys(field.column for field in fields))

    def conversation(self, row: Mapping[str, Any]) -> Conversation:
        """What a row says.

        Raises:
            _CellError: It is no conversation.
        """
        layout = self.layout
        if layout.format == "text":
            assert self.prompt is not None
            messages = [Message("assistant", self.prompt.filled(row))]
        elif self.prompt is None:
            messages = self._part("messages", row, lambda value: messages_in(value, layout.roles))
        else:
            messages = [*self._asked(row), *self._answered(row)]
        tools = self._part("tools", row, tools_in) if "tools" in self.places else ()
        if layout.format != "text":
            messages = self._with_system(messages, row)
        if "weight" in self.places and (weight := self._part("weight", row, weight_in)) != 1:
            messages = [replace(message, weight=message.weight * weight) for message in messages]
        return Conversation(tuple(messages), tools, plain=layout.format == "text")

    def _asked(self, row: Mapping[str, Any]) -> list[Message]:
        """What was said before, and what is asked; of messages that are given as prompt no answer is learned."""
        assert self.prompt is not None
        before = self._part("history", row, history_in) if "history" in self.places else []
        if self.prompt.alone is not None:
            value = self.prompt.alone.value(row)
            if holds_messages(value) or (isinstance(value, list) and any(map(is_message, value))):
                try:
                    given = messages_in(value, self.layout.roles)
                except ValueError as error:
                    raise _CellError("messages", self.prompt.alone.name, str(error)) from error
                return [*before, *map(_only_told, given)]
        return [*before, Message("user", self.prompt.filled(row))]

    def _answered(self, row: Mapping[str, Any]) -> list[Message]:
        if "answer" not in self.places:
            return []
        value = self.places["answer"].value(row)
        if self.layout.format == "prompt-completion" and isinstance(value, str | list):
            found = listed(value)
            if found and any(map(is_message, found)):
                return self._part("answer", row, lambda value: messages_in(value, self.layout.roles))
        # An empty text is an answer, though nothing to learn; no value is none.
        blank = isinstance(value, str) and is_missing(value)
        texts = [""] if blank else self._part("answer", row, self._texts)
        thought = self._part("reasoning", row, as_text) if "reasoning" in self.places else ""
        return [answer_of(text, thought.strip()) for text in texts[:1]]

    def _texts(self, value: object) -> list[str]:
        return _answers(self.layout, self.places["answer"], value)

    def _with_system(self, messages: list[Message], row: Mapping[str, Any]) -> list[Message]:
        if any(message.role == "system" for message in messages[:1]):
            return messages
        system = self._part("system", row, as_text) if "system" in self.places else ""
        system = system or self.layout.system or ""
        return [Message("system", system), *messages] if system else messages

    def _part(self, part: Part, row: Mapping[str, Any], read: Callable[[Any], _T]) -> _T:
        place = self.places[part]
        try:
            return read(place.value(row))
        except ValueError as error:
            raise _CellError(part, place.name, str(error)) from error


def _answers(layout: Layout, place: Field, value: object) -> list[str]:
    """The acceptable answers that a cell holds, the first of which is learned.

    Raises:
        ValueError: It holds no answer.
    """
    if layout.format == "question-answer":
        return [answer.text for answer in answers_in(value) or ()]
    if layout.format == "summary":
        return summaries_in(value, of_points=place.name.strip().casefold() in OF_POINTS)
    if isinstance(value, str):
        return [value]
    if is_missing(value):
        return []
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return list(value)
    if isinstance(value, list) and any(map(is_message, value)):
        raise ValueError(f"has {shown(value)}, a list of messages where a text is expected")
    return [as_text(value)]


def _only_told(message: Message) -> Message:
    return replace(message, train=False) if message.role == "assistant" and message.train is None else message
