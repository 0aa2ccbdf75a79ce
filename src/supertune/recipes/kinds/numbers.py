"""Answers that are numbers: one for each row, or one in each of several columns."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from supertune.config import TrainConfig
from supertune.console import Console
from supertune.contracts import Features, FloatArray, Grid, Outcome, Paragraph, Quote, Score, Section, Task
from supertune.data import Table
from supertune.errors import UserError
from supertune.evaluate import (
    MeanBaseline,
    TfidfRidge,
    calibration_of_numbers,
    error_histogram,
    estimate,
    largest_errors,
    truth_and_answers,
    verdict_on_numbers,
)
from supertune.language import shorten
from supertune.recipes.kinds.kind import Described
from supertune.recipes.measured import Held, Measurement
from supertune.recipes.results import beside_baselines, quotes_of, without_leaked
from supertune.tasks import RegressionTask
from supertune.train import NUMBER_LOSSES, squared_difference

if TYPE_CHECKING:
    import torch

    from supertune.recipes.kinds.kind import Criterion

_LARGEST_ERRORS = 10
_MOST_COLUMNS = 6
"""Columns whose pictures are drawn; the table has them all."""
_FLAT = 0.05
"""Spread of the answers, as a share of that of the truth, below which they are all the same."""
_COLUMNS = ("r2", "pearson", "spearman", "rmse", "mae")
_WORDS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "results": "Answers and truth",
        "columns": "Column by column",
        "errors": "How far off",
        "largest": "The largest errors",
        "largest_lead": "Answers that are farthest from the truth. Some may be wrong numbers in the data.",
        "no_errors": "There is none: every answer on these rows is right.",
        "column": "column",
        "true": "truth",
        "answer": "answer",
    },
    "zh": {
        "results": "回答与真实值",
        "columns": "逐列结果",
        "errors": "偏差有多大",
        "largest": "最大的偏差",
        "largest_lead": "离真实值最远的回答。其中有些可能是数据里的数值本身有误。",
        "no_errors": "没有：这些行上的回答全部正确。",
        "column": "列",
        "true": "真实值",
        "answer": "回答",
    },
}


class NumberAnswers:
    """See `AnswerKind`."""

    loss = "mse"
    told: tuple[str, ...] = ("rmse", "r2")
    tie_breaker = "rmse"
    rival = "tfidf"
    head_learning_rate: float | None = None

    def check(self, train: TrainConfig) -> None:
        """Refuse what is about classes.

        Raises:
            UserError: A loss of classes, weights of classes, or smoothed labels.
        """
        if train.loss not in ("auto", *NUMBER_LOSSES):
            raise UserError(
                f"{train.loss!r} compares classes, and the task answers with numbers",
                where="train.loss",
                fix=f"use one of {', '.join(NUMBER_LOSSES)}, or leave it out",
            )
        for key in ("class_weights", "label_smoothing"):
            if getattr(train, key) != getattr(TrainConfig(), key):
                raise UserError(
                    "is about classes, and the task answers with numbers", where=f"train.{key}", fix="leave it out"
                )

    def check_metric(self, task: Task, metric: str) -> None:
        """Refuse the kappa of numbers that are no ratings.

        Raises:
            UserError: It has no value for a column.
        """
        others = [
            name for name, scale in zip(task.columns.labels, _known(task).scales, strict=True) if not scale.ratings
        ]
        if metric == "quadratic_kappa" and others:
            raise UserError(
                f"{others[0]!r} holds no ratings (whole numbers of at most 20 kinds), and has no kappa",
                where="evaluate.metric",
                fix="choose r2, or leave it out",
            )

    def criterion(self, task: Task, train: TrainConfig, rows: Table) -> Criterion:
        """The loss of ``train.loss``, of standardised numbers."""
        return NUMBER_LOSSES[self.loss if train.loss == "auto" else train.loss](train.huber_delta)

    def first_bias(self, learned: Features) -> list[float] | None:
        """Standardised numbers begin at their mean."""
        return None

    def divergence(self) -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]:
        """That of numbers."""
        return squared_difference

    def learned_nothing(self, outcome: Outcome, learned: Features) -> bool:
        """Whether the answers hardly differ, and are no better than their mean."""
        spread, truth = outcome.outputs.std(axis=0), outcome.targets.std(axis=0)
        return bool((truth > 0).all() and (spread < _FLAT * truth).all() and float(estimate(outcome, "r2")) < _FLAT)

    def remarks(self, task: Task, features: Features) -> tuple[str, ...]:
        """There is nothing to tell."""
        return ()

    def guesses(self, task: Task, train: Table, test: Held, console: Console) -> dict[str, Outcome]:
        """What the mean of the training rows and TF-IDF say."""
        texts, targets = list(train.texts(task.columns.text)), _known(task).numbers(train)
        questions = list(test.table.select(test.labelled, step="labelled").texts(task.columns.text))
        outcomes = {}
        baselines: tuple[MeanBaseline | TfidfRidge, ...] = (MeanBaseline(), TfidfRidge())
        with console.progress("baselines", len(baselines)) as bar:
            for done, baseline in enumerate(baselines):
                bar(done, baseline.name)
                baseline.fit(texts, targets)
                answers: FloatArray = baseline.predict(questions)
                outcomes[baseline.name] = replace(test.outcome, outputs=answers)
        return outcomes

    def sections(self, measured: Measurement, task: Task, *, show_text: bool, language: str) -> tuple[Section, ...]:
        """Answers against truth, column by column, how far off, and the largest errors."""
        words = _WORDS[language]
        outcome, scores = measured.final.outcome, measured.scores[measured.final_split]
        metric, drawn = task.primary_metric, range(min(len(outcome.labels), _MOST_COLUMNS))
        pictures = [
            draw(outcome, column, language=language)
            for column in drawn
            for draw in (truth_and_answers, calibration_of_numbers)
        ]
        grid = Section(words["columns"], (_grid(scores, outcome.labels, words),))
        return (
            Section(
                words["results"],
                (
                    *beside_baselines(measured, metric, language),
                    *without_leaked(measured, metric, language),
                    *pictures,
                ),
            ),
            *([grid] if len(outcome.labels) > 1 else []),
            Section(words["errors"], tuple(error_histogram(outcome, column, language=language) for column in drawn)),
            Section(words["largest"], _largest(measured, task, words, language, show_text=show_text)),
        )

    def verdict(self, measured: Measurement, task: Task, train: Table, language: str) -> str:
        """How far off it is, beside its baselines, and what it explains."""
        scores = measured.scores[measured.final_split]
        return verdict_on_numbers(
            scores,
            measured.baselines,
            measured.difference,
            measured.final.outcome.labels,
            language=language,
            split=measured.final_split,
        )

    def described(self, task: Task) -> Described:
        """A regression model, whose outputs are to be brought back into units."""
        known = _known(task)
        names = known.columns.labels
        means, spreads = ([getattr(scale, key) for scale in known.scales] for key in ("mean", "spread"))
        what = shorten(", ".join(names), 200)
        usage = f"""\
with torch.no_grad():
    outputs = model(**batch).logits
numbers = outputs * torch.tensor({spreads}) + torch.tensor({means})  # {what}
"""
        return Described(
            title=f"predict {what}",
            summary=f"A regression model for {what}",
            pipeline_tag="text-classification",
            labels=names,
            usage=usage,
        )


def _known(task: Task) -> RegressionTask:
    assert isinstance(task, RegressionTask)
    return task


def _grid(scores: Mapping[str, Score], labels: tuple[str, ...], words: Mapping[str, str]) -> Grid:
    rows: list[tuple[str | int | float | Score, ...]] = [
        (label, *(scores.get(f"{metric}/{label}", "–") for metric in _COLUMNS)) for label in labels
    ]
    return Grid((words["column"], *(name.upper() if name != "r2" else "R²" for name in _COLUMNS)), tuple(rows))


def _largest(
    measured: Measurement, task: Task, words: Mapping[str, str], language: str, *, show_text: bool
) -> tuple[Paragraph | Quote, ...]:
    outcome = measured.final.outcome
    rows = largest_errors(outcome, _LARGEST_ERRORS)
    if not rows:
        return (Paragraph(words["no_errors"]),)
    notes = [
        {
            words["true"]: _told(outcome.targets[row], outcome.labels),
            words["answer"]: _told(outcome.outputs[row], outcome.labels),
        }
        for row in rows
    ]
    quotes = quotes_of(measured.final, rows, notes, task, language, show_text=show_text)
    return (Paragraph(words["largest_lead"]), *quotes)


def _told(values: FloatArray, labels: tuple[str, ...]) -> str:
    shown = [f"{value:.4g}" for value in np.atleast_1d(values)]
    return shown[0] if len(labels) == 1 else ", ".join(f"{k} {v}" for k, v in zip(labels, shown, strict=True))
