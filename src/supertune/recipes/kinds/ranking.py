"""Answers that are a ranking: which passages a query finds, the best first."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from supertune.config import TrainConfig
from supertune.console import Console
from supertune.contracts import (
    Features,
    Grid,
    IntArray,
    LineChart,
    Outcome,
    Paragraph,
    Quote,
    Score,
    Section,
    Series,
    Task,
)
from supertune.data import Table
from supertune.errors import UserError
from supertune.evaluate import verdict_on_rankings
from supertune.language import shorten
from supertune.passages import Bm25
from supertune.recipes.kinds.kind import Described
from supertune.recipes.measured import Held, Measurement
from supertune.recipes.results import beside_baselines, quotes_of, without_leaked
from supertune.relevance import ranking_outcome
from supertune.tasks import RetrievalTask
from supertune.train import (
    DISTILLATION_LOSSES,
    RANKING_LOSSES,
    DistillationSettings,
    in_batch_both_ways,
    squared_difference,
)

if TYPE_CHECKING:
    import torch

    from supertune.recipes.kinds.kind import Criterion

_WORST_ERRORS = 10
_SHOWN = 160
_WORDS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "results": "What is found",
        "curve": "Queries whose passage is among the first",
        "first": "passages looked at",
        "share": "share of queries",
        "model": "model",
        "ranks": "Where the right passage stands",
        "rank": "rank",
        "queries": "queries",
        "not found": "not among the first {count}",
        "errors": "The worst errors",
        "errors_lead": "Queries whose passage stands the furthest down. Some may be wrong in the data.",
        "no_errors": "There is none: every query finds its passage first.",
        "asked": "asked for",
        "came": "found first",
    },
    "zh": {
        "results": "检索结果",
        "curve": "正确段落排在前几名的查询所占比例",
        "first": "查看的段落数",
        "share": "查询比例",
        "model": "模型",
        "ranks": "正确段落的排名",
        "rank": "排名",
        "queries": "查询数",
        "not found": "不在前 {count} 名",
        "errors": "最严重的错误",
        "errors_lead": "正确段落排名最靠后的查询。有些可能是数据本身有误。",
        "no_errors": "没有：每个查询都首先找到了正确段落。",
        "asked": "应找到",
        "came": "首先找到",
    },
}


class RankedAnswers:
    """See `AnswerKind`."""

    loss = "in_batch"
    told: tuple[str, ...] = ("mrr", "map")
    tie_breaker = "map"
    rival = "untrained"
    head_learning_rate: float | None = None

    def check(self, train: TrainConfig) -> None:
        """Refuse what is about classes, and what looks at one text at a time.

        Raises:
            UserError: Such a loss, weights of classes, or a regulariser that draws a batch anew.
        """
        known = ("auto", *RANKING_LOSSES, *DISTILLATION_LOSSES)
        if train.loss not in known:
            raise UserError(
                f"{train.loss!r} means nothing for rankings", where="train.loss", fix=f"use one of {', '.join(known)}"
            )
        for key in ("class_weights", "label_smoothing", "r_drop", "adversarial", "mixout"):
            if getattr(train, key) != getattr(TrainConfig(), key):
                raise UserError(
                    "means nothing where texts are learned from by comparing them",
                    where=f"train.{key}",
                    fix="leave it out",
                )

    def check_metric(self, task: Task, metric: str) -> None:
        """How many passages there are is not known yet."""

    def criterion(self, task: Task, train: TrainConfig, rows: Table) -> Criterion:
        """In-batch negatives, in both directions where the order means nothing; CoSENT; what a teacher says."""
        if train.loss in DISTILLATION_LOSSES:
            settings = DistillationSettings(train.teacher_temperature, train.in_batch_weight)
            return DISTILLATION_LOSSES[train.loss](settings)
        if train.loss == "in_batch" and task.columns.symmetric:
            return in_batch_both_ways
        return RANKING_LOSSES[train.loss]

    def first_bias(self, learned: Features) -> list[float] | None:
        """There is no head."""
        return None

    def divergence(self) -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]:
        """That of numbers; R-Drop is refused."""
        return squared_difference

    def learned_nothing(self, outcome: Outcome, learned: Features) -> bool:
        """Whether no query finds anything that it asks for, though there is less than could be looked at."""
        return not (outcome.outputs > 0).any()

    def remarks(self, task: Task, features: Features) -> tuple[str, ...]:
        """Nothing."""
        return ()

    def guesses(self, task: Task, train: Table, test: Held, console: Console) -> dict[str, Outcome]:
        """What words alone find, among the same passages."""
        assert isinstance(task, RetrievalTask)
        candidates, queries, relevant = task.asked(test.features)
        with console.progress("words alone (BM25)", len(queries)) as bar:
            found = Bm25.build(candidates.texts).search(queries, test.outcome.outputs.shape[1])
            bar(len(queries))
        return {"bm25": ranking_outcome(np.asarray(found.ids, np.int64), relevant)}

    def sections(self, measured: Measurement, task: Task, *, show_text: bool, language: str) -> tuple[Section, ...]:
        """See `ranking_sections`."""
        return ranking_sections(measured, task, show_text=show_text, language=language)

    def verdict(self, measured: Measurement, task: Task, train: Table, language: str) -> str:
        """How often the right passage comes first, beside the model as it was."""
        return ranking_verdict(measured, self.rival, language)

    def described(self, task: Task) -> Described:
        """A model that makes vectors."""
        assert isinstance(task, RetrievalTask)
        return Described(
            title="find passages",
            summary="A model that makes vectors of texts: a query's lies near those of the passages that it asks for",
            pipeline_tag="sentence-similarity",
            labels=(),
            usage=_usage(task),
            examples=("How do I return it?", "Goods can be returned within seven days."),
            together=False,
        )


def ranking_sections(measured: Measurement, task: Task, *, show_text: bool, language: str) -> tuple[Section, ...]:
    """Scores beside baselines, how many queries find their passage among the first, and the worst errors."""
    words, metric, held = _WORDS[language], task.primary_metric, measured.final
    ranks = first_ranks(held.outcome)
    results = Section(
        words["results"],
        (
            *beside_baselines(measured, metric, language),
            _curve(ranks, held.outcome.outputs.shape[1], words),
            *without_leaked(measured, metric, language),
        ),
    )
    errors = Section(words["errors"], _errors(held, task, ranks, language, show_text=show_text))
    return results, Section(words["ranks"], (_table_of(ranks, held.outcome.outputs.shape[1], words),)), errors


def ranking_verdict(measured: Measurement, rival: str, language: str) -> str:
    """How often the right passage comes first, in plain words."""
    scores = measured.scores[measured.final_split]
    return verdict_on_rankings(
        scores, measured.baselines, measured.difference, rival=rival, language=language, split=measured.final_split
    )


def first_ranks(outcome: Outcome) -> IntArray:
    """int64 (queries,): where the first passage stands that the query asks for, from 1; 0 where it was not found."""
    there = outcome.outputs > 0
    return np.where(there.any(axis=1), there.argmax(axis=1) + 1, 0)


def _curve(ranks: IntArray, most: int, words: Mapping[str, str]) -> LineChart:
    places = np.unique(np.round(np.geomspace(1, most, 40)).astype(np.int64))
    shares = [float(((ranks > 0) & (ranks <= place)).mean()) for place in places]
    line = Series(words["model"], places.tolist(), shares)
    return LineChart(words["curve"], words["first"], words["share"], (line,), y_range=(0.0, 1.0))


def _table_of(ranks: IntArray, most: int, words: Mapping[str, str]) -> Grid:
    """How many queries find their passage at which rank."""
    borders = [1, 2, 3, 4, 6, 11, 21, 51, most + 1]
    rows: list[tuple[str | int | float | Score, ...]] = []
    for low, high in pairwise(borders):
        if low > most:
            break
        count = int(((ranks >= low) & (ranks < high)).sum())
        rows.append((str(low) if high - low == 1 else f"{low}–{min(high - 1, most)}", count))
    rows.append((words["not found"].format(count=most), int((ranks == 0).sum())))
    return Grid((words["rank"], words["queries"]), tuple(rows))


def _errors(
    held: Held, task: Task, ranks: IntArray, language: str, *, show_text: bool
) -> tuple[Paragraph | Quote, ...]:
    words = _WORDS[language]
    most = held.outcome.outputs.shape[1]
    wrong = np.flatnonzero(ranks != 1)
    if not len(wrong):
        return (Paragraph(words["no_errors"]),)
    depth = np.where(ranks[wrong] == 0, most + 1, ranks[wrong])
    worst = wrong[np.argsort(-depth, kind="stable")][:_WORST_ERRORS]
    told = [held.predictions[held.labelled[row]].more for row in worst]
    notes = []
    for row, more in zip(worst, told, strict=True):
        place = str(ranks[row]) if ranks[row] else words["not found"].format(count=most)
        came = {words["came"]: shorten(str(more.get("first", "")), _SHOWN)} if show_text else {}
        notes.append({words["rank"]: place, **came})
    return (
        Paragraph(words["errors_lead"]),
        *quotes_of(held, worst.tolist(), notes, task, language, show_text=show_text),
    )


def _usage(task: RetrievalTask) -> str:
    """Lines that make vectors of ``texts`` (queries) and ``others`` (passages) and compare them."""
    how = {
        "mean": "(states * mask).sum(1) / mask.sum(1)",
        "cls": "states[torch.arange(len(states)), batch.attention_mask.argmax(1)]",
        "last": "states[torch.arange(len(states)), "
        "(batch.attention_mask * torch.arange(1, states.shape[1] + 1)).argmax(1)]",
    }[task.settings.pooling]
    return f"""\


def vectors(some, prompt):
    batch = tokenizer([prompt + text for text in some], truncation=True, padding=True, return_tensors="pt")
    with torch.no_grad():
        states = model(**batch).last_hidden_state
    mask = batch.attention_mask.unsqueeze(-1)
    return torch.nn.functional.normalize({how}, dim=-1)


queries, passages = vectors(texts, {task.settings.query_prompt!r}), vectors(others, {task.settings.passage_prompt!r})
print(queries @ passages.T)
"""
