"""Answers that are classes: one label of several for each row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from supertune.config import TrainConfig
from supertune.console import Console
from supertune.contracts import Features, Grid, Outcome, Paragraph, Predictor, Quote, Score, Section, Task
from supertune.data import Table
from supertune.errors import UserError
from supertune.evaluate import (
    MajorityBaseline,
    TfidfBaseline,
    class_f1_chart,
    confidence_histogram,
    confusion_map,
    estimate,
    reliability_chart,
    verdict,
    worst_errors,
)
from supertune.language import shorten
from supertune.recipes.kinds.kind import Described
from supertune.recipes.measured import Held, Measurement
from supertune.recipes.results import beside_baselines, quotes_of, without_leaked
from supertune.tasks import ClassificationTask, label_text
from supertune.train import CLASS_LOSSES, LossSettings, balanced_weights, symmetric_kl

if TYPE_CHECKING:
    import torch

    from supertune.recipes.kinds.kind import Criterion

WORST_ERRORS = 10
BASELINES: Mapping[str, Callable[[Sequence[str]], Predictor]] = {"majority": MajorityBaseline, "tfidf": TfidfBaseline}
_GUESSING = 0.98
"""Share of the log loss of the classes' shares above which a model has learned nothing."""
_WORDS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "results": "Right and wrong",
        "classes": "Class by class",
        "confidence": "Confidence",
        "errors": "The worst errors",
        "errors_lead": "Wrong answers that the model was surest of. Some may be wrong labels in the data.",
        "no_errors": "There is none: every answer on these rows is right.",
        "label": "label",
        "precision": "precision",
        "recall": "recall",
        "rows": "rows",
        "true": "label",
        "answer": "answer",
        "sure": "confidence",
    },
    "zh": {
        "results": "对与错",
        "classes": "各个类别",
        "confidence": "置信度",
        "errors": "最严重的错误",
        "errors_lead": "模型最有把握却答错的文本。其中有些可能是数据里的标签本身有误。",
        "no_errors": "没有：这些行上的回答全部正确。",
        "label": "标签",
        "precision": "精确率",
        "recall": "召回率",
        "rows": "行数",
        "true": "标签",
        "answer": "回答",
        "sure": "置信度",
    },
}
_USAGE = """\
with torch.no_grad():
    probabilities = model(**batch).logits.softmax(-1)
labels = [model.config.id2label[int(index)] for index in probabilities.argmax(-1)]
"""


class ClassAnswers:
    """See `AnswerKind`."""

    loss = "cross_entropy"
    told: tuple[str, ...] = ("accuracy", "log_loss")
    tie_breaker = "log_loss"
    rival = "tfidf"
    head_learning_rate: float | None = None

    def check(self, train: TrainConfig) -> None:
        """Refuse losses of rankings.

        Raises:
            UserError: It is one.
        """
        if train.loss not in ("auto", *CLASS_LOSSES):
            raise UserError(
                f"{train.loss!r} compares queries with passages, and the task answers with classes",
                where="train.loss",
                fix=f"use one of {', '.join(CLASS_LOSSES)}, or leave it out",
            )

    def check_metric(self, task: Task, metric: str) -> None:
        """Every metric of classes has a value for any of them."""

    def criterion(self, task: Task, train: TrainConfig, rows: Table) -> Criterion:
        """The loss of ``train.loss``, class weights from the training rows."""
        weights = balanced_weights(_known(task).label_counts(rows)) if train.class_weights == "balanced" else None
        settings = LossSettings(weights, train.label_smoothing, train.focal_gamma, train.huber_delta)
        return CLASS_LOSSES[self.loss if train.loss == "auto" else train.loss](settings)

    def first_bias(self, learned: Features) -> list[float] | None:
        """No label is far from its share at the start."""
        return None

    def divergence(self) -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]:
        """That of distributions."""
        return symmetric_kl

    def learned_nothing(self, outcome: Outcome, learned: Features) -> bool:
        """Whether there is one answer for every validation row, no surer than the classes' shares.

        A model that rightly calls everything by the name of an overwhelming class is surer than that of easy rows.
        """
        if len(np.unique(outcome.outputs.argmax(1))) > 1 or len(np.unique(outcome.targets)) < 2:
            return False
        shares = np.bincount(learned.targets["labels"], minlength=outcome.outputs.shape[1])
        guess = np.log(np.maximum(shares, 1) / shares.sum())
        return float(estimate(outcome, "log_loss")) >= _GUESSING * float(-guess[outcome.targets].mean())

    def remarks(self, task: Task, features: Features) -> tuple[str, ...]:
        """There is nothing to tell."""
        return ()

    def guesses(self, task: Task, train: Table, test: Held, console: Console) -> dict[str, Outcome]:
        """What the most frequent label and TF-IDF say."""
        names = test.outcome.labels
        texts = list(train.texts(task.columns.text))
        assert task.columns.label is not None
        labels = [label_text(label) for label in train.column(task.columns.label)]
        questions = list(test.table.select(test.labelled, step="labelled").texts(task.columns.text))
        outcomes = {}
        with console.progress("baselines", len(BASELINES)) as bar:
            for done, (name, make) in enumerate(BASELINES.items()):
                bar(done, name)
                baseline: Predictor = make(names)
                baseline.fit(texts, labels)
                outcomes[name] = Outcome(test.outcome.targets, baseline.predict(questions), names)
        return outcomes

    def sections(self, measured: Measurement, task: Task, *, show_text: bool, language: str) -> tuple[Section, ...]:
        """What is right and wrong, class by class, how far to trust the confidence, and the worst errors."""
        words = _WORDS[language]
        outcome, scores = measured.final.outcome, measured.scores[measured.final_split]
        metric = task.primary_metric
        return (
            Section(
                words["results"],
                (
                    *beside_baselines(measured, metric, language),
                    *without_leaked(measured, metric, language),
                    confusion_map(outcome, language=language),
                ),
            ),
            Section(
                words["classes"],
                (class_f1_chart(scores, language=language), _class_grid(scores, outcome.labels, words)),
            ),
            Section(
                words["confidence"],
                (reliability_chart(outcome, language=language), confidence_histogram(outcome, language=language)),
            ),
            Section(words["errors"], _errors(measured, task, words, language, show_text=show_text)),
        )

    def verdict(self, measured: Measurement, task: Task, train: Table, language: str) -> str:
        """How often it is right, beside its baselines; the weakest class, the confidence, and what would help."""
        outcome, known = measured.final.outcome, _known(task)
        counts = Counter(outcome.labels[target] for target in outcome.targets)
        return verdict(
            measured.scores[measured.final_split],
            measured.baselines,
            measured.difference,
            n_test=len(outcome),
            test_counts={name: counts[name] for name in outcome.labels},
            train_counts=dict(zip(known.label_names, known.label_counts(train), strict=True)),
            language=language,
            split=measured.final_split,
        )

    def described(self, task: Task) -> Described:
        """A classifier."""
        labels = _known(task).label_names
        return Described(
            title=f"tell apart {len(labels)} labels",
            summary=f"A text classifier with {len(labels)} labels ({shorten(', '.join(labels), 200)})",
            pipeline_tag="text-classification",
            labels=labels,
            usage=_USAGE,
        )


def _known(task: Task) -> ClassificationTask:
    assert isinstance(task, ClassificationTask)
    return task


def _class_grid(scores: Mapping[str, Score], labels: Sequence[str], words: Mapping[str, str]) -> Grid:
    rows: list[tuple[str | int | float | Score, ...]] = []
    for label in labels:
        cells = [scores.get(f"{kind}/{label}", "–") for kind in ("precision", "recall", "f1")]
        recall = scores.get(f"recall/{label}")
        rows.append((label, *cells, recall.n if recall else 0))
    return Grid((words["label"], words["precision"], words["recall"], "F1", words["rows"]), tuple(rows))


def _errors(
    measured: Measurement, task: Task, words: Mapping[str, str], language: str, *, show_text: bool
) -> tuple[Paragraph | Quote, ...]:
    worst = worst_errors(measured.final.outcome, WORST_ERRORS)
    if not worst:
        return (Paragraph(words["no_errors"]),)
    notes = [
        {words["true"]: true, words["answer"]: answer, words["sure"]: f"{sure:.0%}"} for _, true, answer, sure in worst
    ]
    quotes = quotes_of(measured.final, [index for index, *_ in worst], notes, task, language, show_text=show_text)
    return (Paragraph(words["errors_lead"]), *quotes)
