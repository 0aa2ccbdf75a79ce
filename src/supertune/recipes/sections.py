"""The parts of a report that no task changes: how training went, how long the texts are, what was used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from supertune.contracts import Features, Histogram, IntArray, Paragraph, Section
from supertune.recipes.start import Start
from supertune.recipes.train_one import Trained
from supertune.runs import Course, Language, current_events, learning_section, metric_name

_BINS = 30

REPORT_WORDS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "model": "pre-trained model",
        "teacher": "teacher",
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
        "lengths": "Length of the texts",
        "tokens": "tokens",
        "cut": "cut here",
        "texts": "training texts",
        "kept": "The weights are those of epoch {epoch}, the best of {epochs} by {metric} on the validation rows.",
    },
    "zh": {
        "model": "预训练模型",
        "teacher": "教师模型",
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
        "lengths": "文本长度",
        "tokens": "词元数",
        "cut": "在此截断",
        "texts": "训练文本",
        "kept": "权重取自第 {epoch} 轮：共 {epochs} 轮，按验证集上的 {metric} 选出。",
    },
}


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
    metric = metric_name(trained.metric, language)
    kept = words["kept"].format(epoch=trained.best_epoch, epochs=len(curves.validations), metric=metric)
    return learning_section(
        curves,
        trained.metric,
        language,
        before=(Paragraph(kept),) if curves.validations else (),
        after=(length_histogram({words["texts"]: features["train"].full_lengths}, start.max_length, language),),
    )


def length_histogram(groups: Mapping[str, IntArray], max_length: int, language: Language) -> Histogram:
    """How long texts are beside where they are cut.

    Args:
        groups: Name → int64 (rows,): tokens of each row before it is cut.
        max_length: Tokens after which a row is cut.
        language: Of the words.
    """
    words = REPORT_WORDS[language]
    lengths = np.concatenate(list(groups.values()))
    # A few pasted mail threads must not squeeze everything else into the first bin.
    longest = max(int(np.quantile(lengths, 0.995)), 8)
    edges = np.linspace(0, longest, _BINS + 1)
    counts = {name: np.histogram(np.minimum(own, longest), edges)[0].tolist() for name, own in groups.items()}
    cut = int((lengths > max_length).sum())
    mark = (float(max_length), f"{words['cut']} ({cut:,})") if max_length <= longest else None
    return Histogram(words["lengths"], words["tokens"], edges.tolist(), counts, mark)
