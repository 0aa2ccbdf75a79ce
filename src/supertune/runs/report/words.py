"""Every fixed word of the report, in each of its languages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, cast

Language = Literal["en", "zh"]


@dataclass(frozen=True)
class TrainingWords:
    """The fixed words about how training goes; names in braces are filled in."""

    title: str
    loss_title: str
    score_title: str
    rate_title: str
    training: str
    single_steps: str
    validation: str
    step: str
    epoch: str
    loss: str
    rate: str
    best_mark: str
    smoothed: str
    banded: str
    between: str
    waiting: str
    under_way: str
    epochs_done: str
    stopped: str
    failed: str
    finishing: str
    left: str
    left_note: str
    speed: str
    speed_value: str
    best_note: str
    renewed: str
    as_of: str
    days: str
    hours: str
    minutes: str
    seconds: str


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
    training: TrainingWords
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
        "r2": "R²",
        "pearson": "Pearson correlation",
        "spearman": "Spearman correlation",
        "rmse": "Root mean squared error",
        "mae": "Mean absolute error",
        "quadratic_kappa": "Quadratic weighted kappa",
        "exact_match": "Exact match",
        "f1": "F1 of words",
        "exact_match_cmrc": "Exact match (CMRC)",
        "f1_cmrc": "F1 of words (CMRC)",
        "rouge1": "ROUGE-1",
        "rouge2": "ROUGE-2",
        "rougeL": "ROUGE-L",
        "rougeLsum": "ROUGE-L of sentences",
        "bleu": "BLEU",
        "chrf": "chrF",
        "ter": "TER",
        "length_ratio": "Length beside the reference",
        "repetition": "Repeated sequences",
        "distinct1": "Different words",
        "distinct2": "Different pairs of words",
        "empty": "Empty texts",
        "run_on": "Texts without an end",
        "loss_per_token": "Loss per token",
        "perplexity": "Perplexity per token",
        "bits_per_character": "Bits per character",
    },
    training=TrainingWords(
        title="Training",
        loss_title="Loss",
        score_title="Validation score after each epoch",
        rate_title="Learning rate",
        training="training",
        single_steps="single steps",
        validation="validation",
        step="step",
        epoch="epoch",
        loss="loss",
        rate="learning rate",
        best_mark="best: epoch {epoch}",
        smoothed="Training loss is the mean over {count} steps; the single steps are pale.",
        banded="Training loss is the mean over {count} steps; nine in ten single steps lie in the pale band.",
        between=" ",
        waiting="Training is about to begin.",
        under_way="Step {step} of {steps}.",
        epochs_done="{count} of {epochs} epochs are done.",
        stopped="Training stopped early: {reason}.",
        failed="What went wrong: {problem}.",
        finishing="The model is being saved and measured.",
        left="Time left",
        left_note="until the last step",
        speed="Speed",
        speed_value="{count} rows/s",
        best_note="on the validation rows, the best so far: epoch {epoch}",
        renewed="This page renews itself every {count} seconds until the final report takes its place.",
        as_of="Written at {time}.",
        days="{days} d {hours} h",
        hours="{hours} h {minutes} min",
        minutes="{minutes} min {seconds} s",
        seconds="{seconds} s",
    ),
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
        "r2": "R²",
        "pearson": "皮尔逊相关系数",
        "spearman": "斯皮尔曼相关系数",
        "rmse": "均方根误差",
        "mae": "平均绝对误差",
        "quadratic_kappa": "二次加权 kappa",
        "exact_match": "完全匹配",
        "f1": "F1（按词）",
        "exact_match_cmrc": "完全匹配（CMRC）",
        "f1_cmrc": "F1（CMRC，按字）",
        "rouge1": "ROUGE-1",
        "rouge2": "ROUGE-2",
        "rougeL": "ROUGE-L",
        "rougeLsum": "ROUGE-L（按句）",
        "bleu": "BLEU",
        "chrf": "chrF",
        "ter": "TER",
        "length_ratio": "与参考文本的长度比",
        "repetition": "重复片段占比",
        "distinct1": "不同词占比",
        "distinct2": "不同词对占比",
        "empty": "空文本占比",
        "run_on": "未正常结束的文本占比",
        "loss_per_token": "每词元损失",
        "perplexity": "困惑度（每词元）",
        "bits_per_character": "每字符比特数",
    },
    training=TrainingWords(
        title="训练过程",
        loss_title="损失",
        score_title="每轮之后的验证得分",
        rate_title="学习率",
        training="训练",
        single_steps="单步",
        validation="验证",
        step="步",
        epoch="轮",
        loss="损失",
        rate="学习率",
        best_mark="最佳：第 {epoch} 轮",
        smoothed="训练损失为 {count} 步的均值，浅色为单步。",
        banded="训练损失为 {count} 步的均值，九成的单步落在浅色带内。",
        between="",
        waiting="训练即将开始。",
        under_way="第 {step} 步，共 {steps} 步。",
        epochs_done="已完成 {count} 轮，共 {epochs} 轮。",
        stopped="训练提前停止：{reason}。",
        failed="出错原因：{problem}。",
        finishing="正在保存并评估模型。",
        left="剩余时间",
        left_note="到最后一步",
        speed="速度",
        speed_value="{count} 行/秒",
        best_note="验证集，目前最佳：第 {epoch} 轮",
        renewed="本页每 {count} 秒自动刷新，直到最终报告取而代之。",
        as_of="写于 {time}。",
        days="{days} 天 {hours} 小时",
        hours="{hours} 小时 {minutes} 分",
        minutes="{minutes} 分 {seconds} 秒",
        seconds="{seconds} 秒",
    ),
    footer="由 supertune 生成。所有内容都在本文件中，不加载任何外部资源。",
)

WORDS: Mapping[Language, Words] = {"en": _ENGLISH, "zh": _CHINESE}


def metric_name(metric: str, language: str) -> str:
    """What people call a metric; one that has no other name by its key."""
    return WORDS[cast(Language, language)].metrics.get(metric, metric)
