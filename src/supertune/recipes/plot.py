"""Curves as braille characters: two by four dots in every cell of the terminal."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from supertune.runs import plain_number

if TYPE_CHECKING:
    from rich.text import Text

# Unicode's numbering of the dots, by row within the cell and then by column.
_DOTS = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]], np.uint8)
_EMPTY = 0x2800

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Line:
    """One curve.

    Attributes:
        x: Where, rising.
        y: What; points that are not finite are left out.
        style: Colour, as rich names it.
    """

    x: Sequence[float]
    y: Sequence[float]
    style: str


def plot(lines: Sequence[Line], *, width: int, height: int) -> list[Text]:
    """The curves on common axes: ``height`` rows of dots and a row with the ends of x, each ``width`` columns wide.

    Where curves cross, the later one is on top. Nothing but empty rows when there is no finite point.
    """
    from rich.text import Text

    points = [_finite(line) for line in lines]
    if not any(len(x) for x, _ in points):
        return [Text() for _ in range(height + 1)]
    left, right = _range([x for x, _ in points])
    bottom, top = _range([y for _, y in points], room=True)
    labels = [plain_number(top), *[""] * (height - 2), plain_number(bottom)]
    gutter = max(map(len, labels)) + 2
    columns = max(2, width - gutter)
    dots = np.zeros((height, columns), np.uint8)
    owner = np.zeros((height, columns), np.int8)
    for index, (x, y) in enumerate(points):
        across = (x - left) / (right - left) * (2 * columns - 1)
        down = (top - y) / (top - bottom) * (4 * height - 1)
        _draw(across, down, index, dots, owner)
    rows = [
        _row(label, gutter, dots[row], owner[row], [line.style for line in lines]) for row, label in enumerate(labels)
    ]
    first, last = f"{left:,.0f}", f"{right:,.0f}"
    rows.append(Text(f"{' ' * gutter}{first}{last.rjust(max(1, columns - len(first)))}", style="dim"))
    return rows


def _finite(line: Line) -> tuple[Floats, Floats]:
    x, y = np.array(line.x, np.float64), np.array(line.y, np.float64)
    kept = np.isfinite(x) & np.isfinite(y)
    return x[kept], y[kept]


def _range(values: Sequence[Floats], *, room: bool = False) -> tuple[float, float]:
    """The lowest and the highest; apart from each other also when all are the same."""
    every = np.concatenate(values)
    low, high = float(every.min()), float(every.max())
    if high > low:
        return low, high
    space = max(abs(low) / 10, 1e-9) if room else 1.0
    return (low - space, high + space) if room else (low, low + space)


def _draw(across: Floats, down: Floats, index: int, dots: NDArray[Any], owner: NDArray[Any]) -> None:
    """Set the dots of one curve, joined from each column of dots to the next."""
    if not len(across):
        return
    at = np.append(np.arange(across[0], across[-1]), across[-1])
    if len(across) <= dots.size:
        # The points themselves as well, so that none of the peaks falls between two columns.
        at = np.union1d(at, across)
    columns = np.rint(at).astype(int)
    rows = np.rint(np.interp(at, across, down)).astype(int)
    before = rows[0]
    for column, row in zip(columns, rows, strict=True):
        # From just past the last dot to this one, so that steep parts have no gaps.
        begin = before if before == row else before + (1 if row > before else -1)
        for y in range(min(begin, row), max(begin, row) + 1):
            cell = y // 4, column // 2
            dots[cell] = (dots[cell] if owner[cell] == index else 0) | _DOTS[y % 4, column % 2]
            owner[cell] = index
        before = row


def _row(label: str, gutter: int, dots: NDArray[Any], owner: NDArray[Any], styles: Sequence[str]) -> Text:
    from rich.text import Text

    text = Text(f"{label.rjust(gutter - 2)} {'┤' if label else '│'}", style="dim")
    for index, cells in itertools.groupby(zip(owner, dots, strict=True), key=lambda cell: cell[0]):
        text.append("".join(chr(_EMPTY + int(bits)) for _, bits in cells), style=f"not dim {styles[index]}")
    return text
