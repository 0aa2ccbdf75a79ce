"""Rows as tokens: the task fitted to the training rows, every split encoded, and the gate's view of both."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from supertune.console import Console
from supertune.contracts import Features, IntArray, Task
from supertune.data import CheckInput, Table, TokenCache, texts_fingerprint
from supertune.errors import UserError
from supertune.files import sha256_bytes
from supertune.recipes.kinds import kind_of
from supertune.recipes.rows import LoadedRows
from supertune.recipes.start import Start
from supertune.recipes.template import for_model
from supertune.recipes.token_processes import token_pieces
from supertune.tasks import TASKS, tokenizer_fingerprint
from supertune.train import token_losses

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

CACHED_CHARACTERS = 1_000_000
"""Texts of fewer characters are tokenised anew each time: one processor core needs about a second and a half."""


def fitted_task(start: Start, rows: LoadedRows) -> Task:
    """The task with its state learned from the training rows, and the loss the configuration asks for.

    Raises:
        UserError: There is nothing to learn from them.
    """
    task = for_model(TASKS[start.config.task.name].built(rows.columns, start.config.task.model_dump()), start.source)
    learned = rows.splits["train"]
    with in_file(learned):
        task.fit_state(learned)
    kind_of(task).check_metric(task, start.config.evaluate.metric)
    return task.minimising(kind_of(task).criterion(task, start.config.train, learned)).measuring(token_losses)


@contextmanager
def in_file(table: Table) -> Iterator[None]:
    """Add the file to what is wrong with a table's rows: a task does not know it."""
    try:
        yield
    except UserError as error:
        raise UserError(error.what, where=f"{table.source}, {error.where}", fix=error.fix) from error


def encode_labelled(
    task: Task,
    table: Table,
    tokenizer: PreTrainedTokenizerBase,
    max_length: int,
    *,
    cache: TokenCache,
    progress: Callable[[int], None] | None = None,
    processes: int = 1,
) -> Features:
    """A table as tokens and targets; the tokens of many texts are kept for the next time.

    Args:
        task: Its state is fitted.
        table: Rows that have the task's text columns.
        tokenizer: The model's.
        max_length: Tokens per text, special tokens included.
        cache: Where tokens are kept from one run to the next.
        progress: Called with the number of rows done, as tokenising goes on.
        processes: How many may work on it, where there are many rows (`token_pieces`).

    Raises:
        UserError: A row has a label that was not learned; names the file, which the task does not know.
    """
    with in_file(table):
        targets = task.targets(table)
    tokens = _kept_tokens(task, table, tokenizer, max_length, cache, progress, processes)
    if tokens is None:
        tokens = task.encode(table, tokenizer, max_length, labelled=False, progress=progress)
    return task.with_targets(replace(tokens, table=table), targets)


def _kept_tokens(
    task: Task,
    table: Table,
    tokenizer: PreTrainedTokenizerBase,
    max_length: int,
    cache: TokenCache,
    progress: Callable[[int], None] | None,
    processes: int,
) -> Features | None:
    """The tokens from the cache, put there if need be; None where that does not pay or is not possible."""
    texts, characters = texts_fingerprint(table, task.token_columns(table))
    if characters < CACHED_CHARACTERS or task.columns.negatives:
        return None
    settings = json.dumps(
        [task.name, *task.token_settings(tokenizer), max_length, texts, tokenizer_fingerprint(tokenizer)]
    )
    key = sha256_bytes(settings.encode())

    def pieces() -> Iterator[Features]:
        for piece in token_pieces(task, table, tokenizer, max_length, processes=processes):
            yield piece
            if progress is not None and len(piece):
                progress(int(piece.rows[-1]) + 1)

    found = cache.find(key)
    return found if found is not None else cache.keep(key, pieces)


def encode_splits(start: Start, task: Task, rows: LoadedRows, console: Console) -> dict[str, Features]:
    """Every split as tokens: training rows with a label, held-out tables whole.

    Raises:
        UserError: A held-out row has a label that no training row has.
    """
    tables = {"train": rows.splits["train"], **rows.whole}
    features, done = {}, 0
    cache = TokenCache(console.warn)
    with console.progress("tokenising", sum(map(len, tables.values()))) as bar:
        for split, table in tables.items():
            features[split] = encode_labelled(
                task,
                table,
                start.tokenizer,
                start.max_length,
                cache=cache,
                progress=after(done, bar),
                processes=start.config.train.threads or 1,
            )
            done += len(table)
            bar(done)
    for split, encoded in features.items():
        for remark in kind_of(task).remarks(task, encoded):
            console.warn(f"{split}: {remark}")
    return features


def after(before: int, bar: Callable[[int], None]) -> Callable[[int], None]:
    """Reports progress of a part on a bar of the whole, of which ``before`` is done."""
    return lambda count: bar(before + count)


def labelled_only(task: Task, features: Mapping[str, Features]) -> dict[str, Features]:
    """The features of what there is to learn from; those of a split that lacks nothing as they are, not copied."""
    found = {split: _labelled(task, encoded) for split, encoded in features.items()}
    return {split: task.learned_groups(encoded) if split == "train" else encoded for split, encoded in found.items()}


def _labelled(task: Task, encoded: Features) -> Features:
    labelled = task.labelled(encoded)
    return encoded if labelled.all() else encoded.take(np.flatnonzero(labelled))


def gate_input(start: Start, rows: LoadedRows, features: dict[str, Features]) -> CheckInput:
    """What the checks look at: the tables as the user gave them, and how long their texts are in tokens.

    Splits that were cut from a table are put back into it by their row numbers; rows that are not learned from,
    because they have no text, count as 0 tokens.
    """
    lengths: dict[str, IntArray] = {split: np.zeros(len(table), np.int64) for split, table in rows.given.items()}
    tables = {"train": rows.splits["train"], **rows.whole}
    for split, encoded in features.items():
        origin = split if split in rows.given else next(name for name in ("train", "all") if name in rows.given)
        given = rows.given[origin].row_ids
        known, here, there = np.intersect1d(tables[split].row_ids, given, assume_unique=True, return_indices=True)
        assert len(known) <= len(given)
        longest: IntArray = np.zeros(len(tables[split]), np.int64)
        if encoded.groups is None:
            np.maximum.at(longest, encoded.rows, encoded.full_lengths)
        else:
            items = encoded.groups.items
            longest = np.where(items >= 0, encoded.full_lengths[items], 0).max(axis=1).astype(np.int64)
        lengths[origin][there] = longest[here]
    return CheckInput(
        rows.given,
        rows.columns,
        rows.given_splits,
        lengths,
        start.max_length,
        start.source.max_positions,
    )
