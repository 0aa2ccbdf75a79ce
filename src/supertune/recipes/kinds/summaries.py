"""Answers that are sentences taken out of a document to sum it up."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from supertune.config import TrainConfig
from supertune.console import Console
from supertune.contracts import Features, Grid, IntArray, Outcome, Paragraph, Quote, Score, Section, Task
from supertune.data import Table
from supertune.errors import UserError
from supertune.evaluate import measure, places_taken, row_values, textrank, verdict_on_summaries
from supertune.extracts import Length, Ranked, best_length, chosen, oracle
from supertune.recipes.kinds.kind import Described
from supertune.recipes.kinds.marking import marked_parts
from supertune.recipes.measured import Held, Measurement
from supertune.recipes.results import beside_baselines, named_baselines, quotes_of, without_leaked
from supertune.summary_texts import Summarised, parts_of, summarised_of
from supertune.tasks import ExtractiveSummaryTask, joined_sentences
from supertune.train import SET_LOSSES, LossSettings, symmetric_binary_kl

if TYPE_CHECKING:
    import torch

    from supertune.recipes.kinds.kind import Criterion

_LOOKED_AT = 1000
"""Training rows by which the length of a baseline's extracts is chosen."""
_SHOWN = 6
_WORST = 8
_FEWEST_PER_BIN = 5
_BINS = 4
_METRICS = ("rouge1", "rouge2", "rougeLsum")
_WORDS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "results": "Extracts and summaries",
        "rouge": "ROUGE of extracts with the summaries that people wrote. The last line is no rival: those sentences "
        "were chosen by looking at the summaries, and no extract comes much nearer to them.",
        "method": "sentences",
        "model": "this model",
        "places": "Where sentences are taken from",
        "lengths": "Short and long documents",
        "document": "sentences of the document",
        "rows": "rows",
        "shown": "Sentences taken, in their documents",
        "shown_lead": "«What the model takes» and ⟦what comes nearest to the summary⟧ where they stand, every so many "
        "rows.",
        "errors": "Where most was missed",
        "errors_lead": "Documents whose extract is farthest behind the best there is. In some the summary may be of "
        "something else.",
        "no_errors": "There is none: every extract comes as near to its summary as sentences can.",
        "summary": "summary",
        "score": "ROUGE-1, and of the best extract",
    },
    "zh": {
        "results": "抽取结果与人写的摘要",
        "rouge": "抽取的句子与人写摘要之间的 ROUGE。最后一行不是对手：那些句子是看着摘要选出来的，"
        "任何抽取方法都很难更接近。",
        "method": "句子",
        "model": "本模型",
        "places": "句子取自何处",
        "lengths": "长文与短文",
        "document": "文档的句数",
        "rows": "行数",
        "shown": "抽取的句子在文中的位置",
        "shown_lead": "«模型抽取的句子» 与 ⟦最接近摘要的句子⟧ 在文中的位置，每隔若干行取一例。",
        "errors": "遗漏最多的文档",
        "errors_lead": "抽取结果与最佳抽取差距最大的文档。其中有些摘要可能说的是别的内容。",
        "no_errors": "没有：每篇的抽取结果都已是句子所能达到的最接近的。",
        "summary": "摘要",
        "score": "ROUGE-1，以及最佳抽取的",
    },
}


@dataclass(frozen=True)
class _Row:
    """A test document with what was taken of it.

    Attributes:
        one: The document and its summaries.
        parts: Where its sentences are.
        given: Indices of the sentences taken.
        best: Indices of those nearest to a summary.
    """

    one: Summarised
    parts: Sequence[tuple[int, int]]
    given: Sequence[int]
    best: Sequence[int]


class SummaryAnswers:
    """See `AnswerKind`."""

    loss = "binary_cross_entropy"
    told: tuple[str, ...] = ("rouge1", "rouge2")
    tie_breaker = "rouge2"
    rival = "lead"
    head_learning_rate: float | None = None

    def check(self, train: TrainConfig) -> None:
        """Refuse losses that are about classes, and what compares outputs as long as the texts.

        Raises:
            UserError: Another loss, or R-Drop.
        """
        if train.loss not in ("auto", *SET_LOSSES):
            raise UserError(
                f"{train.loss!r} means nothing for sentences that are taken or not",
                where="train.loss",
                fix=f"use one of {', '.join(SET_LOSSES)}, or leave it out",
            )
        if train.r_drop:
            raise UserError("means nothing where every token is scored", where="train.r_drop", fix="leave it out")

    def check_metric(self, task: Task, metric: str) -> None:
        """Every metric of texts has a value for rows that can be learned from."""

    def criterion(self, task: Task, train: TrainConfig, rows: Table) -> Criterion:
        """The loss of ``train.loss``; balanced, a sentence to take counts as the root of the others per one."""
        weights = None
        if train.class_weights == "balanced":
            known = _known(task)
            taken, count = 0, 0
            for one in summarised_of(rows, known.columns):
                if one.summaries and (best := oracle(units := one.units(known.unit), one.summaries).chosen):
                    taken, count = taken + len(best), count + len(units)
            weights = [float(np.sqrt(max(count - taken, 1) / max(taken, 1)))]
        settings = LossSettings(weights, train.label_smoothing, train.focal_gamma, train.huber_delta)
        return SET_LOSSES[self.loss if train.loss == "auto" else train.loss](settings)

    def first_bias(self, learned: Features) -> list[float] | None:
        """The log-odds of the share of sentences that are taken; from a half a model first learns that they are few."""
        numbers, labels = (learned.tokens[name].astype(np.int64) for name in ("sentences", "labels"))
        # The first token of each sentence; the special ones between windows part equal numbers.
        firsts = (numbers > 0) & (np.diff(numbers, prepend=0) != 0)
        ones, zeros = (int((firsts & (labels == label)).sum()) for label in (1, 0))
        return [float(np.log(ones + 1) - np.log(zeros + 1))]

    def divergence(self) -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]:
        """That of independent decisions; R-Drop is refused."""
        return symmetric_binary_kl

    def learned_nothing(self, outcome: Outcome, learned: Features) -> bool:
        """Whether different documents get the same extract, which takes a model that gives out no numbers."""
        return len(set(outcome.outputs)) == 1 and len(set(outcome.targets)) > 1

    def remarks(self, task: Task, features: Features) -> tuple[str, ...]:
        """How many sentences are cut, and how many documents nothing can be learned from."""
        told = []
        cut = int((features.full_lengths > features.lengths).sum())
        if cut:
            be = "sentence is" if cut == 1 else "sentences are"
            told.append(f"{cut:,} {be} longer than model.max_length, and judged by the beginning")
        if features.targets:
            numbers, labels = features.tokens["sentences"], features.tokens["labels"]
            items = np.repeat(np.arange(len(features)), features.lengths)
            known = np.unique(features.rows[items[(numbers > 0) & (labels >= 0)]])
            lost = len(np.setdiff1d(features.rows[features.targets["labelled"]], known))
            if lost:
                have = "row has" if lost == 1 else "rows have"
                told.append(f"{lost:,} {have} no word in common with the summary, and are not learned from")
        return tuple(told)

    def guesses(self, task: Task, train: Table, test: Held, console: Console) -> dict[str, Outcome]:
        """What the first sentences and the most central ones say, and those that are nearest to the summaries.

        The length of either is what is best for it on the training rows, unless it is settled.
        """
        known = _known(task)
        spread = np.unique(np.linspace(0, len(train) - 1, min(len(train), _LOOKED_AT)).astype(np.int64))
        seen = list(summarised_of(train.select(spread, step="baselines"), known.columns))
        asked = [row.one for row in _rows(known, test)]
        ways: Mapping[str, Callable[[Sequence[str]], list[int]]] = {
            "lead": lambda units: list(range(len(units))),
            "textrank": textrank,
        }
        found = {}
        with console.progress("baselines", len(ways) + 1) as bar:
            for done, (name, way) in enumerate(ways.items()):
                bar(done, name)
                # Only a model's choice repeats itself; the first sentences are what they are.
                blockings = (bool(known.settings.blocking),) if name == "lead" else known.settings.blockings
                ranked = ((one.summaries or (), one.units(known.unit)) for one in seen)
                length = best_length(
                    (Ranked(units, way(units), summaries) for summaries, units in ranked),
                    known.settings.length,
                    blockings,
                )
                found[name] = _extracts(known, asked, way, length, test.outcome)
            bar(len(ways), "oracle")
            best = [oracle(one.units(known.unit), one.summaries or ()).chosen for one in asked]
            outputs = np.array(
                [joined_sentences(one.units(known.unit), own) for one, own in zip(asked, best, strict=True)], object
            )
            found["oracle"] = replace(test.outcome, outputs=outputs)
        return found

    def sections(self, measured: Measurement, task: Task, *, show_text: bool, language: str) -> tuple[Section, ...]:
        """ROUGE beside baselines, where sentences are taken from, scores by length, and documents with marks."""
        words, known = _WORDS[language], _known(task)
        metric = known.primary_metric
        rows = _rows(known, measured.final)
        results = Section(
            words["results"],
            (
                Paragraph(words["rouge"]),
                _by_method(measured, words, language),
                *beside_baselines(measured, metric, language),
                *without_leaked(measured, metric, language),
            ),
        )
        picture = places_taken(
            [row.best for row in rows],
            [row.given for row in rows],
            [max(len(row.parts), 1) for row in rows],
            language=language,
        )
        spread = np.unique(np.linspace(0, len(rows) - 1, _SHOWN).astype(np.int64))
        values = row_values(measured.final.outcome, "rouge1")
        best = row_values(_best(known, measured.final.outcome, rows), "rouge1")
        behind = np.flatnonzero(best > values)
        worst = behind[np.argsort((values - best)[behind], kind="stable")][:_WORST]
        quoted = [
            _quotes(measured.final, known, rows, places, values, best, language, show_text=show_text)
            for places in (spread, worst)
        ]
        grids = _by_length(measured, rows, words)
        lengths = (Section(words["lengths"], tuple(grids)),) if grids else ()
        lead = words["errors_lead"] if len(worst) else words["no_errors"]
        return (
            results,
            Section(words["places"], (picture,)),
            *lengths,
            Section(words["shown"], (Paragraph(words["shown_lead"]), *quoted[0])),
            Section(words["errors"], (Paragraph(lead), *quoted[1])),
        )

    def verdict(self, measured: Measurement, task: Task, train: Table, language: str) -> str:
        """How near extracts come to summaries, beside the first sentences and what is within reach."""
        return verdict_on_summaries(
            measured.scores[measured.final_split],
            measured.baselines,
            measured.difference,
            language=language,
            split=measured.final_split,
        )

    def described(self, task: Task) -> Described:
        """A model that takes sentences."""
        known = _known(task)
        return Described(
            title="sum texts up in sentences of their own",
            summary="A model that takes those sentences of a text that sum it up",
            pipeline_tag="summarization",
            labels=(),
            usage=_usage(known),
        )


def _known(task: Task) -> ExtractiveSummaryTask:
    assert isinstance(task, ExtractiveSummaryTask)
    return task


def _rows(task: ExtractiveSummaryTask, held: Held) -> list[_Row]:
    """The labelled rows of a split, in the order of its outcome."""
    table = held.table.select(held.labelled, step="summed up")
    found = []
    for one, place in zip(summarised_of(table, task.columns), held.labelled, strict=True):
        parts = parts_of(one.document, task.unit)
        index = {start: number for number, (start, _) in enumerate(parts)}
        given = [index[told["start"]] for told in held.predictions[place].more["sentences"]]
        best = oracle([one.document[start:end] for start, end in parts], one.summaries or ()).chosen
        found.append(_Row(one, parts, given, best))
    return found


def _extracts(
    task: ExtractiveSummaryTask,
    asked: Sequence[Summarised],
    way: Callable[[Sequence[str]], list[int]],
    length: Length,
    outcome: Outcome,
) -> Outcome:
    told = []
    for one in asked:
        units = one.units(task.unit)
        told.append(joined_sentences(units, chosen(Ranked(units, way(units)), length)))
    return replace(outcome, outputs=np.array(told, object))


def _best(task: ExtractiveSummaryTask, outcome: Outcome, rows: Sequence[_Row]) -> Outcome:
    told = [joined_sentences(row.one.units(task.unit), row.best) for row in rows]
    return replace(outcome, outputs=np.array(told, object))


def _by_method(measured: Measurement, words: Mapping[str, str], language: str) -> Grid:
    scores = {words["model"]: measured.scores[measured.final_split], **named_baselines(measured, language)}
    rows: list[tuple[str | int | float | Score, ...]] = [
        (name, *(values.get(metric, "–") for metric in _METRICS)) for name, values in scores.items()
    ]
    return Grid((words["method"], "ROUGE-1", "ROUGE-2", "ROUGE-Lsum"), tuple(rows))


def _by_length(measured: Measurement, rows: Sequence[_Row], words: Mapping[str, str]) -> list[Grid]:
    """Scores of documents of few and of many sentences, in quarters of the rows."""
    sizes = np.array([len(row.parts) for row in rows], np.int64)
    borders = np.unique(np.quantile(sizes, np.linspace(0, 1, _BINS + 1)).round().astype(np.int64))
    places = np.clip(np.searchsorted(borders, sizes, side="right") - 1, 0, max(len(borders) - 2, 0))
    lines: list[tuple[str | int | float | Score, ...]] = []
    for place in range(max(len(borders) - 1, 1)):
        inside: NDArray[np.bool_] = places == place
        if inside.sum() >= _FEWEST_PER_BIN:
            scores = measure(measured.final.outcome.take(inside), _METRICS[:2]).scores
            span = f"{sizes[inside].min():,}–{sizes[inside].max():,}"
            lines.append((span, *(scores.get(metric, "–") for metric in _METRICS[:2]), int(inside.sum())))
    if len(lines) < 2:
        return []
    return [Grid((words["document"], "ROUGE-1", "ROUGE-2", words["rows"]), tuple(lines))]


def _quotes(
    held: Held,
    task: ExtractiveSummaryTask,
    rows: Sequence[_Row],
    places: IntArray,
    values: NDArray[np.float64],
    best: NDArray[np.float64],
    language: str,
    *,
    show_text: bool,
) -> list[Quote]:
    """Documents with the sentences taken, and those nearest to the summary, pointed out."""
    words = _WORDS[language]
    notes = [
        {
            words["summary"]: " | ".join(rows[place].one.summaries or ()) if show_text else "–",
            words["score"]: f"{values[place]:.2f} · {best[place]:.2f}",
        }
        for place in places
    ]
    quotes = quotes_of(held, places.tolist(), notes, task, language, show_text=show_text)
    if not show_text:
        return quotes
    found = []
    for quote, place in zip(quotes, places, strict=True):
        row = rows[place]
        truth, given = ([row.parts[index] for index in own] for own in (row.best, row.given))
        found.append(replace(quote, text=marked_parts(row.one.document, truth, given)))
    return found


def _usage(task: ExtractiveSummaryTask) -> str:
    """Lines that ask ``model`` about ``batch``; longer documents are cut, not read in windows."""
    sentence = r"""(?:[^。！？!?.\n]|\.(?!\s|$))+[。！？!?.]*[”’」』）)\"']*"""
    pattern = sentence if task.unit == "sentence" else r"[^\n]+"
    count = task.length.sentences or 3
    return f'''\
import re

with torch.no_grad():
    logits = model(**batch).logits.squeeze(-1)
summaries = []
for row, text in enumerate(texts):
    # supertune also knows abbreviations, and passes over what is said already.
    sentences = [found.span() for found in re.finditer(r"""{pattern}""", text) if found.group().strip()]
    places = [batch.token_to_chars(row, token) for token in range(logits.shape[1])]
    scores = []
    for begin, end in sentences:
        own = [token for token, place in enumerate(places) if place and begin <= place.start < end]
        scores.append(float(logits[row, own].mean()) if own else -1e9)
    best = sorted(range(len(sentences)), key=lambda sentence: -scores[sentence])[:{count}]
    summaries.append("\\n".join(text[slice(*sentences[index])].strip() for index in sorted(best)))
'''
