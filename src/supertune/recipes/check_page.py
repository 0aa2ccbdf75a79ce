"""The gate as a page: what the rows are like, what was found, and some of the rows it was found in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from supertune.contracts import (
    SEVERITIES,
    Columns,
    Finding,
    Grid,
    Histogram,
    IntArray,
    IntervalChart,
    Paragraph,
    Quote,
    Score,
    Section,
)
from supertune.data import CheckInput, Table
from supertune.evaluate import wilson
from supertune.recipes.rows import sample_texts
from supertune.recipes.sections import length_histogram
from supertune.runs import Language, Report, render_report

_QUOTED = 3
"""Rows of a finding that are shown."""
_LABELS = 20
"""Labels that are drawn; all of them are counted."""
_BINS = 30
_UNQUOTED = ("pii",)
"""Findings whose rows are not shown: a page is passed on more easily than the data."""


@dataclass(frozen=True)
class _Words:
    eyebrow: str
    verdict: str
    clean: str
    rows: str
    label: str
    labels: str
    counts: str
    share: str
    fewer: str
    values: str
    lengths: str
    shown: str
    row: str
    check: str
    source: str
    splits: Mapping[str, str]


_WORDS: Mapping[Language, _Words] = {
    "en": _Words(
        eyebrow="Data check",
        verdict="{rows} rows, with {error} errors, {warning} warnings and {info} notes. Errors stop training unless "
        "they are allowed; warnings are worth a look before it; notes are worth knowing.",
        clean="{rows} rows, in which nothing was found.",
        rows="rows",
        label="label",
        labels="Labels",
        counts="Rows of each label.",
        share="share of the rows to learn from, with its 95 % interval",
        fewer="The {shown} most frequent of {all} labels.",
        values="What is to be learned: {name}",
        lengths="Lengths",
        shown="{check}, {split}",
        row="row",
        check="check",
        source="source",
        splits={"all": "all rows", "train": "train", "validation": "validation", "test": "test"},
    ),
    "zh": _Words(
        eyebrow="数据检查",
        verdict="共 {rows} 行：{error} 个错误、{warning} 个警告、{info} 条提示。"
        "错误会阻止训练，除非明确允许；警告值得在训练前看一看；提示仅供了解。",
        clean="共 {rows} 行，未发现问题。",
        rows="行数",
        label="标签",
        labels="标签",
        counts="各标签的行数。",
        share="在训练数据中的占比及 95% 区间",
        fewer="共 {all} 个标签，显示最多的 {shown} 个。",
        values="要学习的数值：{name}",
        lengths="长度",
        shown="{check}，{split}",
        row="行",
        check="检查项",
        source="来源",
        splits={"all": "全部数据", "train": "训练集", "validation": "验证集", "test": "测试集"},
    ),
}


def gate_page(
    name: str, check_input: CheckInput, findings: Sequence[Finding], lengths: Mapping[str, IntArray], language: Language
) -> str:
    """One HTML file: labels and lengths drawn, every finding with what to do, and up to three of its rows.

    Args:
        name: Heads the page.
        check_input: What was looked at.
        findings: What was found.
        lengths: Split → int64 (rows,): tokens of each row.
        language: Of the page.
    """
    words = _WORDS[language]
    splits = check_input.splits
    rows = sum(map(len, splits.values()))
    counts = {severity: sum(finding.severity == severity for finding in findings) for severity in SEVERITIES}
    told = {severity: f"{count:,}" for severity, count in counts.items()}
    limit = check_input.max_length
    whole = {words.splits.get(split, split): own for split, own in lengths.items() if len(own)}
    sections = [
        *_answers(check_input, words),
        *([Section(words.lengths, (length_histogram(whole, limit, language),))] if whole and limit else []),
        *_quotes(splits, check_input.columns, findings, words),
    ]
    report = Report(
        name,
        (words.verdict if findings else words.clean).format(rows=f"{rows:,}", **told),
        {},
        sections=tuple(sections),
        findings=tuple(findings),
        rows=rows,
        facts={f"{words.source} ({words.splits.get(split, split)})": table.source for split, table in splits.items()},
        language=language,
        eyebrow=words.eyebrow,
        findings_first=True,
    )
    return render_report(report)


def _answers(check_input: CheckInput, words: _Words) -> Iterator[Section]:
    columns = check_input.columns
    if columns.answers in ("classes", "sets", "spans") and columns.labels:
        yield from _labels(check_input, words)
    elif columns.answers == "numbers":
        for name in columns.labels:
            found = {
                words.splits.get(split, split): _numbers(table, name) for split, table in check_input.splits.items()
            }
            whole = np.concatenate(list(found.values()))
            if len(whole):
                edges = np.histogram_bin_edges(whole, _BINS)
                groups = {split: np.histogram(values, edges)[0].tolist() for split, values in found.items()}
                title = words.values.format(name=name)
                yield Section(title, (Histogram(title, name, edges.tolist(), groups),))


def _numbers(table: Table, name: str) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    values = np.array([np.nan if value is None else float(value) for value in table.column(name)], np.float64)
    return values[np.isfinite(values)]


def _labels(check_input: CheckInput, words: _Words) -> Iterator[Section]:
    """How many rows each label has in each split, and its share of those to learn from."""
    known = check_input.classes
    counts = {split: known.counts(split) for split in check_input.splits}
    learned = counts[check_input.training_split]
    total = len(check_input.splits[check_input.training_split])
    order = np.argsort(-learned, kind="stable")[:_LABELS].tolist()
    if not order or not total:
        return
    low, high = wilson(learned.astype(np.float64), np.full(len(learned), float(total)))
    items = {
        str(known.labels[code]): Score(learned[code] / total, float(low[code]), float(high[code]), total, "share")
        for code in order
    }
    grid = Grid(
        (words.label, *(words.splits.get(split, split) for split in counts)),
        tuple((str(known.labels[code]), *(int(own[code]) for own in counts.values())) for code in order),
    )
    fewer = words.fewer.format(shown=len(order), all=f"{len(known.labels):,}") if len(order) < len(known.labels) else ""
    chart = IntervalChart(words.labels, words.share, items, x_range=None, caption=fewer)
    yield Section(words.labels, (chart, Paragraph(words.counts), grid))


def _quotes(
    splits: Mapping[str, Table], columns: Columns, findings: Sequence[Finding], words: _Words
) -> Iterator[Section]:
    """The first rows of every finding that names some, in the order of the findings on the page."""
    for finding in sorted(findings, key=lambda found: -SEVERITIES.index(found.severity)):
        if not finding.rows or finding.split not in splits or finding.check in _UNQUOTED:
            continue
        table = splits[finding.split]
        places = np.flatnonzero(np.isin(table.row_ids, finding.rows[:_QUOTED]))
        shown = table.select(places, step="shown")
        quotes = [
            Quote(text, {words.row: str(row), **_told(shown.row(place), columns)})
            for place, (row, text) in enumerate(
                zip(shown.row_ids.tolist(), sample_texts(shown, columns, len(shown)), strict=True)
            )
        ]
        title = words.shown.format(check=finding.check, split=words.splits.get(finding.split, finding.split))
        yield Section(title, tuple(quotes))


def _told(row: Mapping[str, object], columns: Columns) -> dict[str, str]:
    return {name: str(row[name]) for name in columns.labels if columns.layout is None}
