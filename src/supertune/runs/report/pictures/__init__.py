"""Pictures as inline SVG: one file per kind of chart, over a small common ground of axes and labels."""

from __future__ import annotations

from supertune.contracts import HeatMap, Histogram, IntervalChart, LineChart, Picture
from supertune.runs.report.pictures.frame import Drawing
from supertune.runs.report.pictures.heatmap import draw_heat_map
from supertune.runs.report.pictures.histogram import draw_histogram
from supertune.runs.report.pictures.intervals import draw_intervals
from supertune.runs.report.pictures.lines import draw_lines
from supertune.runs.report.words import Words

__all__ = ["Drawing", "draw"]


def draw(picture: Picture, words: Words) -> Drawing:
    """Any picture, drawn."""
    match picture:
        case LineChart():
            return draw_lines(picture, words)
        case Histogram():
            return draw_histogram(picture, words)
        case HeatMap():
            return draw_heat_map(picture, words)
        case IntervalChart():
            return draw_intervals(picture, words)
