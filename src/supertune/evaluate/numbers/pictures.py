"""Answers that are numbers, as pictures: against the truth, how far off, and whether they can be believed."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from supertune.contracts import Histogram, LineChart, Outcome, Series
from supertune.evaluate.validity import check_numbers

_MOST_POINTS = 1_000
_BINS = 30
_GROUPS = 10
_FEWEST_PER_GROUP = 10

_WORDS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "truth": "truth",
        "answer": "answer",
        "rows": "rows",
        "scatter": "Answers and truth",
        "scatter caption": "Each point is a row; on the diagonal the answer is right.",
        "some": " {shown:,} of {rows:,} rows are shown.",
        "calibration": "Can the numbers be believed?",
        "mean truth": "mean of the truth",
        "calibration caption": "Rows in {groups} groups by their answers, about {each:,} each; on the diagonal "
        "the mean of the truth is what was answered. The band is the 95 % interval of the mean.",
        "errors": "How far off",
        "error": "answer minus truth",
        "errors caption": "Half of the answers are off by less than {half}, nine in ten by less than {most}.",
    },
    "zh": {
        "truth": "真实值",
        "answer": "回答",
        "rows": "行数",
        "scatter": "回答与真实值",
        "scatter caption": "每个点是一行；在对角线上即答对。",
        "some": "共 {rows} 行，此处显示 {shown} 行。",
        "calibration": "这些数值可信吗？",
        "mean truth": "真实值的平均",
        "calibration caption": "按回答分为 {groups} 组，每组约 {each} 行；在对角线上，真实值的平均与回答相符。"
        "阴影是该平均的 95% 区间。",
        "errors": "偏差有多大",
        "error": "回答减真实值",
        "errors caption": "一半的回答偏差小于 {half}，九成小于 {most}。",
    },
}


def truth_and_answers(outcome: Outcome, column: int = 0, *, language: str = "en") -> LineChart:
    """Every row as a point, truth across and answer upwards; of more than 1,000 rows some, evenly spread."""
    check_numbers(outcome)
    words = _WORDS[language]
    truth, answers = outcome.targets[:, column], outcome.outputs[:, column]
    shown = np.unique(np.linspace(0, len(truth) - 1, min(_MOST_POINTS, len(truth))).astype(int))
    caption = words["scatter caption"]
    if len(shown) < len(truth):
        caption += words["some"].format(shown=len(shown), rows=len(truth))
    points = Series(words["answer"], truth[shown].tolist(), answers[shown].tolist(), points=True)
    title = _titled(words["scatter"], outcome, column)
    return LineChart(title, words["truth"], words["answer"], (points,), diagonal=True, caption=caption)


def calibration_of_numbers(outcome: Outcome, column: int = 0, *, language: str = "en") -> LineChart:
    """Mean truth of rows with like answers, with the 95 % interval of each mean as a band."""
    check_numbers(outcome)
    words = _WORDS[language]
    order = np.argsort(outcome.outputs[:, column], kind="stable")
    groups = np.array_split(order, max(1, min(_GROUPS, len(order) // _FEWEST_PER_GROUP)))
    truths = [outcome.targets[group, column] for group in groups]
    means = np.array([truth.mean() for truth in truths])
    # The group's own spread; of a single row there is none to be known.
    halves = np.array([1.96 * truth.std(ddof=1) / len(truth) ** 0.5 if len(truth) > 1 else 0.0 for truth in truths])
    series = Series(
        words["mean truth"],
        [float(outcome.outputs[group, column].mean()) for group in groups],
        means.tolist(),
        low=(means - halves).tolist(),
        high=(means + halves).tolist(),
    )
    caption = words["calibration caption"].format(groups=len(groups), each=len(order) // len(groups))
    title = _titled(words["calibration"], outcome, column)
    return LineChart(title, words["answer"], words["mean truth"], (series,), diagonal=True, caption=caption)


def error_histogram(outcome: Outcome, column: int = 0, *, language: str = "en") -> Histogram:
    """Answer minus truth; the few largest errors stand in the outermost bins."""
    check_numbers(outcome)
    words = _WORDS[language]
    errors = outcome.outputs[:, column] - outcome.targets[:, column]
    reach = float(np.quantile(np.abs(errors), 0.995)) or 1.0
    edges = np.linspace(-reach, reach, _BINS + 1)
    counts = np.histogram(np.clip(errors, -reach, reach), edges)[0].tolist()
    half, most = (f"{value:.3g}" for value in np.quantile(np.abs(errors), (0.5, 0.9)))
    caption = words["errors caption"].format(half=half, most=most)
    title = _titled(words["errors"], outcome, column)
    return Histogram(title, words["error"], edges.tolist(), {words["rows"]: counts}, mark=(0.0, "0"), caption=caption)


def largest_errors(outcome: Outcome, count: int = 10) -> list[int]:
    """Rows whose answers are farthest from the truth, in units of each column's spread; the farthest first."""
    check_numbers(outcome)
    spread = outcome.targets.std(axis=0)
    errors = np.abs(outcome.outputs - outcome.targets) / np.where(spread > 0, spread, 1.0)
    farthest = errors.max(axis=1)
    return [int(row) for row in np.argsort(-farthest, kind="stable")[:count] if farthest[row] > 0]


def _titled(title: str, outcome: Outcome, column: int) -> str:
    return title if len(outcome.labels) == 1 else f"{title}: {outcome.labels[column]}"
