"""Several data sets as one: every row a conversation, in the same form whatever it was written in."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from supertune.contracts import Columns, IntArray, Layout
from supertune.conversations import Conversation, Message
from supertune.data.arrays import Places
from supertune.data.conversation_columns import conversations_in
from supertune.data.sources import spill
from supertune.data.sources.building import TableBuilder
from supertune.data.table import Table
from supertune.errors import UserError

_BATCH_CHARACTERS = 16 * 1024**2
_BATCH_ROWS = 1024
_RANDOM_STREAM = 0x313C
_LAYOUT = Layout("messages", {"messages": "messages", "tools": "tools"})


@dataclass(frozen=True)
class Ingredient:
    """A data set to be mixed.

    Attributes:
        table: Its rows.
        columns: Its columns, with a layout.
        times: How often each row is taken: 1 as it is, 2 twice, 0.5 half of the rows, drawn.
        name: What the column ``source`` says; None: what the table was read from.
    """

    table: Table
    columns: Columns
    times: float = 1.0
    name: str | None = None


def mixed(ingredients: Sequence[Ingredient], seed: int) -> tuple[Table, Columns]:
    """The rows of several data sets as lists of messages, one data set after the other.

    Rows that are taken several times follow each other, and stay in one split, as all with the same question do. The
    columns ``source`` and ``source_row`` say where a row comes from. The same seed draws the same rows.

    Args:
        ingredients: What is mixed; how a row is read is its own layout's matter.
        seed: Of the draw.

    Raises:
        UserError: A row is no conversation, a share is no number above 0, or plain text is among conversations.
    """
    if len({_is_plain(one.columns) for one in ingredients}) > 1:
        raise UserError(
            "plain text and conversations cannot be mixed: only the one has a chat template",
            where="data.source",
            fix="train on the one first, then on the other",
        )
    plain = _is_plain(ingredients[0].columns)
    name = " + ".join(dict.fromkeys(one.table.source for one in ingredients))
    parts = [[one.table.fingerprint, _described(one.columns), one.times, one.name] for one in ingredients]
    key = spill.key_of({"mixed": parts, "seed": seed})
    columns = _columns(plain)
    if (table := spill.opened(key, name)) is not None:
        return table, columns
    generator = np.random.default_rng([seed, _RANDOM_STREAM])
    with TableBuilder(name, key=key, on_bad_row="refuse") as builder:
        for one in ingredients:
            times = _times(one, generator)
            _add(builder, one, times, plain=plain)
        notes = [f"{one.table.source}: {len(one.table):,} rows, taken {one.times:g} times" for one in ingredients]
        return builder.finish(notes), columns


def row_of(conversation: Conversation) -> dict[str, Any]:
    """A conversation as a row of messages and tools, from which the same conversation is read again."""
    return {
        "messages": list(map(_message, conversation.messages)),
        "tools": list(conversation.tools) or None,
    }


def _message(message: Message) -> dict[str, Any]:
    row: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.reasoning:
        row["reasoning_content"] = message.reasoning
    if message.tool_calls:
        row["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": dict(call.arguments)}}
            for call in message.tool_calls
        ]
    more = {"name": message.name, "tool_call_id": message.tool_call_id, "train": message.train}
    row.update({key: value for key, value in more.items() if value is not None})
    return row if message.weight == 1 else {**row, "weight": message.weight}


def _add(builder: TableBuilder, one: Ingredient, times: IntArray, *, plain: bool) -> None:
    """The rows of a data set, as often as they are taken."""
    records: list[dict[str, Any]] = []
    characters = 0
    for row, record in _rows(one, plain=plain):
        for _ in range(times[row]):
            records.append(
                {**record, "source": one.name or one.table.source, "source_row": int(one.table.row_ids[row])}
            )
            characters += sum(len(message["content"]) for message in record.get("messages", ()))
        if len(records) >= _BATCH_ROWS or characters > _BATCH_CHARACTERS:
            _flush(builder, records)
            records, characters = [], 0
    _flush(builder, records)


def _rows(one: Ingredient, *, plain: bool) -> Iterator[tuple[int, dict[str, Any]]]:
    for row, conversation in enumerate(conversations_in(one.table, one.columns)):
        if plain:
            [message] = conversation.messages
            yield row, {"text": message.content, "weight": message.weight}
        else:
            yield row, row_of(conversation)


def _flush(builder: TableBuilder, records: Sequence[Mapping[str, Any]]) -> None:
    if records:
        builder.add_records(records, Places(range(builder.rows, builder.rows + len(records))))


def _times(one: Ingredient, generator: np.random.Generator) -> IntArray:
    """int64 (rows,): how often each row is taken; of a fraction as many rows as come nearest to it."""
    if not (math.isfinite(one.times) and one.times > 0):
        raise UserError(
            f"{one.table.source} is to be taken {one.times:g} times",
            where="data.mix",
            fix="write a number above 0: 1 takes every row once, 0.5 half of them, 2 each twice",
        )
    whole, rest = divmod(one.times, 1)
    times = np.full(len(one.table), int(whole), np.int64)
    times[generator.permutation(len(times))[: round(rest * len(times))]] += 1
    return times


def _is_plain(columns: Columns) -> bool:
    return columns.layout is not None and columns.layout.format == "text"


def _described(columns: Columns) -> object:
    return columns.layout.state() if columns.layout is not None else None


def _columns(plain: bool) -> Columns:
    if plain:
        layout = Layout("text", {"weight": "weight"}, "{text}")
        return Columns(("text",), (), ("text: 'text' (plain text, mixed)",), answers="generated", layout=layout)
    told = ("conversations: 'messages' (lists of messages, mixed)",)
    return Columns(("messages",), (), told, answers="generated", layout=_LAYOUT)
