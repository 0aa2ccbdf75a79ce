"""The parts of a report: pictures and tables from what was measured, and how training went."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from supertune.contracts import Features, Grid, Histogram, Paragraph, Quote, Score, Section
from supertune.evaluate import (
    baseline_chart,
    class_f1_chart,
    confidence_histogram,
    confusion_map,
    reliability_chart,
    worst_errors,
)
from supertune.recipes.measure import WITHOUT_LEAKED, Measurement
from supertune.recipes.start import Start
from supertune.recipes.train_one import Trained
from supertune.runs import Course, Language, current_events, learning_section
from supertune.tasks import ClassificationTask

WORST_ERRORS = 10
_BINS = 30

REPORT_WORDS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "model": "pre-trained model",
        "strategy": "strategy, epochs × batch, rate, precision",
        "seeds": "seeds",
        "data": "data",
        "language": "language of the texts",
        "machine": "machine",
        "versions": "versions",
        "time": "time",
        "reload": "saved and read back",
        "reloaded": "{rows} rows, largest difference {difference:.1e}",
        "threads": "{count} threads",
        "cores": "{count} cores",
        "majority": "most frequent label",
        "tfidf": "TF-IDF and a linear model",
        "results": "Right and wrong",
        "classes": "Class by class",
        "confidence": "Confidence",
        "errors": "The worst errors",
        "errors_lead": "Wrong answers that the model was surest of. Some may be wrong labels in the data.",
        "no_text": "The texts were left out on request.",
        "no_errors": "There is none: every answer on these rows is right.",
        "lengths": "Length of the texts",
        "tokens": "tokens",
        "cut": "cut here",
        "texts": "training texts",
        "label": "label",
        "precision": "precision",
        "recall": "recall",
        "rows": "rows",
        "true": "label",
        "answer": "answer",
        "sure": "confidence",
        "row": "row",
        "kept": "The weights are those of epoch {epoch}, the best of {epochs} by {metric} on the validation rows.",
        "leaked": "Without the {count} rows that also stand in another split, {metric} is {value:.3f} "
        "[{low:.3f}, {high:.3f}] on {n} rows.",
    },
    "zh": {
        "model": "预训练模型",
        "strategy": "策略，轮数 × 批大小，学习率，精度",
        "seeds": "随机种子",
        "data": "数据",
        "language": "文本语言",
        "machine": "机器",
        "versions": "版本",
        "time": "用时",
        "reload": "保存并重新读取",
        "reloaded": "{rows} 行，最大差异 {difference:.1e}",
        "threads": "{count} 线程",
        "cores": "{count} 核",
        "majority": "最常见的标签",
        "tfidf": "TF-IDF + 线性模型",
        "results": "对与错",
        "classes": "各个类别",
        "confidence": "置信度",
        "errors": "最严重的错误",
        "errors_lead": "模型最有把握却答错的文本。其中有些可能是数据里的标签本身有误。",
        "no_text": "按要求未写入文本。",
        "no_errors": "没有：这些行上的回答全部正确。",
        "lengths": "文本长度",
        "tokens": "词元数",
        "cut": "在此截断",
        "texts": "训练文本",
        "label": "标签",
        "precision": "精确率",
        "recall": "召回率",
        "rows": "行数",
        "true": "标签",
        "answer": "回答",
        "sure": "置信度",
        "row": "行",
        "kept": "权重取自第 {epoch} 轮：共 {epochs} 轮，按验证集上的 {metric} 选出。",
        "leaked": "去掉同时出现在其他划分中的 {count} 行后，{metric} 为 {value:.3f} "
        "[{low:.3f}, {high:.3f}]（{n} 行）。",
    },
}


def result_sections(
    measured: Measurement, task: ClassificationTask, *, show_text: bool, language: str
) -> tuple[Section, ...]:
    """What is right and wrong, class by class, how far to trust the confidence, and the worst errors."""
    words = REPORT_WORDS[language]
    split = measured.final_split
    held, scores = measured.held[split], measured.scores[split]
    beside = (
        [baseline_chart(scores, named_baselines(measured, language), task.primary_metric, language=language)]
        if measured.baselines
        else []
    )
    return (
        Section(
            words["results"],
            (*beside, *_leaked(measured, split, task, words), confusion_map(held.outcome, language=language)),
        ),
        Section(
            words["classes"],
            (class_f1_chart(scores, language=language), _class_grid(scores, held.outcome.labels, words)),
        ),
        Section(
            words["confidence"],
            (reliability_chart(held.outcome, language=language), confidence_histogram(held.outcome, language=language)),
        ),
        Section(words["errors"], _errors(measured, split, task, words, show_text=show_text)),
    )


def named_baselines(measured: Measurement, language: str) -> dict[str, Mapping[str, Score]]:
    """The baselines under the names that people know them by."""
    words = REPORT_WORDS[language]
    return {words.get(name, name): scores for name, scores in measured.baselines.items()}


def _leaked(
    measured: Measurement, split: str, task: ClassificationTask, words: Mapping[str, str]
) -> tuple[Paragraph, ...]:
    clean = measured.scores.get(f"{split}_{WITHOUT_LEAKED}")
    if clean is None:
        return ()
    score = clean[task.primary_metric]
    count = len(measured.held[split].outcome) - score.n
    text = words["leaked"].format(
        count=count, metric=task.primary_metric, value=score.value, low=score.low, high=score.high, n=score.n
    )
    return (Paragraph(text),)


def _class_grid(scores: Mapping[str, Score], labels: Sequence[str], words: Mapping[str, str]) -> Grid:
    rows: list[tuple[str | int | float | Score, ...]] = []
    for label in labels:
        cells = [scores.get(f"{kind}/{label}", "–") for kind in ("precision", "recall", "f1")]
        recall = scores.get(f"recall/{label}")
        rows.append((label, *cells, recall.n if recall else 0))
    return Grid((words["label"], words["precision"], words["recall"], "F1", words["rows"]), tuple(rows))


def _errors(
    measured: Measurement, split: str, task: ClassificationTask, words: Mapping[str, str], *, show_text: bool
) -> tuple[Paragraph | Quote, ...]:
    held = measured.held[split]
    worst = worst_errors(held.outcome, WORST_ERRORS)
    if not worst:
        return (Paragraph(words["no_errors"]),)
    positions = held.labelled[[index for index, *_ in worst]]
    table = held.table.select(positions, step="worst-errors")
    texts = list(table.texts(task.columns.text)) if show_text else [words["no_text"]] * len(worst)
    quotes = [
        Quote(
            text, {words["true"]: true, words["answer"]: answer, words["sure"]: f"{sure:.0%}", words["row"]: str(row)}
        )
        for text, row, (_, true, answer, sure) in zip(texts, table.row_ids, worst, strict=True)
    ]
    return (Paragraph(words["errors_lead"]), *quotes)


def training_section(
    events: Sequence[Mapping[str, Any]],
    features: Mapping[str, Features],
    start: Start,
    trained: Trained,
    language: Language,
    *,
    seed: int | None = None,
) -> Section:
    """Learning curves, and how long the texts are beside where they are cut.

    Of several seeds, the curves are those of ``seed``; None for the one that was trained last.
    """
    words = REPORT_WORDS[language]
    course = Course(current_events(events))
    curves = course.curves if seed is None else course.of(seed)
    kept = words["kept"].format(epoch=trained.best_epoch, epochs=len(curves.validations), metric=trained.metric)
    return learning_section(
        curves,
        trained.metric,
        language,
        before=(Paragraph(kept),) if curves.validations else (),
        after=(_length_histogram(features["train"], start.max_length, words),),
    )


def _length_histogram(features: Features, max_length: int, words: Mapping[str, str]) -> Histogram:
    lengths = features.full_lengths
    # A few pasted mail threads must not squeeze everything else into the first bin.
    longest = max(int(np.quantile(lengths, 0.995)), 8)
    edges = np.linspace(0, longest, _BINS + 1)
    counts = np.histogram(np.minimum(lengths, longest), edges)[0]
    cut = int((lengths > max_length).sum())
    mark = (float(max_length), f"{words['cut']} ({cut:,})") if max_length <= longest else None
    return Histogram(words["lengths"], words["tokens"], edges.tolist(), {words["texts"]: counts.tolist()}, mark)
