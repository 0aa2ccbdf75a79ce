"""The frame of a chart: where it is drawn, its grid, axis labels and legend; and what a drawing is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from xml.etree.ElementTree import Element

from markupsafe import Markup

from supertune.runs.report.pictures.axis import Axis
from supertune.runs.report.pictures.svg import element, label, path, picture, width_of

WIDTH = 400.0
PLOT_HEIGHT = 184.0
PALETTE = 6
"""How many series the style sheet has a colour and a dash for; more begin again."""

_LINE = 19.0
_SWATCH = 22.0
_GAP = 16.0
_EDGE = 8.0


@dataclass(frozen=True)
class Drawing:
    """A picture, drawn.

    Attributes:
        svg: The picture.
        width: Its natural width.
        notes: Warnings that belong to what is shown.
    """

    svg: Markup
    title: str
    caption: str
    width: float = WIDTH
    notes: tuple[str, ...] = ()

    @property
    def wide(self) -> bool:
        """Whether it needs a row of the page to itself."""
        return self.width > 1.15 * WIDTH


@dataclass(frozen=True)
class Frame:
    """A chart's two axes on their coordinates, and everything that is drawn beneath the data."""

    x: Axis
    y: Axis
    height: float
    below: tuple[Element, ...]


def frame(x: Axis, y: Axis, *, x_label: str, y_label: str, legend: Sequence[str] = (), mark_row: bool = False) -> Frame:
    """Lay two axes out: legend and y label above, then the plot, then tick labels and the x label.

    Args:
        x: The horizontal axis.
        y: The vertical axis.
        x_label: Its name.
        y_label: Its name.
        legend: Names of the series, in the order of the palette.
        mark_row: Leave a row between legend and plot for the name of a mark.
    """
    entries, legend_height = legend_rows(legend)
    top = legend_height + (_LINE if y_label else 0) + (_LINE if mark_row else 0) + 8
    left = max((width_of(text) for text in y.tick_labels()), default=0.0) * 1.1 + 12
    x = x.laid(left, WIDTH - _EDGE - width_of(x.tick_labels()[-1] if x.ticks else "") / 2)
    y = y.laid(top + PLOT_HEIGHT, top)
    height = top + PLOT_HEIGHT + 20 + (_LINE if x_label else 0) + 2
    below = [*entries]
    if y_label:
        below.append(label(y_label, 0, legend_height + 13, room=WIDTH, class_="axis-name"))
    below += [*_horizontal_grid(x, y), *_bottom(x, y)]
    if x_label:
        below.append(label(x_label, x.end, height - 5, room=WIDTH - left, anchor="end", class_="axis-name"))
    return Frame(x, y, height, tuple(below))


def _horizontal_grid(x: Axis, y: Axis) -> list[Element]:
    drawn = []
    for tick, text in zip(y.ticks, y.tick_labels(), strict=True):
        at = y.at(tick)
        drawn.append(element("line", x1=x.start, x2=x.end, y1=at, y2=at, class_="grid"))
        drawn.append(label(text, x.start - 8, at + 4, room=WIDTH, anchor="end"))
    return drawn


def _bottom(x: Axis, y: Axis) -> list[Element]:
    drawn = [element("line", x1=x.start, x2=x.end, y1=y.start, y2=y.start, class_="axis")]
    for tick, text in zip(x.ticks, x.tick_labels(), strict=True):
        drawn.append(label(text, x.at(tick), y.start + 17, room=WIDTH, anchor="middle"))
    return drawn


def vertical_grid(x: Axis, top: float, bottom: float) -> list[Element]:
    """Hairlines at the ticks of a horizontal axis, with their labels below."""
    drawn = []
    for tick, text in zip(x.ticks, x.tick_labels(), strict=True):
        at = x.at(tick)
        drawn.append(element("line", x1=at, x2=at, y1=top, y2=bottom, class_="grid"))
        drawn.append(label(text, at, bottom + 17, room=WIDTH, anchor="middle"))
    return drawn


def mark(value_and_name: tuple[float, str] | None, base: Frame) -> list[Element]:
    """A vertical line at a value of x with its name above the plot; nothing where x does not reach it."""
    if value_and_name is None or not base.x.low <= value_and_name[0] <= base.x.high:
        return []
    value, name = value_and_name
    at = base.x.at(value)
    half = min(width_of(name), WIDTH) / 2
    # Moved inwards where it would leave the picture.
    centre = min(max(at, half), WIDTH - half)
    return [
        element("line", x1=at, x2=at, y1=base.y.end - 6, y2=base.y.start, class_="mark"),
        label(name, centre, base.y.end - 11, room=WIDTH, anchor="middle", class_="label strong"),
    ]


def legend_rows(names: Sequence[str]) -> tuple[list[Element], float]:
    """Legend entries side by side, on as many rows as they need, and the height of them all."""
    drawn: list[Element] = []
    x, row = 0.0, 0
    for index, name in enumerate(names):
        room = min(width_of(name), WIDTH - _SWATCH)
        if x and x + _SWATCH + room > WIDTH:
            x, row = 0.0, row + 1
        y = row * _LINE + 9
        drawn.append(
            element("path", d=path([(x, y), (x + 15, y)]), class_=f"line {colour(index)}", stroke_linecap="butt")
        )
        drawn.append(label(name, x + _SWATCH, y + 4, room=room + 1, class_="label strong"))
        x += _SWATCH + room + _GAP
    return drawn, (row + 1) * _LINE + 4 if names else 0.0


def colour(index: int) -> str:
    """The class that gives the series of this index its colour and dash."""
    return f"c{index % PALETTE}"


def nothing(title: str, caption: str, words: str) -> Drawing:
    """What stands where there is nothing to draw."""
    text = label(words, WIDTH / 2, 64, room=WIDTH, anchor="middle", class_="label")
    box = element("rect", x=0.5, y=0.5, width=WIDTH - 1, height=119, rx=6, class_="empty")
    return Drawing(picture(WIDTH, 120, title, words, [box, text]), title, caption)


def with_notes(drawing: Drawing, notes: Sequence[str]) -> Drawing:
    """The drawing with warnings, each once."""
    return replace(drawing, notes=tuple(dict.fromkeys(notes)))
