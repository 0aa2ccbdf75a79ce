"""The page of a preparation: every step with what it changed, before and after."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from supertune.contracts import Grid, Paragraph, Quote, Section
from supertune.data import Cleaned, StepDone, Table
from supertune.runs import Language, Report, render_report


@dataclass(frozen=True)
class _Words:
    eyebrow: str
    verdict: str
    steps: str
    header: tuple[str, ...]
    samples: str
    sampled: str
    gone: str
    rows: str
    after: str
    step: str
    row: str
    source: str


_WORDS: Mapping[Language, _Words] = {
    "en": _Words(
        eyebrow="Preparation",
        verdict="Of {before} rows {after} stayed; {changed} changes were made, and {gone} rows were left out. "
        "Every row that went stands in removed.jsonl as it was, with the reason.",
        steps="What was done: {split}",
        header=("step", "rows", "changed", "left out", "why"),
        samples="Before and after: {split}",
        sampled="A few of the texts that each step changed, taken as if by chance.",
        gone="{reason}: {count}",
        rows="{count} rows",
        after="after",
        step="step",
        row="row",
        source="source",
    ),
    "zh": _Words(
        eyebrow="数据准备",
        verdict="{before} 行中保留了 {after} 行；"
        "共改动 {changed} 处，移除 {gone} 行。每一个被移除的行都原样保存在 removed.jsonl 中，并附有原因。",
        steps="做了什么：{split}",
        header=("步骤", "行数", "改动", "移除", "原因"),
        samples="前后对比：{split}",
        sampled="每个步骤所改动的文本中随机选出的几条。",
        gone="{reason}：{count}",
        rows="{count} 行",
        after="之后",
        step="步骤",
        row="行",
        source="来源",
    ),
}


def preparation_page(name: str, sources: Mapping[str, Table], cleaned: Cleaned, language: Language) -> str:
    """One HTML file: what was done to the rows of every split, and a few texts before and after each step."""
    words = _WORDS[language]
    steps = [step for split in cleaned.steps.values() for step in split]
    verdict = words.verdict.format(
        before=f"{sum(map(len, sources.values())):,}",
        after=f"{sum(map(len, cleaned.tables.values())):,}",
        changed=f"{sum(step.tally.changed for step in steps):,}",
        gone=f"{sum(len(step.tally.removed) for step in steps):,}",
    )
    sections = [section for split in cleaned.steps for section in _sections(split, cleaned.steps[split], words)]
    facts = {f"{words.source} ({split})": table.source for split, table in sources.items()}
    report = Report(name, verdict, {}, sections=tuple(sections), facts=facts, language=language, eyebrow=words.eyebrow)
    return render_report(report)


def _sections(split: str, steps: tuple[StepDone, ...], words: _Words) -> Iterator[Section]:
    grid = Grid(words.header, tuple(_row(step, words) for step in steps))
    yield Section(words.steps.format(split=split), (grid,))
    quotes = [
        Quote(change.before, {words.after: change.after, words.step: step.name, words.row: str(change.row)})
        for step in steps
        for change in step.tally.samples
    ]
    if quotes:
        yield Section(words.samples.format(split=split), (Paragraph(words.sampled), *quotes))


def _row(step: StepDone, words: _Words) -> tuple[str | int, ...]:
    removed = step.as_dict()["removed"]
    reasons = ", ".join(words.gone.format(reason=reason, count=f"{count:,}") for reason, count in removed.items())
    return step.name, step.tally.rows_in, step.tally.changed, len(step.tally.removed), reasons
