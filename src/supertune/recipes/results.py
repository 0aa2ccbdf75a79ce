"""Parts of a report that every kind of answers has: the baselines beside the model, leaked rows, rows to read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from supertune.contracts import IntervalChart, Paragraph, Quote, Score, Task
from supertune.evaluate import baseline_chart
from supertune.recipes.measured import WITHOUT_LEAKED, Held, Measurement
from supertune.runs import metric_name

_WORDS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "majority": "most frequent label",
        "mean": "mean of the training rows",
        "tfidf": "TF-IDF and a linear model",
        "sentence": "the sentence most like the question",
        "untrained": "the model before training",
        "few_shot": "before training, shown four examples",
        "bm25": "words alone (BM25)",
        "alone": "the model alone",
        "lead": "the first sentences",
        "textrank": "the most central sentences (TextRank)",
        "oracle": "nearest to the summaries (out of reach)",
        "dictionary": "looking up the training entities",
        "no_text": "The texts were left out on request.",
        "row": "row",
        "leaked": "Without the {count} rows that also stand in another split, {metric} is {value:.3f} "
        "[{low:.3f}, {high:.3f}] on {n} rows.",
    },
    "zh": {
        "majority": "最常见的标签",
        "mean": "训练数据的平均值",
        "tfidf": "TF-IDF + 线性模型",
        "sentence": "与问题最相似的句子",
        "untrained": "训练前的模型",
        "few_shot": "训练前的模型（看四个示例）",
        "bm25": "只比较词语（BM25）",
        "alone": "只用模型",
        "lead": "开头的句子",
        "textrank": "最居中的句子（TextRank）",
        "oracle": "最接近摘要的句子（上限）",
        "dictionary": "查找训练数据中的实体",
        "no_text": "按要求未写入文本。",
        "row": "行",
        "leaked": "去掉同时出现在其他划分中的 {count} 行后，{metric} 为 {value:.3f} "
        "[{low:.3f}, {high:.3f}]（{n} 行）。",
    },
}


def named_baselines(measured: Measurement, language: str) -> dict[str, Mapping[str, Score]]:
    """The baselines under the names that people know them by."""
    return {baseline_name(name, language): scores for name, scores in measured.baselines.items()}


def baseline_name(name: str, language: str) -> str:
    """What people call a baseline."""
    return _WORDS[language].get(name, name)


def beside_baselines(measured: Measurement, metric: str, language: str) -> tuple[IntervalChart, ...]:
    """The model beside its baselines in one metric, if there are any."""
    if not measured.baselines:
        return ()
    scores = measured.scores[measured.final_split]
    chart = baseline_chart(scores, named_baselines(measured, language), metric, language=language)
    return (replace(chart, x_label=metric_name(metric, language)),)


def without_leaked(measured: Measurement, metric: str, language: str) -> tuple[Paragraph, ...]:
    """What the score is without the rows that also stand in another split, if there are such."""
    clean = measured.scores.get(f"{measured.final_split}_{WITHOUT_LEAKED}")
    if clean is None or metric not in clean:
        return ()
    score = clean[metric]
    text = _WORDS[language]["leaked"].format(
        count=len(measured.final.outcome) - score.n,
        metric=metric_name(metric, language),
        value=score.value,
        low=score.low,
        high=score.high,
        n=score.n,
    )
    return (Paragraph(text),)


def quotes_of(
    held: Held,
    rows: Sequence[int],
    notes: Sequence[Mapping[str, str]],
    task: Task,
    language: str,
    *,
    show_text: bool,
) -> list[Quote]:
    """Rows with what is to be said of each, and their numbers in the file.

    Args:
        held: The split that they are of.
        rows: Indices into its outcome.
        notes: What is said of each.
        task: Knows the text columns.
        language: Of the report.
        show_text: Whether texts may be shown.
    """
    words = _WORDS[language]
    table = held.table.select(held.labelled[list(rows)], step="quoted")
    texts = list(table.texts(task.columns.text)) if show_text else [words["no_text"]] * len(table)
    numbered = zip(texts, table.row_ids, notes, strict=True)
    return [Quote(text, {**said, words["row"]: str(row)}) for text, row, said in numbered]
