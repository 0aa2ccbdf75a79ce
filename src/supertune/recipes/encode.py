"""Rows as tokens: the task fitted to the training rows, every split encoded, and the gate's view of both."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from supertune.console import Console
from supertune.contracts import Features, IntArray, Task
from supertune.data import CheckInput, Table
from supertune.errors import UserError
from supertune.recipes.rows import LoadedRows
from supertune.recipes.start import Start
from supertune.tasks import UNLABELLED, ClassificationTask
from supertune.train import balanced_weights, cross_entropy, take

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def fitted_task(start: Start, rows: LoadedRows) -> ClassificationTask:
    """The task with its labels learned from the training rows, and the loss the configuration asks for."""
    task = ClassificationTask(rows.columns)
    task.fit_state(rows.splits["train"])
    weights = None
    if start.config.train.class_weights == "balanced":
        weights = balanced_weights(task.label_counts(rows.splits["train"]))
    criterion = cross_entropy(weights, start.config.train.label_smoothing)
    return ClassificationTask(rows.columns, labels=task.labels, criterion=criterion)


def encode_labelled(task: Task, table: Table, tokenizer: PreTrainedTokenizerBase, max_length: int) -> Features:
    """A table as tokens and targets.

    Raises:
        UserError: A row has a label that was not learned; names the file, which the task does not know.
    """
    try:
        return task.encode(table, tokenizer, max_length)
    except UserError as error:
        raise UserError(error.what, where=f"{table.source}, {error.where}", fix=error.fix) from error


def encode_splits(start: Start, task: ClassificationTask, rows: LoadedRows, console: Console) -> dict[str, Features]:
    """Every split as tokens: training rows with a label, held-out tables whole.

    Raises:
        UserError: A held-out row has a label that no training row has.
    """
    tables = {"train": rows.splits["train"], **rows.whole}
    features, done = {}, 0
    with console.progress("tokenising", sum(map(len, tables.values()))) as bar:
        for split, table in tables.items():
            features[split] = encode_labelled(task, table, start.tokenizer, start.max_length)
            done += len(table)
            bar(done)
    return features


def labelled_only(features: dict[str, Features]) -> dict[str, Features]:
    """The features of the rows that have a label."""
    return {
        split: take(encoded, np.flatnonzero(encoded.targets["labels"] != UNLABELLED))
        for split, encoded in features.items()
    }


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
        lengths[origin][there] = encoded.full_lengths[here]
    return CheckInput(
        rows.given, rows.columns, rows.given_splits, lengths, start.max_length, start.source.max_positions
    )
