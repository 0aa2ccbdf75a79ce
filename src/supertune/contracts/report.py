"""The report as data: sections of text, tables and pictures that any room may make and the runs room draws."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from supertune.contracts.results import Score


@dataclass(frozen=True)
class Series:
    """One line of a chart. ``low``/``high`` draw a band. All the same length.

    ``faint`` is for what lies behind another line, e.g. single steps behind their smoothed course: drawn thin and
    pale in the next line's colour, without an entry in the legend, and cut off where its outliers would squeeze
    everything else. ``points`` draws single points and no line between them.
    """

    name: str
    x: Sequence[float]
    y: Sequence[float]
    low: Sequence[float] | None = None
    high: Sequence[float] | None = None
    faint: bool = False
    points: bool = False


@dataclass(frozen=True)
class LineChart:
    """Curves over a shared x axis, e.g. loss over steps.

    ``diagonal`` draws y = x for reference, ``mark`` a vertical line with its name at a value of x.
    """

    title: str
    x_label: str
    y_label: str
    series: tuple[Series, ...]
    x_range: tuple[float, float] | None = None
    y_range: tuple[float, float] | None = None
    diagonal: bool = False
    caption: str = ""
    mark: tuple[float, str] | None = None


@dataclass(frozen=True)
class Histogram:
    """Counts per bin; ``edges`` has one more entry than each group's counts. ``mark`` draws a vertical line."""

    title: str
    x_label: str
    edges: Sequence[float]
    groups: Mapping[str, Sequence[int]]
    mark: tuple[float, str] | None = None
    caption: str = ""


@dataclass(frozen=True)
class HeatMap:
    """A matrix of counts with row and column names, e.g. a confusion matrix (rows: true, columns: predicted)."""

    title: str
    row_label: str
    column_label: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    values: Sequence[Sequence[float]]
    caption: str = ""


@dataclass(frozen=True)
class IntervalChart:
    """Named values with their intervals on one axis, e.g. F1 per class, or the model beside its baselines."""

    title: str
    x_label: str
    items: Mapping[str, Score]
    x_range: tuple[float, float] | None = (0.0, 1.0)
    caption: str = ""


Picture = LineChart | Histogram | HeatMap | IntervalChart


@dataclass(frozen=True)
class Paragraph:
    """Running text."""

    text: str


@dataclass(frozen=True)
class Grid:
    """A table of short cells; cells that are a `Score` are drawn with their interval."""

    header: tuple[str, ...]
    rows: tuple[tuple[str | int | float | Score, ...], ...]
    caption: str = ""


@dataclass(frozen=True)
class Quote:
    """A row's own text with what is said about it, e.g. one of the worst errors."""

    text: str
    notes: Mapping[str, str]


@dataclass(frozen=True)
class Section:
    """A part of the report. Any room may make one; the runs room draws it."""

    title: str
    blocks: tuple[Paragraph | Grid | Quote | Picture, ...]
