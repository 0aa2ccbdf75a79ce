"""Rows of tasks that read texts, as token pieces: single texts and pairs, windows, queries and passages, tags."""

from __future__ import annotations

from collections.abc import Container, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from supertune.config import Config
from supertune.contracts import Columns, Features, InspectedRow, Piece, label_names
from supertune.data import Table
from supertune.entity_spans import tagged_of
from supertune.models import ModelSource
from supertune.recipes.vectors import task_settings
from supertune.relevance import ranked_of
from supertune.tasks import TASKS, RetrievalTask, TaggingTask, parts_pairs

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def text_rows(
    config: Config,
    columns: Columns,
    table: Table,
    source: ModelSource,
    tokenizer: PreTrainedTokenizerBase,
    max_length: int,
) -> Iterator[InspectedRow]:
    """The rows in order, several of one where it is more than one text to the model."""
    if columns.answers in ("answers", "texts"):
        return _windows(config, columns, table, tokenizer, max_length)
    if TASKS[config.task.name].answers == "ranking":
        return _apart(config, columns, table, source, tokenizer, max_length)
    if columns.answers == "spans":
        return _tagged(config, columns, table, tokenizer, max_length)
    return _whole(columns, table, tokenizer, max_length)


def _whole(
    columns: Columns, table: Table, tokenizer: PreTrainedTokenizerBase, max_length: int
) -> Iterator[InspectedRow]:
    """A line for each row: its text, or its two texts where they are compared."""
    labels = table.column(columns.label) if columns.label in table.column_names else [None] * len(table)
    apart = columns.pair and parts_pairs(tokenizer)
    sides = [table.texts((name,)) for name in columns.text] if apart else [table.texts(columns.text)]
    for texts, number, label in zip(zip(*sides, strict=True), table.row_ids, labels, strict=True):
        yield _cut_row(int(number), texts, tokenizer, max_length, label)


def _windows(
    config: Config, columns: Columns, table: Table, tokenizer: PreTrainedTokenizerBase, max_length: int
) -> Iterator[InspectedRow]:
    """A line for each window over a row's text, with the pieces of the answer that it holds whole, or of sentences."""
    task = TASKS[config.task.name].built(columns, config.task.model_dump())
    contexts = list(table.texts(columns.text if columns.answers == "texts" else columns.text[1:]))
    features = task.encode(table, tokenizer, max_length)
    labels = table.column(columns.label) if columns.label in table.column_names else [None] * len(table)
    for item, row in enumerate(features.rows.tolist()):
        pointed = _pointed(features, item)
        pieces = tuple(
            _piece(text, token_id, name, float(place in pointed))
            for place, (text, token_id, name) in enumerate(_window(features, item, contexts[row], tokenizer))
        )
        yield InspectedRow(int(table.row_ids[row]), pieces, len(pieces), label=labels[row])


def _window(
    features: Features, item: int, text: str, tokenizer: PreTrainedTokenizerBase
) -> Iterator[tuple[str, int, str]]:
    """Each token of a window over ``text``: what it says, its id, and what the vocabulary calls it."""
    part = slice(features.offsets[item], features.offsets[item + 1])
    ids, begins, ends = (features.tokens[name][part].tolist() for name in ("input_ids", "begins", "ends"))
    for token_id, name, begin, end in zip(ids, tokenizer.convert_ids_to_tokens(ids), begins, ends, strict=True):
        yield (text[begin:end] if end > begin else name), token_id, name


def _pointed(features: Features, item: int) -> Container[int]:
    """The pieces of a window that are the answer, or of sentences to take."""
    part = slice(features.offsets[item], features.offsets[item + 1])
    if "labels" in features.tokens:
        taken = (features.tokens["labels"][part] == 1) & (features.tokens["sentences"][part] > 0)
        found: list[int] = np.flatnonzero(taken).tolist()
        return found
    first, last = features.targets["labels"][item].tolist() if features.targets else (0, 0)
    return range(first, last + 1) if first > 0 else ()


def _apart(
    config: Config,
    columns: Columns,
    table: Table,
    source: ModelSource,
    tokenizer: PreTrainedTokenizerBase,
    max_length: int,
) -> Iterator[InspectedRow]:
    """A line for the query of each row and one for its passage, each with what stands before it."""
    task = RetrievalTask.built(columns, task_settings(config, source))
    for ranked, number in zip(ranked_of(table, columns), table.row_ids, strict=True):
        for text in (task.prompted(ranked.query, "query"), task.prompted(ranked.passage, "passage")):
            yield _cut_row(int(number), (text,), tokenizer, max_length, ranked.relevance)


def _tagged(
    config: Config, columns: Columns, table: Table, tokenizer: PreTrainedTokenizerBase, max_length: int
) -> Iterator[InspectedRow]:
    """A line for each window over a row's text, with the tags that are learned in it."""
    task = TaggingTask.built(columns, config.task.model_dump())
    if any(found.entities for found in tagged_of(table, columns)):
        task.fit_state(table)
    features = task.encode(table, tokenizer, max_length)
    names = ("", *label_names(task))
    texts = list(table.texts(columns.text))
    for item, row in enumerate(features.rows.tolist()):
        part = slice(features.offsets[item], features.offsets[item + 1])
        window = list(_window(features, item, texts[row], tokenizer))
        tags = features.tokens["tags"][part].tolist() if features.targets else [0] * len(window)
        pieces = tuple(
            _piece(text, token_id, name, float(tag != 0), names[tag])
            for (text, token_id, name), tag in zip(window, tags, strict=True)
        )
        yield InspectedRow(int(table.row_ids[row]), pieces, len(pieces))


def _cut_row(
    row: int, texts: tuple[str, ...], tokenizer: PreTrainedTokenizerBase, max_length: int, label: object
) -> InspectedRow:
    """A text or a pair with the pieces that the model sees, special tokens too, and those that are cut off."""
    seen, cut = _pieces(texts, tokenizer, max_length)
    return InspectedRow(row, (*seen, *cut), len(seen), cut=len(cut), label=label)


def _pieces(texts: tuple[str, ...], tokenizer: PreTrainedTokenizerBase, most: int) -> tuple[list[Piece], list[Piece]]:
    def encoded(**options: Any) -> list[tuple[int | None, Piece]]:
        found = tokenizer(*texts, return_offsets_mapping=True, verbose=False, **options)
        ids = found["input_ids"]
        named = zip(
            found.sequence_ids(), ids, tokenizer.convert_ids_to_tokens(ids), found["offset_mapping"], strict=True
        )
        return [
            (side, _piece(name if side is None else texts[side][begin:end] or name, token_id, name))
            for side, token_id, name, (begin, end) in named
        ]

    whole, seen = encoded(), encoded(truncation=True, max_length=most)
    cut = []
    for side in range(len(texts)):
        kept = sum(of == side for of, _ in seen)
        pieces = [piece for of, piece in whole if of == side]
        cut += pieces[kept:] if tokenizer.truncation_side == "right" else pieces[: len(pieces) - kept]
    return [piece for _, piece in seen], cut


def _piece(text: str, token_id: int, name: str, weight: float = 0.0, tag: str = "") -> Piece:
    return Piece(text, (token_id,), (name,), (weight,), tag)
