"""Scores and answers as pictures, and the rows where the model was surest and wrong."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from supertune.contracts import HeatMap, Histogram, IntervalChart, LineChart, Outcome, Score, Series
from supertune.evaluate.calibration import reliability
from supertune.evaluate.counts import confusion
from supertune.evaluate.metric import predicted
from supertune.evaluate.validity import check_classifier

MOST_CLASSES = 20
_CONFIDENCE_BINS = 20

WORDS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "confusion": "Which labels are confused",
        "true": "true label",
        "answer": "answer",
        "confusion caption": "Rows are the true labels, columns the answers; right answers are on the diagonal.",
        "most confused": " Shown are the {kept} most confused of {all} classes: {shown:,} of {rows:,} rows.",
        "reliability": "Can the confidence be believed?",
        "confidence": "confidence of the answer",
        "share right": "share of right answers",
        "reliability caption": "On the diagonal, confidence and truth agree. Each point stands for {rows} rows; "
        "the band is its 95 % interval.",
        "to": " to ",
        "histogram": "How sure the model was",
        "right": "right",
        "wrong": "wrong",
        "histogram caption": "{right:,} right and {wrong:,} wrong answers.",
        "classes": "F1 of each class",
        "intervals": "Lines are 95 % intervals.",
        "baselines": "The model beside its baselines",
        "model": "this model",
        "baselines caption": "Lines are 95 % intervals. All were measured on the same rows, so their difference "
        "is known better than overlapping lines suggest.",
    },
    "zh": {
        "confusion": "哪些标签容易混淆",
        "true": "真实标签",
        "answer": "模型回答",
        "confusion caption": "行是真实标签，列是模型的回答；对角线上是答对的。",
        "most confused": "这里列出 {all} 个类别中最易混淆的 {kept} 个，共 {rows} 条中的 {shown} 条。",
        "reliability": "置信度可信吗？",
        "confidence": "回答的置信度",
        "share right": "答对的比例",
        "reliability caption": "在对角线上，置信度与实际相符。每个点代表 {rows} 条数据；阴影是 95% 区间。",
        "to": " 至 ",
        "histogram": "模型有多大把握",
        "right": "答对",
        "wrong": "答错",
        "histogram caption": "答对 {right} 条，答错 {wrong} 条。",
        "classes": "各类别的 F1",
        "intervals": "横线是 95% 区间。",
        "baselines": "模型与基线",
        "model": "本模型",
        "baselines caption": "横线是 95% 区间。它们在同样的数据上测得，因此差距比横线重叠所显示的更确定。",
    },
}
"""Titles, axes and captions, by language."""


def confusion_map(outcome: Outcome, *, language: str = "en") -> HeatMap:
    """Confusion matrix in counts; of more than 20 classes, the 20 that are most often mistaken, and says so."""
    check_classifier(outcome)
    matrix = confusion(outcome)
    kept = np.arange(len(matrix))
    words = WORDS[language]
    caption = words["confusion caption"]
    if len(matrix) > MOST_CLASSES:
        mistakes = matrix.sum(axis=0) + matrix.sum(axis=1) - 2 * np.diagonal(matrix)
        kept = np.sort(np.argsort(-mistakes, kind="stable")[:MOST_CLASSES])
        shown, rows = int(matrix[np.ix_(kept, kept)].sum()), int(matrix.sum())
        caption += words["most confused"].format(kept=MOST_CLASSES, all=len(matrix), shown=shown, rows=rows)
    names = tuple(outcome.labels[index] for index in kept)
    values = matrix[np.ix_(kept, kept)].astype(float).tolist()
    return HeatMap(words["confusion"], words["true"], words["answer"], names, names, values, caption)


def reliability_chart(outcome: Outcome, bins: int = 10, *, language: str = "en") -> LineChart:
    """Share of right answers against confidence, with the 95 % interval of each bin as a band."""
    words = WORDS[language]
    points = reliability(outcome, bins)
    series = Series(
        words["share right"],
        x=[point.confidence for point in points],
        y=[point.accuracy.value for point in points],
        low=[point.accuracy.low for point in points],
        high=[point.accuracy.high for point in points],
    )
    sizes = sorted({point.count for point in points})
    each = words["to"].join(f"{size:,}" for size in dict.fromkeys((sizes[0], sizes[-1])))
    return LineChart(
        words["reliability"],
        words["confidence"],
        words["share right"],
        (series,),
        x_range=(0.0, 1.0),
        y_range=(0.0, 1.0),
        diagonal=True,
        caption=words["reliability caption"].format(rows=each),
    )


def confidence_histogram(outcome: Outcome, *, language: str = "en") -> Histogram:
    """How sure the model was, right and wrong answers apart."""
    check_classifier(outcome)
    answers = predicted(outcome)
    confidence = np.clip(outcome.outputs[np.arange(len(outcome)), answers], 0.0, 1.0)
    right = answers == outcome.targets
    edges = np.linspace(0.0, 1.0, _CONFIDENCE_BINS + 1)
    words = WORDS[language]
    groups = {
        words["right"]: np.histogram(confidence[right], edges)[0].tolist(),
        words["wrong"]: np.histogram(confidence[~right], edges)[0].tolist(),
    }
    caption = words["histogram caption"].format(right=int(right.sum()), wrong=int((~right).sum()))
    return Histogram(words["histogram"], words["confidence"], edges.tolist(), groups, caption=caption)


def class_f1_chart(scores: Mapping[str, Score], *, language: str = "en") -> IntervalChart:
    """F1 of each class with its interval, the weakest first."""
    items = {key.removeprefix("f1/"): score for key, score in scores.items() if key.startswith("f1/")}
    ordered = dict(sorted(items.items(), key=lambda item: item[1].value))
    return IntervalChart(WORDS[language]["classes"], "F1", ordered, caption=WORDS[language]["intervals"])


def baseline_chart(
    scores: Mapping[str, Score],
    baselines: Mapping[str, Mapping[str, Score]],
    metric: str = "f1_macro",
    *,
    language: str = "en",
) -> IntervalChart:
    """The model beside its baselines in one metric, on the same rows."""
    words = WORDS[language]
    items = {words["model"]: scores[metric]} if metric in scores else {}
    items |= {name: measured[metric] for name, measured in baselines.items() if metric in measured}
    # R² falls below 0, and errors have a scale of their own.
    share = all(score.low >= 0 and score.high <= 1 for score in items.values())
    reach = (0.0, 1.0) if share else None
    return IntervalChart(words["baselines"], metric, items, x_range=reach, caption=words["baselines caption"])


def worst_errors(outcome: Outcome, count: int = 10) -> list[tuple[int, str, str, float]]:
    """Wrong answers given with the most confidence.

    Returns:
        (row index within the outcome, true label, answer, confidence of the answer), the surest first.
    """
    check_classifier(outcome)
    answers = predicted(outcome)
    confidence = outcome.outputs[np.arange(len(outcome)), answers]
    wrong = np.flatnonzero(answers != outcome.targets)
    ordered = wrong[np.argsort(-confidence[wrong], kind="stable")][:count]
    return [
        (
            int(row),
            outcome.labels[outcome.targets[row]],
            outcome.labels[answers[row]],
            float(confidence[row]),
        )
        for row in ordered
    ]
