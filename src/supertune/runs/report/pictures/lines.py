"""Line charts: curves over a shared axis, with bands, and pale ones behind others; and clouds of points."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from xml.etree.ElementTree import Element

from supertune.contracts import LineChart, Series
from supertune.runs.report.pictures.axis import Axis, axis_for, short
from supertune.runs.report.pictures.frame import WIDTH, Drawing, colour, frame, mark, nothing
from supertune.runs.report.pictures.svg import element, path, picture, tooltip
from supertune.runs.report.words import Words

_DOTS = 60
_OUTLIERS = 50
"""One in so many of a faint line's values at either end does not stretch the axis."""

_BUCKETS = 200

Point = tuple[float, float]


def draw_lines(chart: LineChart, words: Words) -> Drawing:
    """The chart as a picture; points that are not finite break the line."""
    shown = [series for series in chart.series if _finite(series)]
    named = [series for series in shown if not series.faint]
    x = axis_for((value for one in shown for value in one.x), fixed=chart.x_range, tight=True, count=6)
    y = axis_for((value for one in shown for value in _reach(one)), fixed=chart.y_range)
    if not named or x is None or y is None:
        return nothing(chart.title, chart.caption, words.nothing)
    legend = [one.name for one in named] if len(named) > 1 else []
    base = frame(x, y, x_label=chart.x_label, y_label=chart.y_label, legend=legend, mark_row=chart.mark is not None)
    children = [*base.below, *mark(chart.mark, base)]
    if chart.diagonal:
        low, high = max(x.low, y.low), min(x.high, y.high)
        ends = [(base.x.at(low), base.y.at(low)), (base.x.at(high), base.y.at(high))]
        if low < high:
            children.append(element("path", d=path(ends), class_="reference"))
    # A faint line has the colour of the next line that is not.
    colours = list(itertools.accumulate((not one.faint for one in shown[:-1]), initial=0))
    for index, one in zip(colours, shown, strict=True):
        children += _band(one, index, base.x, base.y)
    for index, one in zip(colours, shown, strict=True):
        children += _curve(one, index, base.x, base.y)
    description = " ".join(_summary(one, words) for one in named)
    return Drawing(picture(WIDTH, base.height, chart.title, description, children), chart.title, chart.caption)


def _finite(series: Series) -> list[Point]:
    return [(x, y) for x, y in zip(series.x, series.y, strict=True) if math.isfinite(x) and math.isfinite(y)]


def _reach(series: Series) -> list[float]:
    if series.faint:
        values = sorted(value for value in series.y if math.isfinite(value))
        few = len(values) // _OUTLIERS
        return values[few : len(values) - few]
    return [*series.y, *(series.low or ()), *(series.high or ())]


def _summary(series: Series, words: Words) -> str:
    points = _finite(series)
    values = [y for _, y in points]
    return words.line_summary.format(
        name=series.name,
        count=f"{len(points):,}",
        first=short(values[0]),
        last=short(values[-1]),
        low=short(min(values)),
        high=short(max(values)),
    )


def _band(series: Series, index: int, x: Axis, y: Axis) -> list[Element]:
    if series.low is None or series.high is None:
        return []
    rows = [row for row in zip(series.x, series.low, series.high, strict=True) if all(map(math.isfinite, row))]
    if len(rows) < 2:
        return []
    upper = [(x.at(at), y.at(high)) for at, _, high in rows]
    lower = [(x.at(at), y.at(low)) for at, low, _ in rows]
    return [element("path", d=path([*upper, *reversed(lower)], close=True), class_=f"band {colour(index)}")]


def _curve(series: Series, index: int, x: Axis, y: Axis) -> list[Element]:
    if series.points:
        return [
            element("circle", cx=x.at(at), cy=y.at(value), r=2, class_=f"point {colour(index)}")
            for at, value in _finite(series)
        ]
    drawn = []
    for piece in _pieces(series):
        if len(piece) > 1:
            data = path((x.at(at), y.at(value)) for at, value in _thinned(piece))
            weight = "line faint" if series.faint else "line thin" if len(piece) > 2 * _BUCKETS else "line"
            drawn.append(element("path", d=data, class_=f"{weight} {colour(index)}"))
    points = _finite(series)
    if len(points) <= _DOTS and not series.faint:
        drawn += [_dot(series, at, value, index, x, y) for at, value in points]
    return drawn


def _dot(series: Series, at: float, value: float, index: int, x: Axis, y: Axis) -> Element:
    text = f"{series.name} · {short(at)}: {short(value)}"
    return element("circle", tooltip(text), cx=x.at(at), cy=y.at(value), r=2.5, class_=f"dot {colour(index)}")


def _pieces(series: Series) -> list[list[Point]]:
    pieces: list[list[Point]] = [[]]
    for point in zip(series.x, series.y, strict=True):
        if all(map(math.isfinite, point)):
            pieces[-1].append(point)
        elif pieces[-1]:
            pieces.append([])
    return pieces


def _thinned(points: Sequence[Point]) -> list[Point]:
    """At most 400 points that look the same: the lowest and the highest of each stretch, ends kept."""
    if len(points) <= 2 * _BUCKETS:
        return list(points)
    kept = {0, len(points) - 1}
    for bucket in range(_BUCKETS):
        stretch = range(bucket * len(points) // _BUCKETS, (bucket + 1) * len(points) // _BUCKETS)
        kept.add(min(stretch, key=lambda position: points[position][1]))
        kept.add(max(stretch, key=lambda position: points[position][1]))
    return [points[position] for position in sorted(kept)]
