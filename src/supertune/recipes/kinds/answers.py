"""Answers that are a part of a text, or none: one for each question."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from supertune.answer_spans import Asked, asked_of
from supertune.config import TrainConfig
from supertune.console import Console
from supertune.contracts import Features, Grid, IntArray, Outcome, Paragraph, Quote, Score, Section, Task
from supertune.data import Table
from supertune.errors import UserError
from supertune.evaluate import SentenceBaseline, measure, row_values, verdict_on_answers
from supertune.recipes.kinds.kind import Described
from supertune.recipes.kinds.marking import marked
from supertune.recipes.measured import Held, Measurement
from supertune.recipes.results import beside_baselines, quotes_of, without_leaked
from supertune.tasks import ExtractiveQaTask
from supertune.train import pointing, symmetric_kl

if TYPE_CHECKING:
    import torch

    from supertune.recipes.kinds.kind import Criterion

BoolArray = NDArray[np.bool_]
_SHOWN_ANSWERS = 8
_WORST_ERRORS = 10
_FEWEST_PER_BIN = 5
_BINS = 4
_RULES = ("", "_cmrc")
_WORDS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "results": "Answers and truth",
        "rules": "Exact match and F1 by the rules of SQuAD (English) and of CMRC 2018 (Chinese).",
        "squad": "SQuAD",
        "cmrc": "CMRC 2018",
        "measured by": "rules",
        "exact": "exact match",
        "lengths": "Short and long",
        "question": "characters of the question",
        "answer length": "characters of the answer",
        "context": "characters of the text",
        "no answer": "no answer",
        "rows": "rows",
        "shown": "Answers in their texts",
        "shown_lead": "⟦the right answer⟧ and «the one given» where they stand, every so many rows.",
        "errors": "The worst errors",
        "errors_lead": "Wrong answers, those with the least in common with the right one first, and among them those "
        "that the model was surest of. Some may be wrong in the data.",
        "no_errors": "There is none: every answer on these rows is right.",
        "asked": "question",
        "true": "truth",
        "given": "answer",
        "none": "(none)",
    },
    "zh": {
        "results": "回答与标准答案",
        "rules": "精确匹配与 F1，分别按 SQuAD（英文）和 CMRC 2018（中文）的规则计算。",
        "squad": "SQuAD",
        "cmrc": "CMRC 2018",
        "measured by": "规则",
        "exact": "精确匹配",
        "lengths": "长与短",
        "question": "问题的字数",
        "answer length": "答案的字数",
        "context": "文本的字数",
        "no answer": "无答案",
        "rows": "行数",
        "shown": "答案在文中的位置",
        "shown_lead": "⟦标准答案⟧ 与 «模型的回答» 在文中的位置，每隔若干行取一例。",
        "errors": "最严重的错误",
        "errors_lead": "回答错误的问题：先列与标准答案重合最少的，其中又先列模型最有把握的。有些可能是数据本身有误。",
        "no_errors": "没有：这些行上的回答全部正确。",
        "asked": "问题",
        "true": "标准答案",
        "given": "回答",
        "none": "（无）",
    },
}


class TextAnswers:
    """See `AnswerKind`."""

    loss = "cross_entropy"
    told: tuple[str, ...] = ("exact_match", "f1")
    tie_breaker = "exact_match"
    rival = "sentence"
    head_learning_rate: float | None = None

    def check(self, train: TrainConfig) -> None:
        """Refuse what is about classes, and what compares outputs as long as the texts.

        Raises:
            UserError: Another loss, weights of classes, smoothed labels, or R-Drop.
        """
        if train.loss not in ("auto", self.loss):
            raise UserError(
                f"{train.loss!r} means nothing for tokens that are pointed to", where="train.loss", fix="leave it out"
            )
        for key in ("class_weights", "label_smoothing", "r_drop"):
            if getattr(train, key) != getattr(TrainConfig(), key):
                raise UserError(
                    "means nothing for tokens that are pointed to", where=f"train.{key}", fix="leave it out"
                )

    def check_metric(self, task: Task, metric: str) -> None:
        """Every metric of answers has a value for any of them."""

    def criterion(self, task: Task, train: TrainConfig, rows: Table) -> Criterion:
        """The mean of the cross-entropies of the first and the last token."""
        return pointing()

    def first_bias(self, learned: Features) -> list[float] | None:
        """No token is far from its share at the start."""
        return None

    def divergence(self) -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]:
        """That of distributions; R-Drop is refused."""
        return symmetric_kl

    def learned_nothing(self, outcome: Outcome, learned: Features) -> bool:
        """Whether every question gets the same answer, though right answers differ."""
        return len(set(outcome.outputs)) == 1 and len(set(outcome.targets)) > 1

    def remarks(self, task: Task, features: Features) -> tuple[str, ...]:
        """How many answers are too long for any window to hold."""
        far = _known(task).out_of_reach(features) if features.targets else np.zeros(0)
        if not len(far):
            return ()
        have = "row has an answer" if len(far) == 1 else "rows have answers"
        return (
            f"{len(far):,} {have} too long for any window to hold: they are not learned from, and cannot be found; "
            "a larger model.max_length or task.longest_answer helps",
        )

    def guesses(self, task: Task, train: Table, test: Held, console: Console) -> dict[str, Outcome]:
        """What the sentence is that shares the most with the question."""
        baseline = SentenceBaseline()
        baseline.fit([asked.context for asked in asked_of(train, task.columns)])
        rows = _asked(task, test, np.arange(len(test.outcome)))
        found = np.empty(len(rows), object)
        found[:] = baseline.predict([asked.question for asked in rows], [asked.context for asked in rows])
        return {baseline.name: replace(test.outcome, outputs=found)}

    def sections(self, measured: Measurement, task: Task, *, show_text: bool, language: str) -> tuple[Section, ...]:
        """Scores by both rules, by lengths, answers pointed out in their texts, and the worst errors."""
        words, metric = _WORDS[language], task.primary_metric
        rows = _asked(task, measured.final, np.arange(len(measured.final.outcome)))
        results = Section(
            words["results"],
            (
                Paragraph(words["rules"]),
                _by_rules(measured, words),
                *beside_baselines(measured, metric, language),
                *without_leaked(measured, metric, language),
            ),
        )
        lengths = Section(words["lengths"], tuple(_by_lengths(measured, rows, metric, words)))
        spread = np.unique(np.linspace(0, len(rows) - 1, _SHOWN_ANSWERS).astype(np.int64))
        quotes = _quotes(measured, task, rows, spread, language, show_text=show_text)
        return (
            results,
            lengths,
            Section(words["shown"], (Paragraph(words["shown_lead"]), *quotes)),
            Section(words["errors"], _errors(measured, task, rows, language, show_text=show_text)),
        )

    def verdict(self, measured: Measurement, task: Task, train: Table, language: str) -> str:
        """How often it is right, beside its baseline, and what it does where there is no answer."""
        return verdict_on_answers(
            measured.scores[measured.final_split],
            measured.baselines,
            measured.difference,
            measured.final.outcome,
            task.primary_metric,
            language=language,
            split=measured.final_split,
        )

    def described(self, task: Task) -> Described:
        """A model that points to answers."""
        known = _known(task)
        least = "" if known.threshold is None else " or that there is none"
        return Described(
            title="answer questions from a text",
            summary=f"A model that points to the part of a text that answers a question{least}",
            pipeline_tag="question-answering",
            labels=(),
            usage=_usage(known),
            examples=("Where does it say so?", "It says so here, in the text."),
        )


def _known(task: Task) -> ExtractiveQaTask:
    assert isinstance(task, ExtractiveQaTask)
    return task


def _asked(task: Task, held: Held, rows: IntArray) -> list[Asked]:
    """The questions of some rows of an outcome."""
    table = held.table.select(held.labelled[rows], step="asked")
    return list(asked_of(table, task.columns))


def _by_rules(measured: Measurement, words: Mapping[str, str]) -> Grid:
    scores = measured.scores[measured.final_split]
    rows: list[tuple[str | int | float | Score, ...]] = [
        (words[rules], *(scores.get(f"{name}{end}", "–") for name in ("exact_match", "f1")))
        for rules, end in zip(("squad", "cmrc"), _RULES, strict=True)
    ]
    return Grid((words["measured by"], words["exact"], "F1"), tuple(rows))


def _by_lengths(measured: Measurement, rows: Sequence[Asked], metric: str, words: Mapping[str, str]) -> list[Grid]:
    """Scores of questions, answers and texts that are short and long, in quarters of the rows."""
    outcome = measured.final.outcome
    answered = np.array([bool(truths) for truths in outcome.targets], bool)
    everything = np.ones(len(rows), bool)
    kinds: tuple[tuple[str, list[int], BoolArray], ...] = (
        ("question", [len(asked.question) for asked in rows], everything),
        ("answer length", [max(map(len, truths), default=0) for truths in outcome.targets], answered),
        ("context", [len(asked.context) for asked in rows], everything),
    )
    grids = []
    for name, sizes, counted in kinds:
        lines = [(said, chosen) for said, chosen in _bins(np.array(sizes), counted)]
        if name == "answer length" and (~answered).any():
            lines.append((words["no answer"], ~answered))
        grid = [
            (said, *_two(outcome.take(chosen), metric), int(chosen.sum()))
            for said, chosen in lines
            if chosen.sum() >= _FEWEST_PER_BIN
        ]
        if len(grid) > 1:
            grids.append(Grid((words[name], words["exact"], "F1", words["rows"]), tuple(grid)))
    return grids


def _bins(sizes: IntArray, counted: BoolArray) -> list[tuple[str, BoolArray]]:
    """Quarters of the counted rows by size, each with its range."""
    if not counted.any():
        return []
    borders = np.unique(np.quantile(sizes[counted], np.linspace(0, 1, _BINS + 1)).round().astype(np.int64))
    places = np.clip(np.searchsorted(borders, sizes, side="right") - 1, 0, max(len(borders) - 2, 0))
    found = []
    for place in range(max(len(borders) - 1, 1)):
        chosen = counted & (places == place)
        if chosen.any():
            found.append((f"{sizes[chosen].min():,}–{sizes[chosen].max():,}", chosen))
    return found


def _two(outcome: Outcome, metric: str) -> tuple[Score | str, Score | str]:
    names = metric.replace("f1", "exact_match"), metric
    scores = measure(outcome, names).scores
    return scores.get(names[0], "–"), scores.get(names[1], "–")


def _errors(
    measured: Measurement, task: Task, rows: Sequence[Asked], language: str, *, show_text: bool
) -> tuple[Paragraph | Quote, ...]:
    words = _WORDS[language]
    values = row_values(measured.final.outcome, task.primary_metric)
    wrong = np.flatnonzero(values < 1)
    if not len(wrong):
        return (Paragraph(words["no_errors"]),)
    told = [measured.final.predictions[row].more["n_best"] for row in measured.final.labelled[wrong]]
    # How far the best answer is ahead of the next.
    sure = np.array([best[0]["score"] - best[1]["score"] if len(best) > 1 else 0.0 for best in told])
    worst = wrong[np.lexsort((-sure, values[wrong]))][:_WORST_ERRORS]
    quotes = _quotes(measured, task, rows, worst, language, show_text=show_text)
    return (Paragraph(words["errors_lead"]), *quotes)


def _quotes(
    measured: Measurement, task: Task, rows: Sequence[Asked], chosen: IntArray, language: str, *, show_text: bool
) -> list[Quote]:
    """Rows with the right answer and the one given, in what stands around them."""
    words, held = _WORDS[language], measured.final
    notes = [
        {
            words["asked"]: rows[row].question if show_text else "–",
            words["true"]: " | ".join(dict.fromkeys(held.outcome.targets[row])) or words["none"],
            words["given"]: str(held.outcome.outputs[row]) or words["none"],
        }
        for row in chosen
    ]
    quotes = quotes_of(held, chosen.tolist(), notes, task, language, show_text=show_text)
    if not show_text:
        return quotes
    found = []
    for quote, row in zip(quotes, chosen, strict=True):
        more = held.predictions[held.labelled[row]].more
        given = None if more["start"] is None else (more["start"], more["end"])
        truth = next(((span.start, span.end) for span in rows[row].spans() if span), None)
        found.append(replace(quote, text=marked(rows[row].context, truth, given)))
    return found


def _usage(task: ExtractiveQaTask) -> str:
    """Lines that ask ``model`` about ``batch``; texts that are longer than it reads are cut, not read in windows."""
    guard = ""
    if task.threshold is not None:
        guard = f"""
    nothing = float(outputs.start_logits[row, 0] + outputs.end_logits[row, 0])
    if nothing - float(scores.max()) > {task.threshold!r}:
        answers[-1] = ""  # the text does not say"""
    return f"""\
with torch.no_grad():
    outputs = model(**batch)
answers = []
for row, text in enumerate(others):
    inside = torch.tensor([side == 1 for side in batch.sequence_ids(row)])
    allowed = inside[:, None] & inside[None, :]
    allowed = allowed.triu() & ~torch.ones_like(allowed).triu({task.settings.longest_answer})
    scores = outputs.start_logits[row][:, None] + outputs.end_logits[row][None, :]
    scores = scores.masked_fill(~allowed, -1e9)
    first, last = divmod(int(scores.argmax()), len(inside))
    begin, end = batch.token_to_chars(row, first).start, batch.token_to_chars(row, last).end
    answers.append(text[begin:end].strip()){guard}
"""
