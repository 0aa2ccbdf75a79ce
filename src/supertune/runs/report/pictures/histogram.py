"""Histograms: counts per bin, one group as bars, several as overlaid outlines."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from xml.etree.ElementTree import Element

from supertune.contracts import Histogram
from supertune.runs.report.pictures.axis import Axis, axis_for, short
from supertune.runs.report.pictures.frame import WIDTH, Drawing, Frame, colour, frame, mark, nothing
from supertune.runs.report.pictures.svg import element, path, picture, tooltip
from supertune.runs.report.words import Words


def draw_histogram(chart: Histogram, words: Words) -> Drawing:
    """The chart as a picture."""
    edges = [float(edge) for edge in chart.edges]
    counts = [count for group in chart.groups.values() for count in group]
    y = axis_for(counts, from_zero=True, count=4)
    fixed = (edges[0], edges[-1]) if len(edges) > 1 else None
    x = axis_for(edges, fixed=fixed, count=6)
    if not any(counts) or x is None or y is None or not all(map(math.isfinite, edges)):
        return nothing(chart.title, chart.caption, words.nothing)
    legend = list(chart.groups) if len(chart.groups) > 1 else []
    base = frame(x, y, x_label=chart.x_label, y_label="", legend=legend, mark_row=chart.mark is not None)
    draw = _bars if len(chart.groups) == 1 else _outline
    drawn = [
        shape
        for index, group in enumerate(chart.groups.values())
        for shape in draw(edges, group, index, base.x, base.y)
    ]
    children = [*base.below, *drawn, *mark(chart.mark, base), *_hover(chart, edges, base, words)]
    return Drawing(
        picture(WIDTH, base.height, chart.title, _summary(chart, edges, words), children),
        chart.title,
        chart.caption,
    )


def _bars(edges: Sequence[float], counts: Sequence[int], index: int, x: Axis, y: Axis) -> list[Element]:
    bars = []
    for low, high, count in zip(edges[:-1], edges[1:], counts, strict=True):
        left, right, top = x.at(low), x.at(high), y.at(count)
        gap = 1.0 if right - left > 4 else 0.0
        if count:
            bars.append(
                element(
                    "rect",
                    x=left + gap / 2,
                    y=top,
                    width=max(right - left - gap, 0.5),
                    height=y.start - top,
                    class_=f"bar {colour(index)}",
                )
            )
    return bars


def _outline(edges: Sequence[float], counts: Sequence[int], index: int, x: Axis, y: Axis) -> list[Element]:
    steps = [(x.at(edges[0]), y.start)]
    for low, high, count in zip(edges[:-1], edges[1:], counts, strict=True):
        steps += [(x.at(low), y.at(count)), (x.at(high), y.at(count))]
    steps.append((x.at(edges[-1]), y.start))
    return [
        element("path", d=path(steps, close=True), class_=f"band {colour(index)}"),
        element("path", d=path(steps), class_=f"line thin {colour(index)}"),
    ]


def _hover(chart: Histogram, edges: Sequence[float], base: Frame, words: Words) -> list[Element]:
    areas = []
    for bin_, (low, high) in enumerate(itertools.pairwise(edges)):
        span = words.bin.format(start=short(low), end=short(high))
        text = " · ".join([span, *(f"{name}: {counts[bin_]:,}" for name, counts in chart.groups.items())])
        left, right = base.x.at(low), base.x.at(high)
        areas.append(
            element(
                "rect",
                tooltip(text),
                x=left,
                y=base.y.end,
                width=right - left,
                height=base.y.start - base.y.end,
                class_="hover",
            )
        )
    return areas


def _summary(chart: Histogram, edges: Sequence[float], words: Words) -> str:
    sentences = []
    for name, counts in chart.groups.items():
        fullest = max(range(len(counts)), key=lambda position: counts[position])
        sentences.append(
            words.histogram_summary.format(
                name=name,
                count=f"{sum(counts):,}",
                most=f"{counts[fullest]:,}",
                start=short(edges[fullest]),
                end=short(edges[fullest + 1]),
            )
        )
    return " ".join(sentences)
