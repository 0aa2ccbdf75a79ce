"""Answers that are entities: stretches of a text, each with a label."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from supertune.config import TrainConfig
from supertune.console import Console
from supertune.contracts import Features, Grid, Outcome, Paragraph, Quote, Score, Section, Task
from supertune.data import Table
from supertune.errors import UserError
from supertune.evaluate import (
    DictionaryBaseline,
    edge_errors,
    entity_confusion,
    kinds_of_errors,
    measure,
    only_spans,
    verdict_on_spans,
    worst_spans,
)
from supertune.language import shorten
from supertune.recipes.kinds.kind import Described
from supertune.recipes.kinds.marking import marked_all
from supertune.recipes.kinds.span_words import WORDS
from supertune.recipes.measured import Held, Measurement
from supertune.recipes.results import beside_baselines, quotes_of, without_leaked
from supertune.tasks import TaggingTask
from supertune.train import TAG_LOSSES, LossSettings, symmetric_kl

if TYPE_CHECKING:
    import torch

    from supertune.recipes.kinds.kind import Criterion

Span = tuple[int, int, int]
_SHOWN_TEXTS = 8
_WORST_ERRORS = 10
_SHARE_LOST = 0.001
"""Share of the entities with other edges than any token's, from which that is told."""


class SpanAnswers:
    """See `AnswerKind`."""

    loss = "cross_entropy"
    told: tuple[str, ...] = ("f1_boundaries",)
    tie_breaker = "f1_boundaries"
    rival = "dictionary"
    head_learning_rate: float | None = 1e-3
    """Few tokens are of an entity, and each label has two outputs of its own; decision 0020 has a trial."""

    def check(self, train: TrainConfig) -> None:
        """Refuse losses that are for one label of a text, and what compares outputs as long as the texts.

        Raises:
            UserError: Another loss, weights of classes, or R-Drop.
        """
        if train.loss not in ("auto", *TAG_LOSSES):
            raise UserError(
                f"{train.loss!r} is for one label or number per row, and the task gives every token a tag",
                where="train.loss",
                fix=f"use one of {', '.join(TAG_LOSSES)}, or leave it out",
            )
        for key in ("class_weights", "r_drop"):
            if getattr(train, key) != getattr(TrainConfig(), key):
                raise UserError("means nothing for tags of tokens", where=f"train.{key}", fix="leave it out")

    def check_metric(self, task: Task, metric: str) -> None:
        """Every metric of entities has a value for any of them."""

    def criterion(self, task: Task, train: TrainConfig, rows: Table) -> Criterion:
        """The loss of ``train.loss`` over the tokens of the texts."""
        settings = LossSettings(None, train.label_smoothing, train.focal_gamma, train.huber_delta)
        return TAG_LOSSES[self.loss if train.loss == "auto" else train.loss](settings)

    def first_bias(self, learned: Features) -> list[float] | None:
        """The logarithm of each tag's share: most tokens are of no entity, and of many labels few are of each.

        The same reason as for sets of labels (Lin et al. 2017, "Focal loss for dense object detection", section 4.1).
        """
        counts = np.bincount(learned.tokens["tags"], minlength=2)[1:]
        return [float(value) for value in np.log((counts + 1) / (counts.sum() + len(counts)))]

    def divergence(self) -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]:
        """That of distributions; R-Drop is refused."""
        return symmetric_kl

    def learned_nothing(self, outcome: Outcome, learned: Features) -> bool:
        """Whether no entity is given at all, though there are some."""
        return not any(outcome.outputs) and any(outcome.targets)

    def remarks(self, task: Task, features: Features) -> tuple[str, ...]:
        """How many entities begin or end inside a token, and cannot be told from it."""
        if "inexact" not in features.targets:
            return ()
        lost, known = (int(features.targets[name].sum()) for name in ("inexact", "known"))
        if lost <= _SHARE_LOST * known:
            return ()
        return (
            f"{lost:,} of {known:,} entities ({100 * lost / known:.1f} %) begin or end inside a token of this model: "
            "they are learned, and found, with a few characters more; a model that reads characters has them exactly",
        )

    def guesses(self, task: Task, train: Table, test: Held, console: Console) -> dict[str, Outcome]:
        """What a dictionary of the training entities finds."""
        known = _known(task).targets(train)
        baseline = DictionaryBaseline()
        every: list[Span] = [(start, end, label) for start, end, label in known["entities"].tolist()]
        spans = [every[start:behind] for start, behind in pairwise(known["bounds"].tolist())]
        baseline.fit(list(train.texts(task.columns.text)), spans)
        found = np.empty(len(test.outcome), object)
        for row, entities in enumerate(baseline.predict(_texts(test, task))):
            found[row] = entities
        return {baseline.name: replace(test.outcome, outputs=found)}

    def sections(self, measured: Measurement, task: Task, *, show_text: bool, language: str) -> tuple[Section, ...]:
        """Right and wrong, new and known words, labels, edges, entities pointed out in texts, and the worst errors."""
        words, metric = WORDS[language], task.primary_metric
        outcome, scores = measured.final.outcome, measured.scores[measured.final_split]
        results = Section(
            words["results"],
            (
                _overall(scores, words),
                *_new_and_known(measured.final, _known(task), words),
                *beside_baselines(measured, metric, language),
                *without_leaked(measured, metric, language),
            ),
        )
        labels = Section(
            words["labels"], (_label_grid(scores, outcome, words), entity_confusion(outcome, language=language))
        )
        wrong = Section(words["wrong"], tuple(_kinds_of_errors(outcome, words)))
        spread = np.unique(np.linspace(0, len(outcome) - 1, _SHOWN_TEXTS).astype(np.int64)).tolist()
        quotes = _quotes(measured.final, spread, task, language, show_text=show_text)
        return (
            results,
            labels,
            wrong,
            Section(words["shown"], (Paragraph(words["shown_lead"]), *quotes)),
            Section(words["errors"], _errors(measured.final, task, language, show_text=show_text)),
        )

    def verdict(self, measured: Measurement, task: Task, train: Table, language: str) -> str:
        """How many are found and how many are right, beside the dictionary, and how it goes with new words."""
        outcome, known = measured.final.outcome, _known(task)
        learned = np.bincount(known.targets(train)["entities"][:, 2], minlength=len(outcome.labels))
        new = only_spans(outcome, _wanted(measured.final, known, known_words=False))
        found = sum(len(set(truths) & set(answers)) for truths, answers in zip(new.targets, new.outputs, strict=True))
        return verdict_on_spans(
            measured.scores[measured.final_split],
            measured.baselines,
            measured.difference,
            test_counts=dict(_named_counts(outcome)),
            train_counts=dict(zip(outcome.labels, learned.tolist(), strict=True)),
            new=(found, sum(map(len, new.targets))),
            language=language,
            split=measured.final_split,
        )

    def described(self, task: Task) -> Described:
        """A model that tags tokens, for plain transformers' pipeline."""
        names = _known(task).label_names
        return Described(
            title=f"find entities ({shorten(', '.join(names), 200)})",
            summary=f"A model that finds entities of {len(names)} kinds ({shorten(', '.join(names), 200)}) in a text",
            pipeline_tag="token-classification",
            labels=names,
            usage=_USAGE,
        )


_USAGE = """\
from transformers import pipeline

# Texts that are longer than the model reads are cut here; supertune reads them in windows, and lets no entity begin or
# end inside a word.
tagger = pipeline("token-classification", model=model, tokenizer=tokenizer, aggregation_strategy="simple")
entities = tagger(texts)
"""


def _known(task: Task) -> TaggingTask:
    assert isinstance(task, TaggingTask)
    return task


def _texts(held: Held, task: Task) -> list[str]:
    """The texts of an outcome's rows."""
    return list(held.table.select(held.labelled, step="labelled").texts(task.columns.text))


def _named_counts(outcome: Outcome) -> Counter[str]:
    """Label → how many true entities have it."""
    counts = Counter(dict.fromkeys(outcome.labels, 0))
    counts.update(outcome.labels[label] for truths in outcome.targets for _, _, label in truths)
    return counts


def _wanted(held: Held, task: TaggingTask, *, known_words: bool) -> Callable[[int, Span], bool]:
    """Whether an entity of a row has words that some training entity has, or has not."""
    texts = _texts(held, task)
    return lambda row, span: (texts[row][span[0] : span[1]] in task.mentions) == known_words


def _overall(scores: Mapping[str, Score], words: Mapping[str, str]) -> Grid:
    rows: list[tuple[str | int | float | Score, ...]] = [
        (words[said], *(scores.get(f"{name}_{end}", "–") for name in ("precision", "recall", "f1")))
        for said, end in (("exact", "micro"), ("boundaries", "boundaries"), ("macro", "macro"))
    ]
    rows.append((words["label accuracy"], "–", "–", scores.get("label_accuracy", "–")))
    rows.append((words["exact texts"], "–", "–", scores.get("exact_texts", "–")))
    return Grid((words["counted"], words["precision"], words["recall"], "F1"), tuple(rows), words["rule"])


def _new_and_known(held: Held, task: TaggingTask, words: Mapping[str, str]) -> list[Grid]:
    """Scores of entities with words that a training entity has, and of the others."""
    rows: list[tuple[str | int | float | Score, ...]] = []
    for said, known_words in (("known", True), ("new", False)):
        part = only_spans(held.outcome, _wanted(held, task, known_words=known_words))
        scores = measure(part, ("precision_micro", "recall_micro", "f1_micro")).scores
        cells = [scores.get(name, "–") for name in ("precision_micro", "recall_micro", "f1_micro")]
        rows.append((words[said], *cells, sum(map(len, part.targets))))
    header = (words["words"], words["precision"], words["recall"], "F1", words["entities"])
    return [Grid(header, tuple(rows), words["new_caption"])]


def _label_grid(scores: Mapping[str, Score], outcome: Outcome, words: Mapping[str, str]) -> Grid:
    counts = _named_counts(outcome)
    rows: list[tuple[str | int | float | Score, ...]] = [
        (label, *(scores.get(f"{kind}/{label}", "–") for kind in ("precision", "recall", "f1")), counts[label])
        for label in outcome.labels
    ]
    return Grid((words["label"], words["precision"], words["recall"], "F1", words["entities"]), tuple(rows))


def _kinds_of_errors(outcome: Outcome, words: Mapping[str, str]) -> list[Grid]:
    kinds, edges = kinds_of_errors(outcome), edge_errors(outcome)
    first: tuple[tuple[str | int, ...], ...] = tuple(
        (words[kind], kinds[kind]) for kind in ("right", "label error", "edges", "both", "missed", "made-up")
    )
    grids = [Grid((words["what"], words["entities"]), first, words["wrong_caption"])]
    if edges:
        sides = ("begins-early", "begins-late", "ends-early", "ends-late")
        second: tuple[tuple[str | int, ...], ...] = tuple((words[side], edges[side]) for side in sides)
        grids.append(Grid((words["edge"], words["entities"]), second))
    return grids


def _errors(held: Held, task: Task, language: str, *, show_text: bool) -> tuple[Paragraph | Quote, ...]:
    words = WORDS[language]

    def sureness(row: int, span: Span) -> float:
        told: Sequence[Mapping[str, object]] = held.predictions[held.labelled[row]].prediction
        return max((float(str(one["score"])) for one in told if (one["start"], one["end"]) == span[:2]), default=0.0)

    worst = worst_spans(held.outcome, sureness, _WORST_ERRORS)
    if not worst:
        return (Paragraph(words["no_errors"]),)
    return (Paragraph(words["errors_lead"]), *_quotes(held, worst, task, language, show_text=show_text))


def _quotes(held: Held, rows: Sequence[int], task: Task, language: str, *, show_text: bool) -> list[Quote]:
    """Rows with their true entities and those given, where they stand."""
    words, outcome = WORDS[language], held.outcome
    texts = _texts(held, task)

    def told(row: int, spans: Sequence[Span]) -> str:
        named = [
            f"{shorten(texts[row][start:end], 40) if show_text else f'{start}–{end}'} ({outcome.labels[label]})"
            for start, end, label in spans
        ]
        return ", ".join(named) or words["none"]

    notes = [
        {words["true"]: told(row, outcome.targets[row]), words["given"]: told(row, outcome.outputs[row])}
        for row in rows
    ]
    quotes = quotes_of(held, rows, notes, task, language, show_text=show_text)
    if not show_text:
        return quotes
    return [
        replace(quote, text=marked_all(texts[row], outcome.targets[row], outcome.outputs[row], outcome.labels))
        for quote, row in zip(quotes, rows, strict=True)
    ]
