"""A comparison of runs as tables."""

from __future__ import annotations

from dataclasses import replace

from supertune.console import Console
from supertune.contracts import Score
from supertune.evaluate import METRICS
from supertune.language import shorten
from supertune.recipes.comparison import Comparison, PairCompared
from supertune.runs import added_value, is_proportion, score_text

_SHOWN = 10
"""Slices and rows that are shown; all of them are in the JSON, and all rows in the file."""


def show_comparison(found: Comparison, console: Console) -> None:
    """Scores, differences, parts of the rows, and rows that are answered differently."""
    rows = [(name, *(score_text(scores[metric]) for metric in scores)) for name, scores in found.scores.items()]
    console.heading(f"{len(found.runs[0].lines):,} test rows")
    console.table(("run", *next(iter(found.scores.values()))), rows)
    known = METRICS[found.runs[0].outcome.answers]
    for pair in found.pairs:
        console.heading(f"{pair.first} minus {pair.second}")
        console.table(
            ("metric", "difference and 95 % interval", ""),
            [(name, _signed(score), score.warning or "") for name, score in pair.differences.items()],
        )
        console.say(f"  {_verdict(pair, found.primary, known[found.primary].higher_is_better)}")
        if pair.slices:
            _show_slices(pair, console)
        _show_flipped(found, pair, console)


def _show_slices(pair: PairCompared, console: Console) -> None:
    console.say(f"\n  parts of the rows, {len(pair.slices)} looked at; p is of luck, adjusted for all of them (Holm)")
    shown = [
        (part.name, f"{part.difference.n:,}", _signed(part.difference), _probability(part.probability))
        for part in pair.slices[:_SHOWN]
    ]
    console.table(("rows where", "rows", "difference", "p"), shown, right=(1, 3))


def _show_flipped(found: Comparison, pair: PairCompared, console: Console) -> None:
    if pair.test is None or not pair.flipped:
        return
    told = {each.name: each for each in found.runs}
    one, other = told[pair.first], told[pair.second]
    console.say(f"\n  {len(pair.flipped):,} rows are answered differently")
    shown = [
        (
            str(added_value("row", one.lines[row])),
            shorten(" ".join(str(one.lines[row].get(name, "")) for name in one.columns.text), 60),
            ", ".join(str(one.lines[row][name]) for name in one.columns.labels),
            str(added_value("prediction", one.lines[row])),
            str(added_value("prediction", other.lines[row])),
        )
        for row in pair.flipped[:_SHOWN]
    ]
    console.table(("row", "text", "label", pair.first, pair.second), shown, right=(0,))


def _verdict(pair: PairCompared, metric: str, higher_is_better: bool) -> str:
    """In words whether one is better, by the interval of one metric, and what the test says."""
    score = pair.differences[metric]
    if score.low <= 0 <= score.high:
        said = f"which of the two is better by {metric} cannot be told from {score.n:,} rows"
    else:
        better = pair.first if (score.value > 0) == higher_is_better else pair.second
        said = f"{better} is better by {metric}"
    if pair.test is None or pair.probability is None:
        return said
    test = pair.test
    return (
        f"{said}; {test.first:,} rows only {pair.first} gets right, {test.second:,} only {pair.second}: "
        f"McNemar's mid-p {_probability(pair.probability)}"
    )


def _signed(score: Score) -> str:
    """``+1.2 [−0.3, +2.7] points`` of a proportion, plain numbers of others."""
    shares = is_proportion(replace(score, signature=score.signature.removeprefix("difference:")))
    scale, unit, digits = (100, " points", 1) if shares else (1, "", 4)
    value, low, high = (
        f"{scale * each:+.{digits}f}".replace("-", "−") for each in (score.value, score.low, score.high)
    )
    return f"{value} [{low}, {high}]{unit}"


def _probability(value: float | None) -> str:
    return "" if value is None else "< 0.001" if value < 0.001 else f"{value:.3f}"
