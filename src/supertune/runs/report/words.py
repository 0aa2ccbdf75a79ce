"""Every fixed word of the report, in each of its languages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Language = Literal["en", "zh"]


@dataclass(frozen=True)
class Words:
    """The fixed words in one language; names in braces are filled in."""

    code: str
    eyebrow: str
    status: Mapping[str, str]
    headline: str
    beside: str
    interval: str
    measured: str
    more_characters: str
    more_rows: str
    gate: str
    gate_clean: str
    gate_found: str
    severity: Mapping[str, str]
    splits: Mapping[str, str]
    rows_named: str
    used: str
    nothing: str
    line_summary: str
    histogram_summary: str
    heat_map_summary: str
    interval_summary: str
    cell: str
    bin: str
    no_text: str
    table: str
    metrics: Mapping[str, str]
    footer: str


_ENGLISH = Words(
    code="en",
    eyebrow="Training report",
    status={
        "running": "This run has not ended yet. What stands here is preliminary.",
        "interrupted": "This run was interrupted. What stands here covers only what was done before.",
        "failed": "This run failed. What stands here covers only what was done before.",
    },
    headline="How good it is",
    beside="beside",
    interval="95 % interval · {count} rows",
    measured="How exactly this was measured",
    more_characters="{count} more characters",
    more_rows="and {count} more",
    gate="The data gate",
    gate_clean="No problems found in {rows} rows.",
    gate_found="Found in {rows} rows, before training:",
    severity={"error": "Error", "warning": "Warning", "info": "Note"},
    splits={"all": "all rows", "train": "training rows", "validation": "validation rows", "test": "test rows"},
    rows_named="Rows (counted from 0)",
    used="What was used",
    nothing="Nothing to draw",
    line_summary="{name}: {count} points, from {first} to {last}, lowest {low}, highest {high}.",
    histogram_summary="{name}: {count} in all, most ({most}) from {start} to {end}.",
    heat_map_summary="{rows} rows by {columns} columns, {total} in all, {diagonal} on the diagonal.",
    interval_summary="{name}: {score}.",
    cell="{row_label}: {row} · {column_label}: {column} · {value}",
    bin="{start} to {end}",
    no_text="(text left out)",
    table="Table",
    metrics={
        "accuracy": "Accuracy",
        "f1_macro": "F1, macro average",
        "f1_micro": "F1, micro average",
        "f1_weighted": "F1, weighted average",
        "precision_macro": "Precision, macro average",
        "precision_micro": "Precision, micro average",
        "precision_weighted": "Precision, weighted average",
        "recall_macro": "Recall, macro average",
        "recall_micro": "Recall, micro average",
        "recall_weighted": "Recall, weighted average",
        "mcc": "Matthews correlation",
        "auroc": "AUROC",
        "log_loss": "Log loss",
        "ece": "Calibration error",
    },
    footer="Written by supertune. This file holds everything it shows and loads nothing.",
)

_CHINESE = Words(
    code="zh-Hans",
    eyebrow="训练报告",
    status={
        "running": "本次运行尚未结束，以下内容仅供参考。",
        "interrupted": "本次运行被中断，以下内容只涵盖中断前完成的部分。",
        "failed": "本次运行失败，以下内容只涵盖失败前完成的部分。",
    },
    headline="效果如何",
    beside="对照",
    interval="95 % 置信区间 · {count} 行",
    measured="具体如何度量",
    more_characters="其余 {count} 个字符已省略",
    more_rows="另有 {count} 行",
    gate="数据检查",
    gate_clean="在 {rows} 行中未发现问题。",
    gate_found="训练前在 {rows} 行中发现：",
    severity={"error": "错误", "warning": "警告", "info": "提示"},
    splits={"all": "全部数据", "train": "训练集", "validation": "验证集", "test": "测试集"},
    rows_named="行号（从 0 起）",
    used="使用了什么",
    nothing="没有可绘制的内容",
    line_summary="{name}：{count} 个点，从 {first} 到 {last}，最低 {low}，最高 {high}。",
    histogram_summary="{name}：共 {count}，最多的区间（{most}）为 {start} 到 {end}。",
    heat_map_summary="{rows} 行 {columns} 列，共 {total}，其中对角线上 {diagonal}。",
    interval_summary="{name}：{score}。",
    cell="{row_label}：{row} · {column_label}：{column} · {value}",
    bin="{start} 到 {end}",
    no_text="（文本未收录）",
    table="表格",
    metrics={
        "accuracy": "准确率",
        "f1_macro": "F1（宏平均）",
        "f1_micro": "F1（微平均）",
        "f1_weighted": "F1（加权平均）",
        "precision_macro": "精确率（宏平均）",
        "precision_micro": "精确率（微平均）",
        "precision_weighted": "精确率（加权平均）",
        "recall_macro": "召回率（宏平均）",
        "recall_micro": "召回率（微平均）",
        "recall_weighted": "召回率（加权平均）",
        "mcc": "马修斯相关系数",
        "auroc": "AUROC",
        "log_loss": "对数损失",
        "ece": "校准误差",
    },
    footer="由 supertune 生成。所有内容都在本文件中，不加载任何外部资源。",
)

WORDS: Mapping[Language, Words] = {"en": _ENGLISH, "zh": _CHINESE}
