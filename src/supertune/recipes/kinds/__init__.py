"""Kinds of answers: what depends on whether a task answers with classes, numbers, label sets, entities, texts or ranks.

A kind is one file with an `AnswerKind`, and one line in `KINDS`.
"""

from __future__ import annotations

from collections.abc import Mapping

from supertune.contracts import Task
from supertune.evaluate import METRICS, Metric
from supertune.recipes.kinds.answers import TextAnswers
from supertune.recipes.kinds.classes import ClassAnswers
from supertune.recipes.kinds.kind import AnswerKind, Described
from supertune.recipes.kinds.numbers import NumberAnswers
from supertune.recipes.kinds.ranking import RankedAnswers
from supertune.recipes.kinds.reranking import RerankedAnswers
from supertune.recipes.kinds.sets import SetAnswers
from supertune.recipes.kinds.spans import SpanAnswers
from supertune.recipes.kinds.summaries import SummaryAnswers
from supertune.recipes.kinds.writing import WrittenAnswers
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
    "generated": WrittenAnswers(),
}


_JUDGED_BY = {"generated": "likelihoods"}
"""Kind of answers → that of the outcomes by which epochs are chosen: texts take far longer to write than to read."""


def kind_of(task: Task | str) -> AnswerKind:
    """The kind of answers that a task, or the task of that name, gives."""
    return KINDS[TASKS[task].answers if isinstance(task, str) else task.answers]


def judged_by(task: Task | str) -> Mapping[str, Metric]:
    """The metrics that epochs may be chosen by."""
    answers = TASKS[task].answers if isinstance(task, str) else task.answers
    return METRICS[_JUDGED_BY.get(answers, answers)]


__all__ = ["KINDS", "AnswerKind", "Described", "judged_by", "kind_of"]
