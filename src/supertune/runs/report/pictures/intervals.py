"""Interval charts: named scores with their intervals on one axis."""

from __future__ import annotations

import math
from xml.etree.ElementTree import Element

from supertune.contracts import IntervalChart, Score
from supertune.runs.report.pictures.axis import Axis, axis_for
from supertune.runs.report.pictures.frame import WIDTH, Drawing, nothing, vertical_grid, with_notes
from supertune.runs.report.pictures.svg import element, label, picture, tooltip, width_of
from supertune.runs.report.words import Words
from supertune.runs.score_text import interval_text, is_proportion, score_text, value_text

_ROW = 30.0
_LABEL_ROOM = 190.0


def draw_intervals(chart: IntervalChart, words: Words) -> Drawing:
    """The scores as dots on whiskers, in the order given."""
    scores = list(chart.items.values())
    reach = [value for score in scores for value in (score.value, score.low, score.high)]
    percent = bool(scores) and all(map(is_proportion, scores))
    x = axis_for(reach, fixed=chart.x_range, percent=percent, count=4)
    if x is None or not any(math.isfinite(score.value) for score in scores):
        return nothing(chart.title, chart.caption, words.nothing)
    values = max(width_of(_value(score)) for score in scores)
    left = min(max(map(width_of, chart.items)), _LABEL_ROOM) + 14
    x = x.laid(left, WIDTH - values - 14)
    bottom = 6 + _ROW * len(scores)
    children = vertical_grid(x, 2, bottom)
    for position, (name, score) in enumerate(chart.items.items()):
        children += _row(name, score, 6 + _ROW * (position + 0.5), x)
    height = bottom + 22
    if chart.x_label:
        height += 19
        children.append(label(chart.x_label, x.end, height - 5, room=WIDTH, anchor="end", class_="axis-name"))
    description = " ".join(
        words.interval_summary.format(name=name, score=score_text(score)) for name, score in chart.items.items()
    )
    drawing = Drawing(picture(WIDTH, height, chart.title, description, children), chart.title, chart.caption)
    warned = [f"* {name}: {score.warning}" for name, score in chart.items.items() if score.warning]
    shared = {score.warning for score in scores}
    # One sentence is enough when it is true of all of them.
    return with_notes(drawing, [f"* {scores[0].warning}"] if len(shared) == 1 and warned else warned)


def _value(score: Score) -> str:
    return value_text(score) + ("*" if score.warning else "")


def _row(name: str, score: Score, y: float, x: Axis) -> list[Element]:
    drawn = [
        label(name, x.start - 14, y + 4, room=_LABEL_ROOM + 1, anchor="end", class_="label strong"),
        label(_value(score), WIDTH, y + 4, room=WIDTH, anchor="end", class_="label strong"),
    ]
    if not math.isfinite(score.value):
        return drawn
    parts = [tooltip(f"{name} · {score_text(score)} · {score.signature}")]
    if interval_text(score):
        low, high = x.at(score.low), x.at(score.high)
        parts.append(element("line", x1=low, x2=high, y1=y, y2=y, class_="whisker"))
    parts.append(element("circle", cx=x.at(score.value), cy=y, r=4.5, class_="dot c0"))
    return [*drawn, element("g", *parts)]
