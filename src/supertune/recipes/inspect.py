"""Rows as the model will see them: token pieces, with what is cut off marked."""

from __future__ import annotations

import sys
from collections.abc import Container, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from supertune.config import Config
from supertune.console import Console
from supertune.contracts import Columns, Features, label_names
from supertune.data import Table
from supertune.entity_spans import tagged_of
from supertune.language import guess_language
from supertune.models import ModelSource, load_tokenizer
from supertune.recipes.rows import find_columns, read_given, sample_texts
from supertune.recipes.start import find_max_length, find_model
from supertune.recipes.vectors import task_settings
from supertune.relevance import ranked_of
from supertune.tasks import TASKS, RetrievalTask, TaggingTask, parts_pairs

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True)
class InspectedRow:
    """One row.

    Attributes:
        row: 0-based number in its file.
        pieces: Token pieces in order, as text; special tokens too.
        kept: How many of them the model sees.
        label: The row's label, if it has one.
        pointed: Which pieces carry loss: the model learns to point to them, or to take them.
        tags: The tag that is learned of each piece, where every piece has one; "" for none.
    """

    row: int
    pieces: tuple[str, ...]
    kept: int
    label: object = None
    pointed: Container[int] = ()
    tags: tuple[str, ...] = ()


@dataclass(frozen=True)
class Inspection:
    """Some rows of a table as a model sees them.

    Attributes:
        model: Name of the model.
        max_length: Tokens per text.
        rows: The rows.
    """

    model: str
    max_length: int
    rows: tuple[InspectedRow, ...]

    def as_dict(self) -> dict[str, object]:
        """The shape of ``inspect --json``. A classifier's loss is on the label, so no piece carries any.

        Where a part of the text is the answer, its pieces do; where every piece has a ``tag``, each of the text does.
        """
        return {
            "model": self.model,
            "max_length": self.max_length,
            "rows": [
                {
                    "row": row.row,
                    "label": row.label,
                    "pieces": [
                        {"text": piece, "loss": place in row.pointed, **({"tag": row.tags[place]} if row.tags else {})}
                        for place, piece in enumerate(row.pieces[: row.kept])
                    ],
                    "truncated": row.kept < len(row.pieces),
                    "cut": list(row.pieces[row.kept :]),
                }
                for row in self.rows
            ],
        }

    def print(self) -> None:
        """Show the rows on standard output, in colour on a terminal; what is cut is struck through or in brackets."""
        from rich.console import Console as RichConsole
        from rich.text import Text

        screen = RichConsole(file=sys.stdout, highlight=False, soft_wrap=not sys.stdout.isatty())
        screen.print(f"{self.model}, at most {self.max_length} tokens\n", markup=False)
        for row in self.rows:
            cut = len(row.pieces) - row.kept
            label = "" if row.label is None else f", label {row.label!r}"
            said = f", {cut} cut off" if cut else ""
            screen.print(f"row {row.row}{label}: {row.kept} tokens{said}", style="bold", markup=False)
            line = Text()
            for index, piece in enumerate(row.pieces[: row.kept]):
                marked = row.tags[index] not in ("", "O") if row.tags else index in row.pointed
                shade = "on green" if marked else "on grey23" if index % 2 else "on grey11"
                named = f"{piece}/{row.tags[index]}" if row.tags and marked else piece
                line.append(named, style=shade).append(" ")
            if cut:
                line.append(f"[cut: {' '.join(row.pieces[row.kept :])}]", style="red strike")
            screen.print(line)
            screen.print()


def inspect(config: Config, data: object = None, *, rows: int, console: Console) -> Inspection:
    """Tokenise the first ``rows`` rows as training would.

    Raises:
        UserError: The data cannot be read, or the model cannot be found.
    """
    tables = read_given(config, data, console)
    columns = find_columns(config, tables, console, need_label=False)
    table = next(iter(tables.values()))
    source = find_model(config, guess_language(sample_texts(table, columns, 4000)).language)
    max_length = find_max_length(config, source)
    tokenizer = load_tokenizer(source, max_length=max_length)
    first = table.select(np.arange(min(rows, len(table))), step="head")
    if columns.answers in ("answers", "texts"):
        return Inspection(source.name, max_length, tuple(_windows(config, columns, first, tokenizer, max_length)))
    if TASKS[config.task.name].answers == "ranking":
        return Inspection(source.name, max_length, tuple(_apart(config, columns, first, source, tokenizer, max_length)))
    if columns.answers == "spans":
        return Inspection(source.name, max_length, tuple(_tagged(config, columns, first, tokenizer, max_length)))
    labels = first.column(columns.label) if columns.label in first.column_names else [None] * len(first)
    apart = columns.pair and parts_pairs(tokenizer)
    sides = [first.texts((name,)) for name in columns.text] if apart else [first.texts(columns.text)]
    inspected = []
    for texts, number, label in zip(zip(*sides, strict=True), first.row_ids, labels, strict=True):
        seen, cut = _pieces(texts, tokenizer, max_length)
        inspected.append(InspectedRow(int(number), (*seen, *cut), len(seen), label))
    return Inspection(source.name, max_length, tuple(inspected))


def _windows(
    config: Config, columns: Columns, table: Table, tokenizer: PreTrainedTokenizerBase, max_length: int
) -> Iterator[InspectedRow]:
    """A line for each window over a row's text, with the pieces of the answer that it holds whole, or of sentences."""
    task = TASKS[config.task.name].built(columns, config.task.model_dump())
    contexts = list(table.texts(columns.text if columns.answers == "texts" else columns.text[1:]))
    features = task.encode(table, tokenizer, max_length)
    labels = table.column(columns.label) if columns.label in table.column_names else [None] * len(table)
    for item, row in enumerate(features.rows.tolist()):
        part = slice(features.offsets[item], features.offsets[item + 1])
        ids, begins, ends = (features.tokens[name][part].tolist() for name in ("input_ids", "begins", "ends"))
        pieces = tuple(
            contexts[row][begin:end] if end > begin else token
            for token, begin, end in zip(tokenizer.convert_ids_to_tokens(ids), begins, ends, strict=True)
        )
        yield InspectedRow(int(table.row_ids[row]), pieces, len(pieces), labels[row], _pointed(features, item))


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
            seen, cut = _pieces((text,), tokenizer, max_length)
            yield InspectedRow(int(number), (*seen, *cut), len(seen), ranked.relevance)


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
        ids, begins, ends = (features.tokens[name][part].tolist() for name in ("input_ids", "begins", "ends"))
        pieces = tuple(
            texts[row][begin:end] if end > begin else token
            for token, begin, end in zip(tokenizer.convert_ids_to_tokens(ids), begins, ends, strict=True)
        )
        tags = features.tokens["tags"][part].tolist() if features.targets else []
        learned = frozenset(place for place, tag in enumerate(tags) if tag)
        told = tuple(names[tag] for tag in tags)
        yield InspectedRow(int(table.row_ids[row]), pieces, len(pieces), pointed=learned, tags=told)


def _pieces(texts: tuple[str, ...], tokenizer: PreTrainedTokenizerBase, most: int) -> tuple[list[str], list[str]]:
    """The pieces of a text or a pair that the model sees, special tokens too, and those that are cut off."""

    def encoded(**options: Any) -> list[tuple[int | None, str]]:
        found = tokenizer(*texts, return_offsets_mapping=True, verbose=False, **options)
        tokens = tokenizer.convert_ids_to_tokens(found["input_ids"])
        named = zip(found.sequence_ids(), tokens, found["offset_mapping"], strict=True)
        return [
            (side, token if side is None else texts[side][begin:end] or token) for side, token, (begin, end) in named
        ]

    whole, seen = encoded(), encoded(truncation=True, max_length=most)
    cut = []
    for side in range(len(texts)):
        kept = sum(of == side for of, _ in seen)
        pieces = [piece for of, piece in whole if of == side]
        cut += pieces[kept:] if tokenizer.truncation_side == "right" else pieces[: len(pieces) - kept]
    return [piece for _, piece in seen], cut
