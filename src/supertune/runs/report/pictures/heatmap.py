"""Heat maps: a matrix of counts, each row coloured by its shares, with the numbers in the cells."""

from __future__ import annotations

import math
from collections.abc import Sequence
from xml.etree.ElementTree import Element

from supertune.contracts import HeatMap
from supertune.runs.report.pictures.axis import short
from supertune.runs.report.pictures.frame import WIDTH, Drawing, nothing
from supertune.runs.report.pictures.svg import element, label, picture, tooltip, width_of
from supertune.runs.report.words import Words

STEPS = 7
"""Shades in the style sheet, ``h0`` (nothing) to ``h6`` (all of the row)."""

_LABEL_ROOM = 132.0
_TILT = math.sqrt(0.5)
_SMALLEST, _LARGEST = 30.0, 52.0


def draw_heat_map(chart: HeatMap, words: Words) -> Drawing:
    """The matrix as a picture, wider than others when it has many columns.

    A cell's shade is its share of its row: in a confusion matrix the diagonal is then each class's recall, and
    a rare class is as easy to read as a frequent one.
    """
    if not chart.rows or not chart.columns:
        return nothing(chart.title, chart.caption, words.nothing)
    left = min(max(width_of(f"{chart.row_label} ↓"), *map(width_of, chart.rows)), _LABEL_ROOM) + 12
    size = min(max((WIDTH - left) / len(chart.columns), _SMALLEST), _LARGEST)
    head, overhang = _head(chart.columns, size)
    name_line = 20.0
    top = name_line + head
    width = max(WIDTH, left + size * len(chart.columns) + overhang)
    children = _names(chart, left, top, size, width)
    for row, values in enumerate(chart.values):
        shares = _shares(values)
        for column, value in enumerate(values):
            children.append(_cell(chart, row, column, value, shares[column], (left, top, size), words))
    if chart.rows == chart.columns:
        children += [_outline(left, top, size, position) for position in range(len(chart.rows))]
    height = top + size * len(chart.rows) + 2
    return Drawing(
        picture(width, height, chart.title, _summary(chart, words), children),
        chart.title,
        chart.caption,
        width=width,
    )


def _head(columns: Sequence[str], size: float) -> tuple[float, float]:
    """Height of the column names, and how far the last one reaches beyond its column."""
    widest = min(max(map(width_of, columns)), _LABEL_ROOM)
    if _upright(columns, size):
        return 22.0, 0.0
    return widest * _TILT + 16, max(0.0, min(width_of(columns[-1]), _LABEL_ROOM) * _TILT - size / 2 + 8)


def _upright(columns: Sequence[str], size: float) -> bool:
    return max(map(width_of, columns)) <= size - 4


def _names(chart: HeatMap, left: float, top: float, size: float, width: float) -> list[Element]:
    drawn = [
        label(f"{chart.row_label} ↓", left - 12, top - 8, room=left - 4, anchor="end", class_="axis-name"),
        label(f"{chart.column_label} →", left, 13, room=width - left, class_="axis-name"),
    ]
    for position, name in enumerate(chart.rows):
        middle = top + size * (position + 0.5) + 4
        drawn.append(label(name, left - 10, middle, room=_LABEL_ROOM + 1, anchor="end", class_="label strong"))
    upright = _upright(chart.columns, size)
    for position, name in enumerate(chart.columns):
        x = left + size * (position + 0.5)
        if upright:
            drawn.append(label(name, x, top - 8, room=size, anchor="middle", class_="label strong"))
        else:
            turn = f"rotate(-45 {x + 2:.1f} {top - 8:.1f})"
            room = _LABEL_ROOM + 1
            drawn.append(label(name, x + 2, top - 8, room=room, class_="label strong", transform=turn))
    return drawn


def _shares(values: Sequence[float]) -> list[float]:
    usable = [value if math.isfinite(value) and value > 0 else 0.0 for value in values]
    total = sum(usable)
    return [value / total if total else 0.0 for value in usable]


def shade(share: float) -> int:
    """The shade of a share: nothing is 0, anything at all is at least 1."""
    return 0 if share <= 0 else min(STEPS - 1, 1 + int(share * (STEPS - 1) * 0.9999))


def _cell(
    chart: HeatMap,
    row: int,
    column: int,
    value: float,
    share: float,
    place: tuple[float, float, float],
    words: Words,
) -> Element:
    left, top, size = place
    x, y = left + size * column, top + size * row
    text = words.cell.format(
        row_label=chart.row_label,
        row=chart.rows[row],
        column_label=chart.column_label,
        column=chart.columns[column],
        value=f"{short(value)} ({100 * share:.0f} %)" if math.isfinite(value) else "–",
    )
    shown = cell_text(value)
    box = element("rect", x=x + 1, y=y + 1, width=size - 2, height=size - 2, rx=3)
    parts = [tooltip(text), box]
    if shown:
        parts.append(element("text", x=x + size / 2, y=y + size / 2 + 4, text_anchor="middle", text=shown))
    return element("g", *parts, class_=f"cell h{shade(share)}")


def cell_text(value: float) -> str:
    """A number that fits a cell: at most four characters, nothing for zero."""
    if not math.isfinite(value):
        return "–"
    if value == 0:
        return ""
    if value != round(value):
        return f"{value:.2f}".replace("0.", ".", 1) if abs(value) < 1 else f"{value:.3g}"
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= size:
            return f"{value / (1e3 if unit == 'k' else size):.0f}{unit}"
    return f"{value:.0f}"


def _outline(left: float, top: float, size: float, position: int) -> Element:
    x, y = left + size * position + 1, top + size * position + 1
    return element("rect", x=x, y=y, width=size - 2, height=size - 2, rx=3, class_="diagonal")


def _summary(chart: HeatMap, words: Words) -> str:
    finite = [value for row in chart.values for value in row if math.isfinite(value)]
    diagonal = [row[place] for place, row in enumerate(chart.values) if place < len(row)]
    return words.heat_map_summary.format(
        rows=len(chart.rows),
        columns=len(chart.columns),
        total=short(sum(finite)),
        diagonal=short(sum(value for value in diagonal if math.isfinite(value))),
    )
