"""Pictures: ticks are round, nothing overlaps, and every kind copes with what data can be."""

import itertools
import math
import re
import xml.etree.ElementTree as ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supertune.contracts import HeatMap, Histogram, IntervalChart, LineChart, Score, Series
from supertune.runs.report.pictures import draw
from supertune.runs.report.pictures.axis import axis_for, tick_labels
from supertune.runs.report.pictures.frame import WIDTH, legend_rows
from supertune.runs.report.pictures.heatmap import STEPS, cell_text, shade
from supertune.runs.report.pictures.svg import label, width_of
from supertune.runs.report.words import WORDS

numbers = st.floats(-1e12, 1e12, allow_nan=False)


def tree(picture):
    return ElementTree.fromstring(draw(picture, WORDS["en"]).svg)


def of_class(root, name):
    return [element for element in root.iter() if name in element.get("class", "").split()]


def lines(*series, **changes):
    return LineChart("t", "x", "y", tuple(series), **changes)


class TestAxis:
    @given(st.lists(numbers, min_size=1, max_size=5))
    def test_ticks_are_round_evenly_spaced_and_hold_the_values(self, values):
        axis = axis_for(values)
        assert axis is not None
        assert 2 <= len(axis.ticks) <= 9
        steps = [later - earlier for earlier, later in itertools.pairwise(axis.ticks)]
        assert axis.low <= min(values) + 1e-6 * steps[0]
        assert axis.high >= max(values) - 1e-6 * steps[0]
        assert max(steps) - min(steps) <= 1e-6 * max(abs(axis.low), abs(axis.high), steps[0])
        power = 10 ** math.floor(math.log10(steps[0]) + 1e-6)
        assert any(math.isclose(steps[0] / power, nice, rel_tol=1e-3) for nice in (1, 2, 5, 10))

    @given(st.lists(numbers, min_size=1, max_size=5), numbers)
    def test_every_value_lies_on_the_picture(self, values, anything):
        axis = axis_for(values).laid(10, 90)
        assert 10 <= axis.at(anything) <= 90

    def test_nothing_finite_has_no_axis(self):
        assert axis_for([math.nan, math.inf]) is None
        assert axis_for([]) is None

    def test_counts_have_whole_ticks(self):
        assert axis_for([0, 1, 2], tight=True).ticks == (0, 1, 2)

    @pytest.mark.parametrize(
        ("ticks", "labels"),
        [
            ((0.0, 0.2, 0.4), ("0.0", "0.2", "0.4")),
            ((0.0, 500.0, 1000.0), ("0", "500", "1000")),
            ((0.0, 10_000.0, 20_000.0), ("0", "10k", "20k")),
            ((0.0, 2.5e6), ("0.0", "2.5M")),
            ((-1.0, 0.0), ("−1", "0")),
            ((0.0, 1e-5, 2e-5), ("0", "1e-05", "2e-05")),
        ],
    )
    def test_labels(self, ticks, labels):
        assert tick_labels(ticks) == labels

    def test_percent(self):
        assert tick_labels((0.0, 0.5, 1.0), percent=True) == ("0 %", "50 %", "100 %")


class TestLabels:
    @given(st.text(st.characters(codec="utf-8"), max_size=80), st.integers(30, 400))
    def test_a_label_fits_its_room(self, text, room):
        assert width_of(label(text, 0, 0, room=room).text) <= room

    def test_what_is_shortened_is_whole_in_the_tooltip(self):
        name = "商品破损或质量问题以及退换货申请"
        made = label(name, 0, 0, room=80)
        assert made.text.endswith("…")
        assert made.find("title").text == name

    @given(st.lists(st.text(st.characters(codec="utf-8"), min_size=1, max_size=60), min_size=1, max_size=12))
    def test_legend_entries_do_not_overlap(self, names):
        entries, height = legend_rows(names)
        spans = [
            (float(text.get("y")), float(swatch.get("d")[1:].split()[0]), float(text.get("x")) + width_of(text.text))
            for swatch, text in zip(entries[::2], entries[1::2], strict=True)
        ]
        for (row, _, end), (next_row, start, _) in itertools.pairwise(spans):
            assert start >= end if row == next_row else start == 0
        assert max(end for _, _, end in spans) <= WIDTH
        assert max(row for row, _, _ in spans) < height

    def test_a_legend_is_whole_where_it_has_a_row_of_its_own(self):
        names = ["references", "this model", "before training, shown four examples", "the model before training"]
        entries, _ = legend_rows(names)
        assert [entry.text for entry in entries[1::2]] == names


class TestLines:
    def test_points_lie_where_their_values_are(self):
        root = tree(lines(Series("a", [0, 5, 10], [0, 1, 2]), x_range=(0, 10), y_range=(0, 2)))
        dots = [(float(dot.get("cx")), float(dot.get("cy"))) for dot in of_class(root, "dot")]
        assert dots[1][0] == pytest.approx((dots[0][0] + dots[2][0]) / 2, abs=0.02)
        assert dots[0][1] > dots[1][1] > dots[2][1]
        assert dots[1][1] == pytest.approx((dots[0][1] + dots[2][1]) / 2, abs=0.02)

    def test_a_hole_breaks_the_line(self):
        root = tree(lines(Series("a", [1, 2, 3, 4, 5], [1, 2, math.nan, 3, 4])))
        assert len(of_class(root, "line")) == 2
        assert len(of_class(root, "dot")) == 4

    def test_a_single_point_is_a_dot(self):
        root = tree(lines(Series("a", [1], [1])))
        assert len(of_class(root, "dot")) == 1
        assert not of_class(root, "line")

    def test_many_points_keep_their_extremes(self):
        y = [0.0] * 10_000
        y[4321], y[777] = 5.0, -3.0
        root = tree(lines(Series("a", list(range(10_000)), y)))
        (line,) = of_class(root, "line")
        heights = [float(point.split()[1]) for point in re.split("[ML]", line.get("d"))[1:]]
        assert len(heights) <= 402
        ordinary = max(set(heights), key=heights.count)
        assert min(heights) < ordinary < max(heights)

    def test_band_and_diagonal(self):
        root = tree(lines(Series("a", [0, 1], [0, 1], [0, 0.5], [0.5, 1]), diagonal=True))
        assert len(of_class(root, "band")) == 1
        assert len(of_class(root, "reference")) == 1

    def test_a_legend_only_where_there_is_something_to_tell_apart(self):
        one, two = Series("alpha", [0, 1], [0, 1]), Series("beta", [0, 1], [1, 0])
        assert "alpha" not in [text.text for text in tree(lines(one)).iter("text")]
        assert {"alpha", "beta"} <= {text.text for text in tree(lines(one, two)).iter("text")}

    def test_a_faint_line_has_the_colour_of_the_next_and_no_name(self):
        faint, line, other = (Series(name, [0, 1, 2], [0, 1, 0.5], faint=name == "raw") for name in ("raw", "a", "b"))
        root = tree(lines(faint, line, other))
        # The first two belong to the legend.
        classes = [element.get("class").split() for element in of_class(root, "line")][2:]
        assert classes == [["line", "faint", "c0"], ["line", "c0"], ["line", "c1"]]
        assert "raw" not in [text.text for text in root.iter("text")]
        assert len(of_class(root, "dot")) == 6
        assert "raw" not in root.find("desc").text

    def test_outliers_of_a_faint_line_do_not_squeeze_the_others(self):
        x = list(range(200))
        wild = [1000.0 if at == 100 else 1.0 for at in x]
        root = tree(lines(Series("raw", x, wild, faint=True), Series("a", x, [1 + at / 200 for at in x])))
        highest = max(float(text.text) for text in of_class(root, "label") if text.get("text-anchor") == "end")
        assert highest <= 3
        assert "nothing" in draw(lines(Series("raw", x, wild, faint=True)), WORDS["en"]).svg.lower()

    @pytest.mark.parametrize("value", [0, 3, 10])
    def test_a_mark_stands_at_its_value_with_its_name_inside(self, value):
        name = "best: epoch 3 最佳轮次"
        root = tree(lines(Series("a", [0, 10], [0, 1]), mark=(value, name)))
        (line,) = of_class(root, "mark")
        dots = [float(dot.get("cx")) for dot in of_class(root, "dot")]
        assert float(line.get("x1")) == pytest.approx(dots[0] + value / 10 * (dots[1] - dots[0]), abs=0.02)
        (text,) = [text for text in root.iter("text") if text.text == name]
        assert width_of(name) / 2 <= float(text.get("x")) <= WIDTH - width_of(name) / 2

    def test_a_mark_outside_the_axis_is_left_out(self):
        assert not of_class(tree(lines(Series("a", [0, 10], [0, 1]), mark=(11, "far"))), "mark")

    def test_the_numbers_can_be_read_without_seeing(self):
        assert tree(lines(Series("loss", [1, 2, 3], [3, 0.5, 1]))).find("desc").text == (
            "loss: 3 points, from 3 to 1, lowest 0.5, highest 3."
        )


@pytest.mark.parametrize(
    "picture",
    [
        lines(),
        lines(Series("a", [], [])),
        lines(Series("a", [1, 2], [math.nan, math.inf])),
        Histogram("t", "x", [], {}),
        Histogram("t", "x", [0, 1], {"a": [0]}),
        Histogram("t", "x", [0, math.inf], {"a": [3]}),
        HeatMap("t", "r", "c", (), (), []),
        IntervalChart("t", "x", {}),
        IntervalChart("t", "x", {"a": Score(math.nan, math.nan, math.nan, 0, "auroc")}),
    ],
)
@pytest.mark.parametrize("language", ["en", "zh"])
def test_nothing_to_draw_is_said(picture, language):
    assert WORDS[language].nothing in draw(picture, WORDS[language]).svg


class TestHistogram:
    def test_bars_are_as_high_as_their_counts(self):
        root = tree(Histogram("t", "x", [0, 1, 2, 3], {"a": [2, 0, 4]}))
        heights = [float(bar.get("height")) for bar in of_class(root, "bar")]
        assert heights == pytest.approx([heights[1] / 2, heights[1]], abs=0.02)

    def test_every_bin_tells_its_counts(self):
        root = tree(Histogram("t", "x", [0, 10, 20], {"right": [1, 2], "wrong": [3, 4]}))
        assert [area.find("title").text for area in of_class(root, "hover")] == [
            "0 to 10 · right: 1 · wrong: 3",
            "10 to 20 · right: 2 · wrong: 4",
        ]

    @pytest.mark.parametrize("value", [0, 50, 100])
    def test_the_name_of_a_mark_stays_inside(self, value):
        name = "截断于 256 个词元 cut here"
        root = tree(Histogram("t", "x", [0, 100], {"a": [3]}, (value, name)))
        (text,) = [text for text in root.iter("text") if text.text == name]
        assert width_of(name) / 2 <= float(text.get("x")) <= WIDTH - width_of(name) / 2
        assert len(of_class(root, "mark")) == 1


class TestHeatMap:
    @pytest.mark.parametrize("classes", [1, 2, 8, 30])
    @pytest.mark.parametrize("name", ["n", "很长的类别名称很长的类别名称", "a very long class name indeed"])
    def test_every_cell_and_name_is_inside(self, classes, name):
        names = tuple(f"{name}{number}" for number in range(classes))
        values = [[(row * classes + column) % 700 for column in range(classes)] for row in range(classes)]
        drawing = draw(HeatMap("t", "true", "predicted", names, names, values), WORDS["en"])
        root = ElementTree.fromstring(drawing.svg)
        assert len(of_class(root, "cell")) == classes**2
        assert len(of_class(root, "diagonal")) == classes
        width, height = (float(root.get(side)) for side in ("width", "height"))
        for box in root.iter("rect"):
            assert float(box.get("x")) >= 0
            assert float(box.get("x")) + float(box.get("width")) <= width
            assert float(box.get("y")) + float(box.get("height")) <= height
        for text in root.iter("text"):
            if turn := text.get("transform"):
                x, y = (float(number) for number in turn[11:-1].split())
                reach = width_of(text.text) * math.sqrt(0.5)
                assert x + reach <= width
                assert y - reach >= 0

    def test_the_shade_is_the_share_of_the_row(self):
        root = tree(HeatMap("t", "true", "predicted", ("a", "b"), ("a", "b"), [[99, 1], [0, 2]]))
        assert [cell.get("class") for cell in of_class(root, "cell")] == ["cell h6", "cell h1", "cell h0", "cell h6"]

    @given(st.floats(0, 1))
    def test_shades_exist(self, share):
        assert 0 <= shade(share) < STEPS
        assert (shade(share) == 0) == (share == 0)

    @given(st.integers(0, 10**11))
    def test_a_cell_holds_at_most_four_characters(self, value):
        assert len(cell_text(value)) <= 4


class TestIntervals:
    def test_dot_and_whisker(self):
        root = tree(IntervalChart("t", "x", {"a": Score(0.5, 0.25, 0.75, 9, "f1|v1")}))
        (whisker,) = of_class(root, "whisker")
        (dot,) = of_class(root, "dot")
        ends = [float(whisker.get(end)) for end in ("x1", "x2")]
        assert float(dot.get("cx")) == pytest.approx(sum(ends) / 2, abs=0.02)
        assert "a · 50.0 % [25.0, 75.0] · f1|v1" in [title.text for title in root.iter("title")]

    def test_warnings_are_visible(self):
        fine, care = Score(0.5, 0.4, 0.6, 9, "f1"), Score(0.5, 0.4, 0.6, 9, "f1", "few rows")
        assert draw(IntervalChart("t", "x", {"a": fine, "b": care}), WORDS["en"]).notes == ("* b: few rows",)
        assert draw(IntervalChart("t", "x", {"a": care, "b": care}), WORDS["en"]).notes == ("* few rows",)
        assert draw(IntervalChart("t", "x", {"a": fine}), WORDS["en"]).notes == ()
