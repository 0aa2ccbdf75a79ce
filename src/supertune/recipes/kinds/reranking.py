"""Answers that are the order of passages that were found before: each is judged together with its query."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from supertune.config import TrainConfig
from supertune.console import Console
from supertune.contracts import Features, Outcome, Paragraph, Section, Task
from supertune.data import Table
from supertune.errors import UserError
from supertune.passages import Bm25
from supertune.recipes.kinds.kind import Described
from supertune.recipes.kinds.ranking import ranking_sections, ranking_verdict
from supertune.recipes.measured import Held, Measurement
from supertune.relevance import ranking_outcome
from supertune.tasks import RerankTask, padded
from supertune.train import SET_LOSSES, LossSettings, symmetric_binary_kl

if TYPE_CHECKING:
    import torch

    from supertune.recipes.kinds.kind import Criterion


class RerankedAnswers:
    """See `AnswerKind`."""

    loss = "binary_cross_entropy"
    told: tuple[str, ...] = ("mrr", "map")
    tie_breaker = "map"
    rival = "bm25"
    head_learning_rate: float | None = None

    def check(self, train: TrainConfig) -> None:
        """Refuse losses of classes.

        Raises:
            UserError: It is one, or rows of classes are to be weighed.
        """
        if train.loss not in ("auto", *SET_LOSSES):
            raise UserError(
                f"{train.loss!r} means nothing for the order of passages",
                where="train.loss",
                fix=f"use one of {', '.join(SET_LOSSES)}, or leave it out",
            )
        if train.class_weights != "none":
            raise UserError("there are no classes", where="train.class_weights", fix="leave it out")

    def check_metric(self, task: Task, metric: str) -> None:
        """How many passages there are is not known yet."""

    def criterion(self, task: Task, train: TrainConfig, rows: Table) -> Criterion:
        """The loss of ``train.loss``, of each pair for itself."""
        settings = LossSettings(None, train.label_smoothing, train.focal_gamma, train.huber_delta)
        return SET_LOSSES[self.loss if train.loss == "auto" else train.loss](settings)

    def first_bias(self, learned: Features) -> list[float] | None:
        """The log-odds of the share of pairs that belong together."""
        share = float(np.clip(learned.targets["labels"].mean(), 0.01, 0.99))
        return [float(np.log(share / (1 - share)))]

    def divergence(self) -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]:
        """That of independent decisions."""
        return symmetric_binary_kl

    def learned_nothing(self, outcome: Outcome, learned: Features) -> bool:
        """Whether no query is given anything that it asks for."""
        return not (outcome.outputs > 0).any()

    def remarks(self, task: Task, features: Features) -> tuple[str, ...]:
        """For how many queries nothing can come first, since what they ask for was not found."""
        assert isinstance(task, RerankTask)
        asked = task.asked(features)
        lost = sum(all(number < 0 for number in one.relevant) for one in asked)
        # Beside training rows stands what is not asked for, and nothing else.
        if lost in (0, len(asked)):
            return ()
        return (f"for {lost:,} of {len(asked):,} queries what they ask for is not among what words found",)

    def guesses(self, task: Task, train: Table, test: Held, console: Console) -> dict[str, Outcome]:
        """The order in which words alone put the same passages, and where they weigh in, the model alone."""
        assert isinstance(task, RerankTask)
        every = task.asked(test.features)
        passages = list(dict.fromkeys(passage for asked in every for passage in asked.passages))
        with console.progress("words alone (BM25)", len(every)) as bar:
            found = Bm25.build(passages).search([asked.query for asked in every], len(passages))
            bar(len(every))
        orders = []
        for asked, ids in zip(every, np.asarray(found.ids, np.int64).tolist(), strict=True):
            places = {passages[number]: place for place, number in enumerate(ids) if number >= 0}
            last = len(passages)
            numbers = range(len(asked.passages))
            orders.append(sorted(numbers, key=lambda number: places.get(asked.passages[number], last)))
        guesses = {"bm25": ranking_outcome(padded(orders), [asked.relevant for asked in every])}
        if task.words:
            guesses["alone"] = task.alone().outcome(test.outputs, test.features)
        return guesses

    def sections(self, measured: Measurement, task: Task, *, show_text: bool, language: str) -> tuple[Section, ...]:
        """Scores beside words alone, what the order rests on, at which ranks, and the worst errors."""
        assert isinstance(task, RerankTask)
        results, *others = ranking_sections(measured, task, show_text=show_text, language=language)
        rests_on = Paragraph(_RESTS_ON[language][bool(task.words)].format(weight=task.words))
        return replace(results, blocks=(*results.blocks, rests_on)), *others

    def verdict(self, measured: Measurement, task: Task, train: Table, language: str) -> str:
        """How often the right passage comes first, beside words alone."""
        return ranking_verdict(measured, self.rival, language)

    def described(self, task: Task) -> Described:
        """A model that judges pairs."""
        return Described(
            title="put passages in order",
            summary="A model that reads a query and a passage and says how likely it is that the passage answers it",
            pipeline_tag="text-ranking",
            labels=(),
            usage=_USAGE,
            examples=("How do I return it?", "Goods can be returned within seven days."),
        )


_RESTS_ON = {
    "en": (
        "Passages are put in the order of what the model says of them.",
        "Passages are put in the order of what the model says of them (log-odds) minus {weight:g} times the logarithm "
        "of the place at which words have found them; the weight was chosen on the validation rows.",
    ),
    "zh": (
        "段落按模型给出的分数排序。",
        "段落按模型给出的对数几率减去“词语检索名次的对数 × {weight:g}”排序；这一权重由验证数据选定。",
    ),
}
"""What the order rests on, without and with words."""
_USAGE = """\
with torch.no_grad():
    scores = torch.sigmoid(model(**batch).logits[:, 0]).tolist()
"""
