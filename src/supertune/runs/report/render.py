"""A report's contents as one HTML file."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from markupsafe import Markup

from supertune.contracts import (
    SEVERITIES,
    Finding,
    Grid,
    HeatMap,
    Histogram,
    IntervalChart,
    LineChart,
    Paragraph,
    Quote,
    Score,
    Section,
)
from supertune.runs.manifest import Status
from supertune.runs.report.page import page_environment, resource
from supertune.runs.report.pictures import draw
from supertune.runs.report.words import WORDS, Language, Words, metric_name
from supertune.runs.score_text import MISSING, interval_text, plain_number, value_text

_ROWS_NAMED = 10

_PICTURES = (LineChart, Histogram, HeatMap, IntervalChart)


@dataclass(frozen=True)
class Figure:
    """A single number without an interval, e.g. the time left."""

    name: str
    value: str
    note: str


@dataclass(frozen=True)
class Live:
    """What the page of a run that has not ended says besides.

    Attributes:
        share: Part of training that is done, 0 to 1; None if that is not known.
        figures: The few numbers to look at.
        note: When this was written, and when to look again.
        refresh: Seconds after which the browser loads the page again; 0 for never.
    """

    share: float | None
    figures: tuple[Figure, ...]
    note: str
    refresh: int


@dataclass(frozen=True)
class Report:
    """Everything a report says. Texts may come from anywhere: nothing in them can leave its place.

    Attributes:
        title: Heads the page and names the browser's tab.
        verdict: One paragraph in plain words: how good it is and how sure we are.
        headline: Metric → score, the most important first.
        baselines: Name of a baseline → its scores under the same metric names.
        sections: Pictures, tables and quotes, in the order to show them.
        findings: What the data gate found.
        rows: How many rows the gate looked at.
        facts: What was used: name → value.
        status: How the run stands; anything but ``done`` is said at the top.
        live: How far it has come, if it has not ended.
        language: Language of the fixed words.
        eyebrow: What kind of page this is; none: a training report.
        findings_first: Tell the findings before the sections.
    """

    title: str
    verdict: str
    headline: Mapping[str, Score]
    baselines: Mapping[str, Mapping[str, Score]] = field(default_factory=dict)
    sections: tuple[Section, ...] = ()
    findings: tuple[Finding, ...] = ()
    rows: int = 0
    facts: Mapping[str, str] = field(default_factory=dict)
    status: Status = "done"
    live: Live | None = None
    language: Language = "en"
    eyebrow: str = ""
    findings_first: bool = False


@dataclass(frozen=True)
class _Headline:
    name: str
    score: Score
    beside: Mapping[str, Score]


@dataclass(frozen=True)
class _Cell:
    text: str
    interval: str = ""
    signature: str = ""
    mark: int | None = None
    numeric: bool = False


@dataclass(frozen=True)
class _Table:
    header: tuple[str, ...]
    numeric: tuple[bool, ...]
    rows: tuple[tuple[_Cell, ...], ...]
    caption: str
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Block:
    """A block ready for the template, which chooses by ``kind``."""

    kind: str
    content: Any


def render_report(report: Report) -> str:
    """The report as one HTML file: no script, nothing to load, the same bytes for the same contents."""
    words = WORDS[report.language]
    template = page_environment(report.language).get_template("report.html.jinja")
    return template.render(
        report=report,
        words=words,
        style=Markup(resource("report.css")),
        headlines=_headlines(report, words),
        warnings=_warnings(report),
        sections=[(section.title, list(_blocks(section, words))) for section in report.sections],
        findings=sorted(report.findings, key=lambda found: SEVERITIES.index(found.severity), reverse=True),
        named=_ROWS_NAMED,
    )


def _headlines(report: Report, words: Words) -> list[_Headline]:
    return [
        _Headline(
            name=metric_name(metric, report.language),
            score=score,
            beside={name: scores[metric] for name, scores in report.baselines.items() if metric in scores},
        )
        for metric, score in report.headline.items()
    ]


def _warnings(report: Report) -> list[str]:
    """Every warning of a headline score once, in order."""
    scores = itertools.chain(report.headline.values(), *(one.values() for one in report.baselines.values()))
    return list(dict.fromkeys(score.warning for score in scores if score.warning))


def _blocks(section: Section, words: Words) -> Iterator[_Block]:
    """The section's blocks; pictures that follow each other stand side by side."""
    for kind, group in itertools.groupby(section.blocks, key=_kind):
        if kind == "pictures":
            yield _Block(kind, [draw(one, words) for one in group if isinstance(one, _PICTURES)])
            continue
        for block in group:
            yield _Block(kind, _table(block) if isinstance(block, Grid) else block)


def _kind(block: object) -> str:
    if isinstance(block, _PICTURES):
        return "pictures"
    return {Paragraph: "paragraph", Grid: "table", Quote: "quote"}[type(block)]


def _table(grid: Grid) -> _Table:
    notes: list[str] = []
    rows = tuple(tuple(_cell(cell, notes) for cell in row) for row in grid.rows)
    columns = zip(*rows, strict=True) if rows else [() for _ in grid.header]
    numeric = tuple(bool(column) and all(cell.numeric for cell in column) for column in columns)
    return _Table(grid.header, numeric, rows, grid.caption, tuple(notes))


def _cell(value: str | int | float | Score, notes: list[str]) -> _Cell:
    if isinstance(value, Score):
        if value.warning and value.warning not in notes:
            notes.append(value.warning)
        return _Cell(
            value_text(value).replace(" ", "\u00a0"),
            interval_text(value),
            value.signature,
            notes.index(value.warning) + 1 if value.warning else None,
            numeric=True,
        )
    if isinstance(value, str):
        # Where a number is missing the column is still one of numbers.
        return _Cell(value, numeric=value == MISSING)
    return _Cell(plain_number(value), numeric=True)
