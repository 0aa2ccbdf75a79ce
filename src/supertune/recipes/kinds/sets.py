"""Answers that are sets of labels: any number of them for each row."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from supertune.config import TrainConfig
from supertune.console import Console
from supertune.contracts import Features, FloatArray, Grid, Outcome, Paragraph, Quote, Score, Section, Task
from supertune.data import Table
from supertune.errors import UserError
from supertune.evaluate import (
    LabelShares,
    TfidfLabels,
    estimate,
    label_mistakes,
    labels_per_row,
    labels_together,
    verdict_on_sets,
    worst_sets,
)
from supertune.language import shorten
from supertune.recipes.kinds.kind import Described
from supertune.recipes.measured import Held, Measurement
from supertune.recipes.results import beside_baselines, quotes_of, without_leaked
from supertune.tasks import MultilabelTask, chosen_cut
from supertune.train import SET_LOSSES, LossSettings, generator, symmetric_binary_kl

if TYPE_CHECKING:
    import torch

    from supertune.recipes.kinds.kind import Criterion

WORST_ERRORS = 10
_GUESSING = 0.98
"""Share of the log loss of the labels' shares above which a model has learned nothing."""
_HELD_OUT = 0.2
"""Share of the training rows on which TF-IDF's thresholds are chosen; it then learns from all of them."""
_WORDS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "results": "Right and wrong",
        "labels": "Label by label",
        "together": "Labels together",
        "errors": "The worst errors",
        "errors_lead": "Wrong answers whose truth the model held for the least probable. Some may be wrong labels in "
        "the data.",
        "no_errors": "There is none: every answer on these rows is right.",
        "label": "label",
        "precision": "precision",
        "recall": "recall",
        "rows": "rows",
        "threshold": "given from",
        "true": "labels",
        "answer": "answer",
        "none": "(none)",
    },
    "zh": {
        "results": "对与错",
        "labels": "各个标签",
        "together": "标签的组合",
        "errors": "最严重的错误",
        "errors_lead": "模型认为真实标签最不可能的错误回答。其中有些可能是数据里的标签本身有误。",
        "no_errors": "没有：这些行上的回答全部正确。",
        "label": "标签",
        "precision": "精确率",
        "recall": "召回率",
        "rows": "行数",
        "threshold": "给出的概率下限",
        "true": "标签",
        "answer": "回答",
        "none": "（无）",
    },
}


class SetAnswers:
    """See `AnswerKind`."""

    loss = "binary_cross_entropy"
    told: tuple[str, ...] = ("subset_accuracy", "log_loss")
    tie_breaker = "log_loss"
    rival = "tfidf"
    head_learning_rate: float | None = 2e-3
    """Every label needs a direction of its own, and few rows have it; decision 0017 has a trial."""

    def check(self, train: TrainConfig) -> None:
        """Refuse losses that compare one label with the others.

        Raises:
            UserError: It is one.
        """
        if train.loss not in ("auto", *SET_LOSSES):
            raise UserError(
                f"{train.loss!r} is for one label or number per row, and the task gives each text any number of labels",
                where="train.loss",
                fix=f"use one of {', '.join(SET_LOSSES)}, or leave it out",
            )

    def check_metric(self, task: Task, metric: str) -> None:
        """Every metric of label sets has a value for any of them."""

    def criterion(self, task: Task, train: TrainConfig, rows: Table) -> Criterion:
        """The loss of ``train.loss``; of balanced weights, a label's ones count as the root of its zeros per one.

        The whole ratio would let a label of three rows in a thousand move the weights as nothing else does.
        """
        weights = None
        if train.class_weights == "balanced":
            targets = _known(task).targets(rows)["labels"]
            ones = np.maximum((targets == 1).sum(axis=0), 1)
            weights = np.sqrt(np.maximum((targets == 0).sum(axis=0), 1) / ones).tolist()
        settings = LossSettings(weights, train.label_smoothing, train.focal_gamma, train.huber_delta)
        return SET_LOSSES[self.loss if train.loss == "auto" else train.loss](settings)

    def first_bias(self, learned: Features) -> list[float] | None:
        """The log-odds of each label's share: of fifty labels, a half is far too much for nearly all of them.

        From 0 a model first learns the shares, and in few steps nothing else; decision 0017 has a trial. Source: Lin et
        al. 2017, "Focal loss for dense object detection", section 4.1.
        """
        ones = (learned.targets["labels"] == 1).sum(axis=0)
        return [float(value) for value in np.log(ones + 1) - np.log(len(learned) - ones + 1)]

    def divergence(self) -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]:
        """That of independent decisions."""
        return symmetric_binary_kl

    def learned_nothing(self, outcome: Outcome, learned: Features) -> bool:
        """Whether there is one answer for every validation row, no surer than the labels' shares."""
        assert outcome.given is not None
        if (outcome.given != outcome.given[0]).any() or (outcome.targets == outcome.targets[0]).all():
            return False
        shares = np.tile((learned.targets["labels"] == 1).mean(axis=0), (len(outcome), 1))
        guess = replace(outcome, outputs=shares)
        return float(estimate(outcome, "log_loss")) >= _GUESSING * float(estimate(guess, "log_loss"))

    def remarks(self, task: Task, features: Features) -> tuple[str, ...]:
        """Nothing: what texts lose is told by the gate."""
        return ()

    def guesses(self, task: Task, train: Table, test: Held, console: Console) -> dict[str, Outcome]:
        """What the most frequent set of labels and TF-IDF say."""
        known = _known(task)
        texts, targets = list(train.texts(task.columns.text)), known.targets(train)["labels"] == 1
        questions = list(test.table.select(test.labelled, step="labelled").texts(task.columns.text))
        with console.progress("baselines", 2) as bar:
            shares = LabelShares()
            shares.fit(texts, targets)
            sets, counts = np.unique(targets, axis=0, return_counts=True)
            most = np.tile(sets[counts.argmax()], (len(questions), 1))
            found = {shares.name: replace(test.outcome, outputs=shares.predict(questions), given=most)}
            bar(1, "tfidf")
            probabilities, given = _counting_words(texts, targets, questions, some=known.cut.some)
            return {**found, "tfidf": replace(test.outcome, outputs=probabilities, given=given)}

    def sections(self, measured: Measurement, task: Task, *, show_text: bool, language: str) -> tuple[Section, ...]:
        """What is right and wrong, label by label, which come together, and the worst errors."""
        words = _WORDS[language]
        outcome, scores = measured.final.outcome, measured.scores[measured.final_split]
        metric = task.primary_metric
        return (
            Section(
                words["results"],
                (
                    *beside_baselines(measured, metric, language),
                    *without_leaked(measured, metric, language),
                    label_mistakes(outcome, language=language),
                ),
            ),
            Section(words["labels"], (_label_grid(scores, outcome, _known(task).cut.thresholds, words),)),
            Section(
                words["together"],
                (labels_together(outcome, language=language), labels_per_row(outcome, language=language)),
            ),
            Section(words["errors"], _errors(measured, task, words, language, show_text=show_text)),
        )

    def verdict(self, measured: Measurement, task: Task, train: Table, language: str) -> str:
        """How often every label is right, and how many are; beside its baselines, the weakest, and what would help."""
        outcome, known = measured.final.outcome, _known(task)
        learned = (known.targets(train)["labels"] == 1).sum(axis=0)
        return verdict_on_sets(
            measured.scores[measured.final_split],
            measured.baselines,
            measured.difference,
            test_counts=dict(zip(outcome.labels, outcome.targets.sum(axis=0).tolist(), strict=True)),
            train_counts=dict(zip(outcome.labels, learned.tolist(), strict=True)),
            language=language,
            split=measured.final_split,
        )

    def described(self, task: Task) -> Described:
        """A classifier of several labels, whose probabilities are to be cut."""
        known = _known(task)
        names = known.label_names
        return Described(
            title=f"find which of {len(names)} labels apply",
            summary=f"A multi-label text classifier with {len(names)} labels ({shorten(', '.join(names), 200)})",
            pipeline_tag="text-classification",
            labels=names,
            usage=_usage(known),
        )


def _usage(task: MultilabelTask) -> str:
    thresholds = [round(float(value), 4) for value in task.cut.thresholds]
    nearest = ""
    if task.cut.some:
        nearest = """
nearest = (probabilities - thresholds).argmax(-1)  # every training text had a label
given[torch.arange(len(given)), nearest] = True"""
    return f"""\
with torch.no_grad():
    probabilities = model(**batch).logits.sigmoid()
thresholds = torch.tensor({thresholds})
given = probabilities >= thresholds{nearest}
labels = [[model.config.id2label[int(index)] for index in row.nonzero()] for row in given]
"""


def _known(task: Task) -> MultilabelTask:
    assert isinstance(task, MultilabelTask)
    return task


def _counting_words(
    texts: Sequence[str], targets: NDArray[np.bool_], questions: Sequence[str], *, some: bool
) -> tuple[FloatArray, NDArray[np.bool_]]:
    """What TF-IDF says: probabilities and answers, cut where it is best on training rows that it was not shown."""
    order = generator(0, "thresholds").permutation(len(texts))
    aside, shown = np.split(order, [max(1, round(_HELD_OUT * len(texts)))])
    baseline = TfidfLabels()
    cut = None
    if len(shown):
        baseline.fit([texts[row] for row in shown], targets[shown])
        cut = chosen_cut(baseline.predict([texts[row] for row in aside]), targets[aside], some=some)
    baseline.fit(texts, targets)
    probabilities = baseline.predict(questions)
    return probabilities, cut.given(probabilities) if cut else probabilities >= 0.5


def _label_grid(
    scores: Mapping[str, Score], outcome: Outcome, thresholds: FloatArray, words: Mapping[str, str]
) -> Grid:
    rows: list[tuple[str | int | float | Score, ...]] = []
    for label, threshold, count in zip(outcome.labels, thresholds, outcome.targets.sum(axis=0), strict=True):
        cells = [scores.get(f"{kind}/{label}", "–") for kind in ("precision", "recall", "f1")]
        rows.append((label, *cells, int(count), f"{threshold:.2f}"))
    header = (words["label"], words["precision"], words["recall"], "F1", words["rows"], words["threshold"])
    return Grid(header, tuple(rows))


def _errors(
    measured: Measurement, task: Task, words: Mapping[str, str], language: str, *, show_text: bool
) -> tuple[Paragraph | Quote, ...]:
    outcome = measured.final.outcome
    assert outcome.given is not None
    worst = worst_sets(outcome, WORST_ERRORS)
    if not worst:
        return (Paragraph(words["no_errors"]),)
    notes = [
        {
            words["true"]: _named(outcome.targets[row], outcome, words),
            words["answer"]: _named(outcome.given[row], outcome, words),
        }
        for row in worst
    ]
    quotes = quotes_of(measured.final, worst, notes, task, language, show_text=show_text)
    return (Paragraph(words["errors_lead"]), *quotes)


def _named(row: NDArray[np.bool_], outcome: Outcome, words: Mapping[str, str]) -> str:
    return ", ".join(outcome.labels[label] for label in np.flatnonzero(row)) or words["none"]
