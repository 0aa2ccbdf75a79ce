"""Curves of braille dots: as large as asked, and the dots where the values are."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.text import Text

from supertune.language import display_width
from supertune.recipes.plot import Line, plot

values = st.lists(st.one_of(st.floats(-1e6, 1e6), st.just(math.nan)), min_size=1, max_size=60)


def dots(rows: list[Text]) -> set[tuple[int, int]]:
    """(column, row) of every dot that is set, counted from the top left of the plot."""
    found = set()
    places = {0x01: (0, 0), 0x02: (0, 1), 0x04: (0, 2), 0x08: (1, 0), 0x10: (1, 1), 0x20: (1, 2)}
    places |= {0x40: (0, 3), 0x80: (1, 3)}
    for y, row in enumerate(rows[:-1]):
        cells = [character for character in row.plain if "\u2800" <= character <= "\u28ff"]
        for x, cell in enumerate(cells):
            found |= {(2 * x + dx, 4 * y + dy) for bit, (dx, dy) in places.items() if (ord(cell) - 0x2800) & bit}
    return found


@given(values, st.integers(20, 120), st.integers(3, 12))
def test_a_plot_is_as_large_as_asked(y: list[float], width: int, height: int) -> None:
    rows = plot([Line(range(len(y)), y, "cyan")], width=width, height=height)
    assert len(rows) == height + 1
    assert all(display_width(row.plain) <= width for row in rows)


@given(st.lists(st.floats(0, 1e6), min_size=2, max_size=40, unique=True))
def test_every_column_between_the_ends_has_a_dot_and_neighbours_touch(y: list[float]) -> None:
    rows = plot([Line(range(len(y)), y, "cyan")], width=60, height=6)
    set_ = dots(rows)
    columns = {x for x, _ in set_}
    assert columns == set(range(max(columns) + 1))
    for x in range(max(columns)):
        here = [row for column, row in set_ if column == x]
        there = [row for column, row in set_ if column == x + 1]
        assert min(abs(one - other) for one in here for other in there) <= 1
    assert {0, 4 * 6 - 1} <= {row for _, row in set_}


def test_a_rising_line_goes_from_the_lower_left_to_the_upper_right() -> None:
    rows = plot([Line([0, 1], [0.0, 1.0], "cyan")], width=27, height=5)
    set_ = dots(rows)
    assert (0, 19) in set_
    assert (max(x for x, _ in set_), 0) in set_
    assert rows[0].plain.startswith("1.000 ┤")
    assert rows[4].plain.startswith("0.000 ┤")
    assert rows[5].plain.split() == ["0", "1"]


@given(st.integers(500, 3000), st.floats(0.1, 1000), st.integers(20, 90))
def test_more_points_than_dots_fill_the_whole_width(points: int, step: float, width: int) -> None:
    rows = plot(
        [Line([step * at for at in range(points)], [float(at) for at in range(points)], "cyan")], width=width, height=3
    )
    assert {x for x, _ in dots(rows)} == set(range(2 * (width - len(rows[0].plain.split("┤")[0]) - 1)))


def test_colours_tell_the_curves_apart() -> None:
    rows = plot([Line([0, 1], [0.0, 0.0], "cyan"), Line([0, 1], [1.0, 1.0], "yellow")], width=30, height=4)
    styles = [
        {str(span.style) for span in row.spans if row.plain[span.start : span.end].strip("\u2800")} for row in rows
    ]
    assert "not dim yellow" in styles[0]
    assert "not dim cyan" in styles[3]


@pytest.mark.parametrize("y", [[3.0], [3.0, 3.0], [0.0], [-2.0, -2.0, -2.0]])
def test_values_that_are_all_the_same_are_in_the_middle(y: list[float]) -> None:
    rows = {row for _, row in dots(plot([Line(range(len(y)), y, "cyan")], width=40, height=5))}
    assert rows
    assert rows <= {9, 10}


def test_nothing_to_draw_is_empty() -> None:
    for line in (Line([], [], "cyan"), Line([1, 2], [math.nan, math.inf], "cyan")):
        assert [row.plain for row in plot([line], width=40, height=4)] == [""] * 5
