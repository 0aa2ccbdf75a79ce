"""Rows as passages, and passages as vectors: what an index is made of, block by block."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from supertune.console import Console
from supertune.contracts import Columns, IntArray
from supertune.data import Table
from supertune.errors import UserError
from supertune.language import is_blank
from supertune.passages import BATCH_ROWS, Partial, begin, begun, windows_of
from supertune.recipes.embedder import Embedder

BLOCK, _CHARACTERS = 2048, 256_000
"""Passages, or characters of them, whose vectors are written at once: what a killed process has to do again. Texts of
like length are read together, and in blocks of 512 short ones twice as much was padding."""

_LINES_EVERY = 60.0
"""Seconds between two lines of progress where there is no terminal for a bar."""


def fingerprint_of(table: Table, columns: Columns, embedder: Embedder, *, split: bool) -> dict[str, object]:
    """What two calls must have in common to work at the same vectors."""
    return {
        "data": table.fingerprint,
        "text columns": list(columns.text),
        "model": embedder.sha256,
        "pooling or prompts": making_of(embedder),
        "--max-length": embedder.max_length,
        "--split": split,
    }


def making_of(embedder: Embedder) -> list[str]:
    """How vectors are made by the model's weights: pooling, and what stands before queries and passages."""
    settings = embedder.settings
    return [settings.pooling, settings.query_prompt, settings.passage_prompt]


def begin_passages(
    table: Table, columns: Columns, embedder: Embedder, *, split: bool, out: Path, console: Console
) -> Partial:
    """What was begun, or the passages of a new index: where each one is, and what is not read of them.

    Raises:
        UserError: Another index was begun there, or there is no text.
    """
    fingerprint = fingerprint_of(table, columns, embedder, split=split)
    partial = begun(out, fingerprint)
    if partial is not None:
        console.say(f"  going on: {partial.done:,} of {len(partial.spans):,} passages have their vectors")
        return partial
    spans: list[tuple[int, int, int]] = []
    notes = {"blank": 0, "cut": 0, "divided": 0}
    with console.progress("reading", len(table)) as bar:
        for first, texts in _texts(table, columns):
            here = [(first + number, text) for number, text in enumerate(texts) if not is_blank(text)]
            notes["blank"] += len(texts) - len(here)
            kept = [text for _, text in here]
            if split:
                windows = windows_of(kept, lambda some: embedder.lengths(some, "passage"), embedder.max_length)
                notes["divided"] += sum(len(some) > 1 for some in windows)
            else:
                windows = [[(0, len(text))] for text in kept]
                notes["cut"] += int(embedder.cut(kept, "passage").sum())
            for (position, _), some in zip(here, windows, strict=True):
                spans += [(position, start, end) for start, end in some]
            bar(first + len(texts))
    if not spans:
        raise UserError("has no text to find", where=table.source, fix="name the column of the texts with --text")
    return begin(out, fingerprint, np.array(spans, np.int64), embedder.width, notes)


def _texts(table: Table, columns: Columns, first: int = 0) -> Iterator[tuple[int, list[str]]]:
    """Texts of the rows from position ``first`` on, some at a time, with the position of the first of them."""
    for start in range(first, len(table), BATCH_ROWS):
        positions = np.arange(start, min(start + BATCH_ROWS, len(table)))
        yield start, list(table.select(positions, step="batch").texts(columns.text))


def passage_texts(table: Table, columns: Columns, spans: IntArray) -> Iterator[str]:
    """The texts of these passages, in order."""
    if not len(spans):
        return
    at, last = 0, len(spans)
    for start, texts in _texts(table, columns, int(spans[0, 0])):
        while at < last and spans[at, 0] < start + len(texts):
            position, first, end = spans[at].tolist()
            yield texts[position - start][first:end]
            at += 1
        if at == last:
            return


def embed(partial: Partial, table: Table, columns: Columns, embedder: Embedder, console: Console) -> None:
    """Make the vectors that are missing, block by block.

    Raises:
        UserError: The disk is full, or the model gives what is no number.
    """
    first, total = partial.done, len(partial.spans)
    if first == total:
        return
    console.say(f"  {total:,} passages, vectors by {embedder.name}")
    started = told = time.monotonic()
    with console.progress("embedding", total) as bar:
        for done, block in _blocks(passage_texts(table, columns, partial.spans[first:]), first):
            vectors = embedder.encode(block, "passage", progress=lambda some, before=done: bar(before + some))  # type: ignore[misc]
            if not np.isfinite(vectors).all():
                raise UserError("gives vectors that are not numbers", where=embedder.name, fix="use another model")
            now, so_far = time.monotonic(), partial.add(vectors)
            if now - told >= _LINES_EVERY and not sys.stderr.isatty():
                left = (now - started) / (so_far - first) * (total - so_far)
                console.say(f"  {so_far:,} of {total:,}, about {left / 60:.0f} minutes left")
                told = now


def _blocks(texts: Iterator[str], first: int) -> Iterator[tuple[int, list[str]]]:
    """Texts in blocks, each with the number of those before it."""
    block: list[str] = []
    characters = 0
    for text in texts:
        block.append(text)
        characters += len(text)
        if len(block) == BLOCK or characters >= _CHARACTERS:
            yield first, block
            first, block, characters = first + len(block), [], 0
    if block:
        yield first, block
