"""Rows of tasks that write, as the texts that are learned from, with what carries loss in them, as training has it."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from supertune.config import Config
from supertune.contracts import Columns, InspectedRow, Piece, Problem
from supertune.conversation_rows import Fault, columns_needed, conversations_or_faults, said
from supertune.conversations import Conversation
from supertune.data import Table, set_aside_unlabelled
from supertune.errors import UserError
from supertune.language import is_blank
from supertune.models import ModelSource, choose_padding
from supertune.recipes.template import for_model, probed_rows, settled_template, template_told
from supertune.tasks import (
    MOST_LOST,
    TASKS,
    WAYS_ROUND,
    ConversationEncoder,
    GenerationTask,
    Rendered,
    RowProblemError,
    Tokens,
    as_dict,
    text_pieces,
)

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_LONGEST_CELL = 500
"""Characters that are shown of a cell which is no conversation."""


@dataclass(frozen=True)
class Written:
    """What was found.

    Attributes:
        rows: The rows looked at.
        announcements: What is done with all rows, a sentence each: the template, what ends answers.
        remarks: What became of those looked at, and for what training would be refused.
    """

    rows: tuple[InspectedRow, ...]
    announcements: tuple[str, ...]
    remarks: tuple[str, ...]


def written_rows(
    config: Config,
    columns: Columns,
    table: Table,
    source: ModelSource,
    tokenizer: PreTrainedTokenizerBase,
    max_length: int,
    count: int,
) -> Written:
    """The first ``count`` rows that training would take, each as it would be learned, or with why it would not.

    Raises:
        UserError: The template cannot be used.
    """
    announcements = []
    if (padding := choose_padding(tokenizer)) is not None:
        announcements.append(f"padded with {padding}: the tokenizer has no token for that")
    task = for_model(TASKS[config.task.name].built(columns, config.task.model_dump()), source)
    assert isinstance(task, GenerationTask)
    told = template_told(task, task.encoder(tokenizer, max_length))
    if not told and config.task.name != "text":
        announcements.append("template: the model's own" if config.task.template is None else "template: as asked for")
    announcements += told
    remarks = []
    probed, faults = _apart(conversations_or_faults(table.select(probed_rows(table), step="probe"), columns))
    try:
        settled = settled_template(task, tokenizer, max_length, probed)
        announcements += settled.announcements
        task = settled.task
    except UserError as error:
        remarks.append(f"training is refused: {error.what}; {error.fix}")
    encoder = task.encoder(tokenizer, max_length)
    rows = tuple(_rows(encoder, columns, table, count, skip=config.data.on_bad_row == "skip"))
    bad = [fault.row_id for fault in faults if fault.row_id not in {row.row for row in rows}]
    if bad and config.data.on_bad_row == "refuse":
        remarks.append(
            f"training is refused: row {bad[0]} is no conversation either; leave out such with --on-bad-row skip"
        )
    return Written(rows, tuple(announcements), (*remarks, *_told(encoder, rows)))


def _apart(found: Iterator[Conversation | Fault]) -> tuple[list[Conversation], list[Fault]]:
    everything = list(found)
    return (
        [each for each in everything if not isinstance(each, Fault)],
        [each for each in everything if isinstance(each, Fault)],
    )


def _rows(
    encoder: ConversationEncoder, columns: Columns, table: Table, count: int, *, skip: bool
) -> Iterator[InspectedRow]:
    numbered = enumerate(conversations_or_faults(table, columns))
    taken = list(itertools.islice((one for one in numbered if not (skip and isinstance(one[1], Fault))), count))
    chosen = table.select(np.array([place for place, _ in taken], np.int64), step="head")
    unlabelled = {int(row) for row in set_aside_unlabelled(chosen, *columns.labels)[1].row_ids}
    for (place, found), number in zip(taken, chosen.row_ids.tolist(), strict=True):
        if isinstance(found, Fault):
            way = f"{found.fix}; or leave such rows out with --on-bad-row skip"
            problem = Problem("fault", f"is no conversation: it {found.reason} (column {found.column!r})", way)
            cells = _cells(table.select(np.array([place]), step="cell"), columns)
            yield InspectedRow(number, cells, len(cells), problem=problem)
        elif number in unlabelled:
            what = f"has no value in {' and '.join(map(repr, columns.labels))}, and is set aside"
            way = "answer it, or leave it: it is counted and not learned"
            yield _unlearned(encoder, found, number, Problem("unlabelled", what, way))
        elif is_blank(said(found.messages)):
            problem = Problem("blank", "says nothing, and is left out", "leave it: it is counted and not learned")
            yield _unlearned(encoder, found, number, problem)
        else:
            yield from _items(encoder, found, number)


def _items(encoder: ConversationEncoder, conversation: Conversation, number: int) -> Iterator[InspectedRow]:
    """The texts that are made of a conversation; what becomes of them is counted as in training."""
    encoder.encode([conversation], number)
    try:
        texts = encoder.renderer.render(conversation)
    except RowProblemError as problem:
        told = Problem(problem.kind, f"cannot be learned: {problem}", WAYS_ROUND[problem.kind])
        yield _unlearned(encoder, conversation, number, told)
        return
    for place, (text, tokens) in enumerate(zip(texts, encoder.tokens(texts), strict=True), start=1):
        which = (f"text {place} of {len(texts)}",) if len(texts) > 1 else ()
        if text.reading is not None and tokens.reading is not None:
            full = len(tokens.reading.ids)
            kept = min(full, encoder.max_length)
            pieces, seen = _pieces(encoder, text.reading, tokens.reading, kept)
            yield InspectedRow(number, pieces, seen, cut=full - kept, notes=(*which, "what the encoder reads"))
            which = (*which, "what the decoder writes")
        row = _item(encoder, text, tokens, number)
        yield replace(row, notes=(*which, *row.notes))


def _item(encoder: ConversationEncoder, text: Rendered, tokens: Tokens, number: int) -> InspectedRow:
    most, full = encoder.max_length, len(tokens.ids)
    fate = encoder.fate(tokens)
    kept = 0 if fate == "dropped" else min(full, most)
    pieces, seen = _pieces(encoder, text, tokens, kept)
    typed = dict.fromkeys(text.text[begin:end] for begin, end in text.typed)
    notes = tuple(f"{spelled} was typed, and stays text" for spelled in typed)
    row = InspectedRow(number, pieces, seen, cut=full - kept, notes=notes)
    if fate == "dropped":
        way = f"raise model.max_length to {full}, or set task.too_long=cut"
        return replace(row, problem=Problem("too-long", f"is left out: {full} tokens are more than {most}", way))
    if fate == "silent":
        what = f"is left out: nothing of it is left to learn in {kept} tokens"
        way = f"raise model.max_length to {full}" if full > most else "say train: true of a message"
        return replace(row, problem=Problem("nothing-to-learn", what, way))
    if full > kept:
        lost = int((tokens.weights[kept:] != 0).sum())
        return replace(row, notes=(f"{full - kept} cut off, {lost} of which were to be learned", *notes))
    return row


def _pieces(encoder: ConversationEncoder, text: Rendered, tokens: Tokens, kept: int) -> tuple[tuple[Piece, ...], int]:
    """The text in pieces, which joined are the text, and how many of them the model sees of ``kept`` tokens.

    A piece of which the last tokens are cut off is seen, with those tokens that are left of it.
    """
    tokenizer = encoder.renderer.tokenizer
    stops = {int(tokenizer.backend_tokenizer.token_to_id(stop)) for stop in text.stops}
    found = text_pieces(text, tokens)
    ends = [*(first for _, _, first in found[1:]), len(tokens.ids)]
    names, weights = tokenizer.convert_ids_to_tokens(tokens.ids), tokens.weights.tolist()
    pieces, seen = [], 0
    for (said_, _, first), behind in zip(found, ends, strict=True):
        whole = first >= kept
        part = slice(first, behind if whole else min(behind, kept))
        ids = tuple(tokens.ids[part])
        ends_answer = len(ids) == 1 and ids[0] in stops and weights[first] != 0
        pieces.append(Piece(said_, ids, tuple(names[part]), tuple(weights[part]), stop=ends_answer))
        seen += not whole or kept == len(tokens.ids)
    return tuple(pieces), seen


def _unlearned(encoder: ConversationEncoder, conversation: Conversation, number: int, problem: Problem) -> InspectedRow:
    """A row that is not learned, as the template would write it; where it does not, as it is."""
    try:
        text = encoder.renderer.unlearned(conversation)
    except RowProblemError:
        raw = tuple(Piece(line) for line in _spoken(conversation))
        return InspectedRow(number, raw, len(raw), problem=problem)
    (tokens,) = encoder.tokens([text])
    kept = min(len(tokens.ids), encoder.max_length)
    pieces, seen = _pieces(encoder, text, tokens, kept)
    return InspectedRow(number, pieces, seen, cut=len(tokens.ids) - kept, problem=problem)


def _spoken(conversation: Conversation) -> Iterator[str]:
    """Who says what, a line each."""
    for message in conversation.messages:
        given = {key: value for key, value in as_dict(message).items() if key not in ("role", "content", "thinking")}
        more = f" {json.dumps(given, ensure_ascii=False, default=str)}" if given else ""
        yield f"{message.role}: {message.content}{more}\n"


def _cells(row: Table, columns: Columns) -> tuple[Piece, ...]:
    """What stands in the columns that a conversation was to be made of, a line each."""
    lines = []
    for name in columns_needed(columns, row.column_names):
        (value,) = row.column(name)
        cell = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
        more = f"… ({len(cell) - _LONGEST_CELL:,} more characters)" if len(cell) > _LONGEST_CELL else ""
        lines.append(Piece(f"{name}: {cell[:_LONGEST_CELL]}{more}\n"))
    return tuple(lines)


def _told(encoder: ConversationEncoder, rows: Sequence[InspectedRow]) -> Iterator[str]:
    """What became of the rows looked at."""
    counts = encoder.counts
    yield from counts.told()
    if counts.lost_rows:
        yield f"training is refused when more than {MOST_LOST:.1%} of its rows lose part of their answer"
    refused = [row.row for row in rows if row.problem is not None and row.problem.kind in (*WAYS_ROUND, "fault")]
    if counts.policy == "error":
        refused += counts.long_rows
    if refused:
        named = ", ".join(map(str, sorted(set(refused))))
        yield f"training is refused because of {'row' if len(set(refused)) == 1 else 'rows'} {named}"
    aside = [row.row for row in rows if row.problem is not None and row.problem.kind in ("unlabelled", "blank")]
    if aside:
        yield f"{len(aside)} {'row' if len(aside) == 1 else 'rows'} ({', '.join(map(str, aside))}) not learned from"
