"""A report in which every text and number is as bad as it can be, and every kind of block stands."""

from __future__ import annotations

import math

import numpy as np

from supertune.contracts import (
    Finding,
    Grid,
    HeatMap,
    Histogram,
    IntervalChart,
    LineChart,
    Paragraph,
    Quote,
    Score,
    Section,
    Series,
)
from supertune.runs import Report

SCRIPT = "</title></style><script>alert(1)</script><img src=x onerror=alert(1)>\"'&amp;]]>-->{{ 7*7 }}"
BACKWARDS = "\u202eevil\u202e مرحبا"
CONTROLS = "\x00\x1b[31m\x85\ud800\ufffe\r\n"
BAD = SCRIPT + BACKWARDS + CONTROLS
BIG = "长" * 1_000_000
NAN, INF = math.nan, math.inf


def hostile_score(value: float, low: float, high: float, warning: str | None = None) -> Score:
    return Score(value, low, high, 50, "f1/" + BAD + "|v1", warning)


def pictures() -> tuple[LineChart | Histogram | HeatMap | IntervalChart, ...]:
    generator = np.random.default_rng(1)
    steps = list(range(5000))
    names = tuple(f"类别{i} category {i}" for i in range(30))
    s = hostile_score
    return (
        LineChart(BAD, BAD, BAD, tuple(Series(f"{BAD}{i}", [0, 1], [i, i + 1]) for i in range(10)), caption=BAD),
        LineChart("many", "x", "y", (Series("a", steps, generator.normal(size=5000).tolist()),)),
        LineChart("single", "x", "y", (Series("a", [3], [4], [3], [5]),)),
        LineChart("constant", "x", "y", (Series("a", [1, 2], [0.5, 0.5]),)),
        LineChart("holes", "x", "y", (Series("a", [1, 2, 3, 4], [1, NAN, 2, INF], [NAN] * 4, [INF] * 4),)),
        LineChart("nothing", "x", "y", (Series("a", [1, 2], [NAN, -INF]),), (0, 1), (0, 1), diagonal=True),
        LineChart("empty", "x", "y", ()),
        LineChart("diagonal", "x", "y", (Series("a", [0, 1], [0, 1]),), (0, 1), (0, 1), diagonal=True),
        LineChart("range", BIG, BIG, (Series(BIG, [0, 1e7], [-2e6, 3e9]),), (1, 1), (NAN, 2)),
        Histogram(BAD, BAD, [0, 1], {BAD: [3]}, (0.0, BIG), BAD),
        Histogram("empty", "x", [], {}),
        Histogram("zero", "x", [0, 1, 2], {"a": [0, 0]}),
        Histogram("groups", "x", [0, 1, 2], {BAD: [1, 2], "b": [3, 4], BIG: [9, 0]}, (99, "outside")),
        HeatMap(BAD, BAD, BAD, (BAD, BIG), (BAD, "x"), [[12_000, NAN], [INF, -4]], BAD),
        HeatMap("thirty", "true", "predicted", names, names, generator.integers(0, 999, (30, 30)).tolist()),
        HeatMap("empty", "true", "predicted", (), (), []),
        IntervalChart(
            BAD,
            BAD,
            {
                "missing": s(NAN, NAN, NAN),
                "point": s(0.7, 0.7, 0.7),
                "out": s(1.5, -3, INF),
                BAD: s(0.2, 0.1, 0.3, BAD),
                BIG: s(0, 0, 0),
            },
        ),
        IntervalChart("empty", "x", {}),
    )


def hostile_report() -> Report:
    s = hostile_score
    blocks = (
        *pictures(),
        Paragraph(BIG),
        Paragraph(BAD),
        Paragraph("a" * 3000),
        Grid((BAD, "b" * 500, "n"), ((BIG, BAD, 3), ("x", 1.5, s(0.4, 0.3, 0.5, BAD)), ("y", NAN, s(NAN, 0, 1))), BAD),
        Grid(("a",), ()),
        Quote(BIG, {"note": BIG, BAD: BAD}),
        Quote("", {"row": "3"}),
        Quote("Z" + "\u0301" * 3000, {}),
    )
    return Report(
        title=BAD,
        verdict=BAD + BIG,
        headline={BAD: s(0.5, 0.4, 0.6, BAD), "accuracy": s(NAN, NAN, NAN)},
        baselines={BIG: {"accuracy": s(0.1, 0, 0.2)}},
        sections=(Section(BAD, blocks),),
        findings=(Finding(BAD, "error", BIG, BAD, BAD, tuple(range(100_000))),),
        rows=5,
        facts={BAD: BIG},
        status="failed",
    )
