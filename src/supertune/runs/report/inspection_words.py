"""Every fixed word of the page that shows rows as a model sees them, in each of its languages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from supertune.runs.report.words import Language


@dataclass(frozen=True)
class InspectionWords:
    """The fixed words in one language; names in braces are filled in."""

    code: Language
    eyebrow: str
    summary: str
    without_loss: str
    facts: Mapping[str, str]
    announced: str
    remarks: str
    rows: str
    row_title: str
    label: str
    row: str
    row_without_loss: str
    learned: str
    masked: str
    stop: str
    tag: str
    weight: str
    cut: str
    line_break: str
    token: str
    more_cut: str
    legend: str
    hint: str
    nothing: str
    footer: str


INSPECTION_WORDS: Mapping[Language, InspectionWords] = {
    "en": InspectionWords(
        code="en",
        eyebrow="What will be learned",
        summary="{learned} of {tokens} tokens carry loss ({share}). {learned_rows} of {rows} rows are learned.",
        without_loss="{tokens} tokens in {rows} rows. The loss is on labels, not on tokens.",
        facts={"model": "Model", "task": "Task", "max_length": "Tokens per text, at most"},
        announced="What is done with every row",
        remarks="What became of these rows",
        rows="Rows",
        row_title="Row {number}",
        label="label",
        row="{tokens} tokens, {learned} with loss",
        row_without_loss="{tokens} tokens",
        learned="carries loss",
        masked="seen, not learned",
        stop="ends an answer",
        tag="part of an entity",
        weight="how much what follows counts",
        cut="cut off",
        line_break="line break",
        token="{name} · id {id} · weight {weight}",
        more_cut="… {count} more pieces are cut off",
        legend="Legend",
        hint="Point at a piece for its tokens, their ids and weights.",
        nothing="nothing",
        footer="Made by supertune inspect. This page loads nothing and runs no script.",
    ),
    "zh": InspectionWords(
        code="zh",
        eyebrow="将要学习的内容",
        summary="{tokens} 个词元中有 {learned} 个计入损失（{share}）。{rows} 行中有 {learned_rows} 行参与学习。",
        without_loss="{rows} 行共 {tokens} 个词元。损失计算在标签上，而不在词元上。",
        facts={"model": "模型", "task": "任务", "max_length": "每段文本的词元数上限"},
        announced="对每一行的处理",
        remarks="这些行的情况",
        rows="各行",
        row_title="第 {number} 行",
        label="标签",
        row="{tokens} 个词元，{learned} 个计入损失",
        row_without_loss="{tokens} 个词元",
        learned="计入损失",
        masked="可见，不学习",
        stop="结束回答",
        tag="实体的一部分",
        weight="其后内容的权重",
        cut="被截掉",
        line_break="换行",
        token="{name} · 编号 {id} · 权重 {weight}",
        more_cut="…… 另有 {count} 个片段被截掉",
        legend="图例",
        hint="将指针移到片段上，可查看其词元、编号和权重。",
        nothing="无",
        footer="由 supertune inspect 生成。本页不加载任何内容，也不运行脚本。",
    ),
}
