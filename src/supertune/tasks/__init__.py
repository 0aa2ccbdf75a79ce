"""Tasks: how rows become tensors, what is learned from them, and how outputs become answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from supertune.contracts import Task
from supertune.tasks.classification import UNLABELLED, ClassificationTask, label_text
from supertune.tasks.extractive_qa import ExtractiveQaTask
from supertune.tasks.multilabel import MultilabelTask
from supertune.tasks.regression import RegressionTask
from supertune.tasks.tagging import TaggingTask
from supertune.tasks.thresholds import Cut, chosen_cut
from supertune.tasks.tokenise import joined, parts_pairs, token_lengths, tokenizer_fingerprint

AnyTask = ClassificationTask | MultilabelTask | RegressionTask | ExtractiveQaTask | TaggingTask

TASKS: Mapping[str, type[AnyTask]] = {
    "classification": ClassificationTask,
    "multilabel": MultilabelTask,
    "regression": RegressionTask,
    "extractive-qa": ExtractiveQaTask,
    "tagging": TaggingTask,
}


def task_from_state(name: str, state: Mapping[str, Any]) -> Task:
    """The task that was saved with a model."""
    return TASKS[name].from_state(state)


__all__ = [
    "TASKS",
    "UNLABELLED",
    "ClassificationTask",
    "Cut",
    "ExtractiveQaTask",
    "MultilabelTask",
    "RegressionTask",
    "TaggingTask",
    "chosen_cut",
    "joined",
    "label_text",
    "parts_pairs",
    "task_from_state",
    "token_lengths",
    "tokenizer_fingerprint",
]
