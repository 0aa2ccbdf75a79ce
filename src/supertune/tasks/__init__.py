"""Tasks: how rows become tensors, what is learned from them, and how outputs become answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from supertune.contracts import Columns, Task
from supertune.tasks.before_head import model_of_texts
from supertune.tasks.candidates import nearest
from supertune.tasks.chat_template import ChatTemplate, adopt_template, as_dict, headings
from supertune.tasks.classification import UNLABELLED, ClassificationTask, label_text
from supertune.tasks.conversation_tokens import ConversationEncoder, Tokens, prompt_tokens, text_pieces
from supertune.tasks.extractive_qa import ExtractiveQaTask
from supertune.tasks.extractive_summary import ExtractiveSummaryTask, in_lines, joined_sentences
from supertune.tasks.generation import (
    ChatTask,
    GenerationTask,
    GenerativeQaTask,
    PlainTextTask,
    SummarizationTask,
    TranslationTask,
    WritingSettings,
)
from supertune.tasks.loss_spans import RowProblemError
from supertune.tasks.multilabel import MultilabelTask
from supertune.tasks.regression import RegressionTask
from supertune.tasks.rendering import Rendered, Renderer, RenderingSettings
from supertune.tasks.rendering_counts import MOST_LOST, WAYS_ROUND, RenderingCounts
from supertune.tasks.rerank import USUAL_CANDIDATES, RerankTask, padded
from supertune.tasks.retrieval import EmbeddingSettings, RetrievalTask, Role
from supertune.tasks.tagging import TaggingTask
from supertune.tasks.template_probe import Probe, probed, stop_generation, stop_ids
from supertune.tasks.thresholds import Cut, chosen_cut
from supertune.tasks.tokenise import joined, pair_tokens, parts_pairs, text_tokens, token_lengths, tokenizer_fingerprint


class TaskKind(Protocol):
    """What is known of a task before there are rows: its class.

    Attributes:
        answers: The kind of answers that it gives.
    """

    answers: str

    def built(self, columns: Columns, settings: Mapping[str, Any]) -> Task:
        """The task for some columns, as the configuration's section ``task`` has it."""
        ...

    def from_state(self, state: Mapping[str, Any]) -> Task:
        """The task as its `Task.state` was saved."""
        ...


TASKS: Mapping[str, TaskKind] = {
    "classification": ClassificationTask,
    "multilabel": MultilabelTask,
    "regression": RegressionTask,
    "extractive-qa": ExtractiveQaTask,
    "tagging": TaggingTask,
    "extractive-summary": ExtractiveSummaryTask,
    "retrieval": RetrievalTask,
    "rerank": RerankTask,
    "chat": ChatTask,
    "summarization": SummarizationTask,
    "translation": TranslationTask,
    "generative-qa": GenerativeQaTask,
    "text": PlainTextTask,
}


def task_from_state(name: str, state: Mapping[str, Any]) -> Task:
    """The task that was saved with a model."""
    return TASKS[name].from_state(state)


__all__ = [
    "MOST_LOST",
    "TASKS",
    "UNLABELLED",
    "USUAL_CANDIDATES",
    "WAYS_ROUND",
    "ChatTask",
    "ChatTemplate",
    "ClassificationTask",
    "ConversationEncoder",
    "Cut",
    "EmbeddingSettings",
    "ExtractiveQaTask",
    "ExtractiveSummaryTask",
    "GenerationTask",
    "MultilabelTask",
    "Probe",
    "RegressionTask",
    "Rendered",
    "Renderer",
    "RenderingCounts",
    "RenderingSettings",
    "RerankTask",
    "RetrievalTask",
    "Role",
    "RowProblemError",
    "TaggingTask",
    "TaskKind",
    "Tokens",
    "WritingSettings",
    "adopt_template",
    "as_dict",
    "chosen_cut",
    "headings",
    "in_lines",
    "joined",
    "joined_sentences",
    "label_text",
    "model_of_texts",
    "nearest",
    "padded",
    "pair_tokens",
    "parts_pairs",
    "probed",
    "prompt_tokens",
    "stop_generation",
    "stop_ids",
    "task_from_state",
    "text_pieces",
    "text_tokens",
    "token_lengths",
    "tokenizer_fingerprint",
]
