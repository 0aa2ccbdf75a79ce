"""Sets of labels as pictures: which labels come together, which stand in for others, and how many a row has."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from supertune.contracts import HeatMap, Histogram, IntArray, Outcome
from supertune.evaluate.log_loss import CLIP
from supertune.evaluate.validity import check_sets

_MOST_LABELS = 20

_WORDS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "together": "Which labels come together",
        "label": "label",
        "also": "has this label too",
        "together caption": "Rows with both labels; on the diagonal, rows with the label.",
        "most": " Shown are the {kept} most frequent of {all} labels.",
        "mistakes": "Which labels are missed and which are added",
        "missed": "true label that was missed",
        "added": "label that was given instead",
        "nothing": "(none)",
        "mistakes caption": "Each row whose labels are wrong counts for every pair of a label that it lacks and one "
        "that it was given; “(none)” stands for nothing missed, or nothing added.",
        "number": "How many labels a row has",
        "labels": "labels",
        "truth": "truth",
        "answers": "answers",
        "number caption": "{truth:.2f} labels per row in truth, {answers:.2f} in the answers.",
    },
    "zh": {
        "together": "哪些标签会同时出现",
        "label": "标签",
        "also": "同时有此标签",
        "together caption": "两个标签都有的行数；对角线上是有该标签的行数。",
        "most": "这里列出 {all} 个标签中最常见的 {kept} 个。",
        "mistakes": "漏掉了哪些标签，多给了哪些标签",
        "missed": "漏掉的真实标签",
        "added": "多给的标签",
        "nothing": "（无）",
        "mistakes caption": "每个标签有误的行，对它漏掉的与多给的每一对标签各计一次；"
        "“（无）”表示没有漏掉，或没有多给。",
        "number": "每行有几个标签",
        "labels": "标签数",
        "truth": "真实",
        "answers": "回答",
        "number caption": "真实情况平均每行 {truth:.2f} 个标签，回答平均每行 {answers:.2f} 个。",
    },
}


def labels_together(outcome: Outcome, *, language: str = "en") -> HeatMap:
    """In how many rows two labels are both true; of more than 20 labels, the 20 most frequent."""
    check_sets(outcome)
    words, kept = _WORDS[language], _most(outcome.targets.sum(axis=0))
    some = outcome.targets[:, kept].astype(np.int64)
    names = tuple(outcome.labels[index] for index in kept)
    caption = words["together caption"] + _told(words, kept, outcome)
    values = (some.T @ some).astype(float).tolist()
    return HeatMap(words["together"], words["label"], words["also"], names, names, values, caption)


def label_mistakes(outcome: Outcome, *, language: str = "en") -> HeatMap:
    """Which labels are given in the place of which; of more than 20 labels, the 20 that are most often wrong."""
    check_sets(outcome)
    assert outcome.given is not None
    words = _WORDS[language]
    missed, added = outcome.targets & ~outcome.given, outcome.given & ~outcome.targets
    kept = _most((missed | added).sum(axis=0))
    lacks, has = (np.column_stack([which, ~which.any(axis=1)]).astype(np.int64) for which in (missed, added))
    wrong = missed.any(axis=1) | added.any(axis=1)
    counts = (lacks[wrong].T @ has[wrong])[np.ix_([*kept, -1], [*kept, -1])]
    names = (*(outcome.labels[index] for index in kept), words["nothing"])
    caption = words["mistakes caption"] + _told(words, kept, outcome)
    values = counts.astype(float).tolist()
    return HeatMap(words["mistakes"], words["missed"], words["added"], names, names, values, caption)


def labels_per_row(outcome: Outcome, *, language: str = "en") -> Histogram:
    """How many labels rows have in truth, and in the answers."""
    check_sets(outcome)
    assert outcome.given is not None
    words = _WORDS[language]
    truth, answers = outcome.targets.sum(axis=1), outcome.given.sum(axis=1)
    edges = np.arange(max(truth.max(), answers.max()) + 2) - 0.5
    groups = {
        words["truth"]: np.histogram(truth, edges)[0].tolist(),
        words["answers"]: np.histogram(answers, edges)[0].tolist(),
    }
    caption = words["number caption"].format(truth=truth.mean(), answers=answers.mean())
    return Histogram(words["number"], words["labels"], edges.tolist(), groups, caption=caption)


def worst_sets(outcome: Outcome, count: int = 10) -> list[int]:
    """Rows whose answers are wrong, those first whose truth the model held for the least probable."""
    check_sets(outcome)
    right = np.clip(np.where(outcome.targets, outcome.outputs, 1 - outcome.outputs), CLIP, 1.0)
    losses = -np.log(right).sum(axis=1)
    wrong = np.flatnonzero((outcome.targets != outcome.given).any(axis=1))
    return [int(row) for row in wrong[np.argsort(-losses[wrong], kind="stable")][:count]]


def _most(counts: IntArray) -> IntArray:
    """Labels in index order, at most 20: those with the highest counts."""
    return np.sort(np.argsort(-counts, kind="stable")[:_MOST_LABELS])


def _told(words: Mapping[str, str], kept: IntArray, outcome: Outcome) -> str:
    if len(kept) == len(outcome.labels):
        return ""
    return words["most"].format(kept=len(kept), all=len(outcome.labels))
