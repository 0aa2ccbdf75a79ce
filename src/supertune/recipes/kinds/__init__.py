"""Kinds of answers: what depends on whether a task answers with classes, numbers, label sets, entities, texts or ranks.

A kind is one file with an `AnswerKind`, and one line in `KINDS`.
"""

from __future__ import annotations

from collections.abc import Mapping

from supertune.contracts import Task
from supertune.recipes.kinds.answers import TextAnswers
from supertune.recipes.kinds.classes import ClassAnswers
from supertune.recipes.kinds.kind import AnswerKind, Described
from supertune.recipes.kinds.numbers import NumberAnswers
from supertune.recipes.kinds.ranking import RankedAnswers
from supertune.recipes.kinds.reranking import RerankedAnswers
from supertune.recipes.kinds.sets import SetAnswers
from supertune.recipes.kinds.spans import SpanAnswers
from supertune.recipes.kinds.summaries import SummaryAnswers
from supertune.tasks import TASKS

KINDS: Mapping[str, AnswerKind] = {
    "classes": ClassAnswers(),
    "numbers": NumberAnswers(),
    "sets": SetAnswers(),
    "answers": TextAnswers(),
    "spans": SpanAnswers(),
    "ranking": RankedAnswers(),
    "reranking": RerankedAnswers(),
    "texts": SummaryAnswers(),
}


def kind_of(task: Task | str) -> AnswerKind:
    """The kind of answers that a task, or the task of that name, gives."""
    return KINDS[TASKS[task].answers if isinstance(task, str) else task.answers]


__all__ = ["KINDS", "AnswerKind", "Described", "kind_of"]
