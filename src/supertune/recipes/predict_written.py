"""What a trained model writes to new rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from supertune.console import Bar, Console
from supertune.contracts import Prediction
from supertune.conversation_rows import apart
from supertune.conversations import Conversation
from supertune.data import OnBadRow, Table, conversations_in, well_formed
from supertune.errors import UserError
from supertune.generate import Generated, GenerationSettings, Progress, generate, prompt_room
from supertune.recipes.saved import SavedModel
from supertune.recipes.typed import optional_columns, typed_table
from supertune.recipes.writing_choices import WritingChoices
from supertune.recipes.written import Author
from supertune.runs import prediction_row
from supertune.tasks import GenerationTask, RowProblemError, prompt_tokens

_PIECE = 128
"""Rows written before any is told: several batches of texts of like length, and not too long a wait."""
_CHECKED = 256
"""Rows looked at at once before anything is written."""
_SHOWN = 5


def author_of(saved: SavedModel, choices: WritingChoices) -> tuple[Author, GenerationSettings]:
    """Who writes, and how.

    Raises:
        UserError: A choice means nothing.
    """
    assert isinstance(saved.task, GenerationTask)
    author = Author(saved.model, saved.tokenizer, choices.applied(saved.task), saved.max_length)
    return author, choices.settings(author.settings)


def prompts_of(author: Author, asked: Sequence[Conversation]) -> list[NDArray[np.int32]]:
    """What the model is given to answer each, int32 (tokens,).

    Raises:
        RowProblemError: The template refuses one or leaves out what the system says, or it asks nothing.
    """
    encoder = author.task.encoder(author.tokenizer, author.max_length)
    for conversation in asked:
        if not conversation.messages:
            raise RowProblemError("unanswered", "it holds nothing that could be answered")
        text = encoder.renderer.prompt(conversation).text
        for message in conversation.messages:
            if message.role == "system" and not conversation.plain and message.content.strip() not in text:
                raise RowProblemError("system", "the template does not write what the system says")
    found = prompt_tokens(encoder, asked)
    if not all(map(len, found)):
        raise RowProblemError("unanswered", "it is empty")
    return found


def write_table(
    saved: SavedModel, table: Table, choices: WritingChoices, console: Console, *, on_bad_row: OnBadRow = "refuse"
) -> Iterator[dict[str, object]]:
    """One line per row, in order: its columns, ``prediction``, ``ended``, and ``row``.

    Rows that cannot be asked are told before anything is written.

    Args:
        saved: A model that writes.
        table: Rows with the columns that it is asked with; answers are not looked at.
        choices: How to write.
        console: Where to show progress.
        on_bad_row: ``refuse``, or ``skip`` rows that cannot be asked, which is told.

    Raises:
        UserError: Rows cannot be asked, a choice means nothing, or there is not enough memory.
    """
    author, settings = author_of(saved, choices)
    task = author.task
    absent = [name for name in optional_columns(task) if name not in table.column_names]
    for name in absent:
        table = table.with_column(name, [None] * len(table), step="absent")
    whole = len(table)
    table = well_formed(table, task.columns, on_bad_row)
    table, cut = _askable(author, settings, table, on_bad_row)
    if len(table) < whole:
        console.warn(f"{whole - len(table):,} of {whole:,} rows cannot be asked and are left out")
    if cut:
        console.warn(
            f"{_rows(cut)} longer than the model's window: the beginning is cut, and `cut_tokens` says by how much"
        )
    return _lines(author, settings, table, absent, console)


def _lines(
    author: Author, settings: GenerationSettings, table: Table, absent: Sequence[str], console: Console
) -> Iterator[dict[str, object]]:
    with console.progress("writing", len(table)) as bar:
        for start in range(0, len(table), _PIECE):
            piece = table.select(np.arange(start, min(start + _PIECE, len(table))), step="piece")
            asked = [apart(conversation)[0] for conversation in conversations_in(piece, author.task.columns)]
            generated = generate(
                author.model,
                prompts_of(author, asked),
                replace(settings, seed=_seed(settings.seed, start)),
                decode=author.decode,
                progress=_after(start, bar),
            )
            for row, number, conversation, one in zip(piece.rows(), piece.row_ids, asked, generated, strict=True):
                yield prediction_row(row, int(number), written(one, plain=conversation.plain), without=absent)


def _after(before: int, bar: Bar) -> Progress:
    """Tells progress of a piece on a bar of the whole, of which ``before`` rows are done."""
    return lambda done, tokens: bar(before + done, f"{tokens:,} tokens")


def write_lines(
    saved: SavedModel, pieces: Iterable[Sequence[str]], choices: WritingChoices
) -> Iterator[dict[str, object]]:
    """Answers to texts as they come; what came together is written on together.

    Where tokens are drawn, texts are taken a fixed number at a time, so that the same ones draw the same answers.

    Raises:
        UserError: See `write_table`.
    """
    assert isinstance(saved.task, GenerationTask)
    if choices.temperature:
        pieces = _regrouped(text for piece in pieces for text in piece)
    total = 0
    for piece in pieces:
        table = typed_table(saved.task, piece, "standard input")
        seed = _seed(choices.seed or 0, total) if choices.temperature else choices.seed
        for row in write_table(saved, table, replace(choices, seed=seed), Console(quiet=True)):
            row["row"] = total
            total += 1
            yield row


def written(one: Generated, *, plain: bool) -> Prediction:
    """What was written, as it stands behind a plain text and without outer white space elsewhere; what ended it."""
    more: dict[str, Any] = {"ended": one.ended} | ({"cut_tokens": one.cut} if one.cut else {})
    return Prediction(0, one.text if plain else one.text.strip(), more=more)


def _askable(
    author: Author, settings: GenerationSettings, table: Table, on_bad_row: OnBadRow
) -> tuple[Table, list[int]]:
    """The rows that can be asked, and the numbers of those that are too long."""
    room = prompt_room(author.model, settings)
    bad: dict[int, str] = {}
    long: list[int] = []
    conversations = conversations_in(table, author.task.columns)
    place = 0
    while portion := [apart(conversation)[0] for conversation in islice(conversations, _CHECKED)]:
        for position, prompt in enumerate(_each(author, portion), start=place):
            if isinstance(prompt, RowProblemError):
                bad[position] = str(prompt)
            elif room is not None and len(prompt) > room:
                long.append(int(table.row_ids[position]))
        place += len(portion)
    if not bad:
        return table, long
    told = [f"row {table.row_ids[position]}: {reason}" for position, reason in list(bad.items())[:_SHOWN]]
    told += [f"and {len(bad) - _SHOWN:,} more"] if len(bad) > _SHOWN else []
    if on_bad_row == "refuse" or len(bad) == len(table):
        count = "1 row" if len(bad) == 1 else f"{len(bad):,} rows"
        fix = "change them" + ("" if len(bad) == len(table) else ", or leave them out with --on-bad-row skip")
        raise UserError(f"{count} cannot be asked\n    " + "\n    ".join(told), where=table.source, fix=fix)
    kept = np.setdiff1d(np.arange(len(table)), np.array(list(bad), np.int64))
    return table.select(kept, step="askable", reason=f"{len(bad):,} rows cannot be asked, such as {told[0]}"), long


def _each(author: Author, portion: Sequence[Conversation]) -> list[NDArray[np.int32] | RowProblemError]:
    try:
        return [*prompts_of(author, portion)]
    except RowProblemError as problem:
        if len(portion) == 1:
            return [problem]
        return [found for one in portion for found in _each(author, [one])]


def _regrouped(texts: Iterable[str]) -> Iterator[list[str]]:
    coming = iter(texts)
    while piece := list(islice(coming, _PIECE)):
        yield piece


def _seed(seed: int, start: int) -> int:
    """Another for every piece: the first rows of all would else draw alike."""
    return seed if not start else int(np.random.SeedSequence([seed, start]).generate_state(1)[0])


def _rows(numbers: Sequence[int]) -> str:
    shown = ", ".join(map(str, numbers[:_SHOWN]))
    more = ", …" if len(numbers) > _SHOWN else ""
    return f"1 row ({shown}) is" if len(numbers) == 1 else f"{len(numbers):,} rows ({shown}{more}) are"
