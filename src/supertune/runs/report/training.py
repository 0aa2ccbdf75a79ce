"""How training goes, as parts of a report: learning curves, and where a run in progress stands."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from supertune.contracts import Histogram, LineChart, Paragraph, Score, Section, Series
from supertune.runs.course import Course, Curves, Floats, event_loss, number, smoothed_loss, smoothing
from supertune.runs.manifest import Status
from supertune.runs.report.duration import duration_text
from supertune.runs.report.render import Figure, Live, Report
from supertune.runs.report.words import WORDS, Language, TrainingWords, Words
from supertune.runs.score_text import is_proportion, value_text

REFRESH = 10
"""Seconds after which a browser asks for the page of a run in progress again."""

_POINTS = 200
_DENSE = 2000
"""More single steps than this are drawn as a band: as lines they would cover each other."""


def learning_section(
    curves: Curves,
    metric: str | None,
    language: Language,
    *,
    before: Sequence[Paragraph] = (),
    after: Sequence[Histogram] = (),
) -> Section:
    """Loss, validation score and learning rate over the steps, the best epoch marked.

    Args:
        curves: What was measured so far.
        metric: The metric that chooses the epoch; None leaves the picture of scores out.
        language: Language of the captions.
        before: What to say above the pictures.
        after: Pictures to show beside them.
    """
    words = WORDS[language]
    charts: list[LineChart] = []
    if len(curves.steps):
        charts.append(_losses(curves, words.training))
    if curves.validations and metric is not None:
        charts.append(_scores(curves, metric, words))
    if len(curves.steps) and np.isfinite(curves.rates).any():
        charts.append(_rates(curves, words.training))
    said = before if charts else (*before, Paragraph(words.training.waiting))
    return Section(words.training.title, (*said, *charts, *after))


def _losses(curves: Curves, words: TrainingWords) -> LineChart:
    steps, losses, half = np.array(curves.steps), np.array(curves.losses), smoothing(curves)
    at = np.unique(np.linspace(0, len(losses) - 1, _POINTS).astype(int))
    line = Series(words.training, steps[at].tolist(), smoothed_loss(curves)[at].tolist())
    caption = ""
    series = [line]
    if len(losses) > _DENSE:
        low, high = _spread(losses, half, at)
        series = [replace(line, low=low.tolist(), high=high.tolist())]
        caption = words.banded
    elif half:
        series = [Series(words.single_steps, steps.tolist(), losses.tolist(), faint=True), line]
        caption = words.smoothed
    if any(np.isfinite(event_loss(row)) for row in curves.validations):
        ends = [row["step"] for row in curves.validations]
        series.append(Series(words.validation, ends, [event_loss(row) for row in curves.validations]))
    caption = caption.format(count=f"{2 * half + 1:,}")
    return LineChart(
        words.loss_title,
        words.step,
        words.loss,
        tuple(series),
        caption=caption,
        mark=_mark(curves.best, "step", words),
    )


def _spread(values: Floats, half: int, at: NDArray[np.int64]) -> tuple[Floats, Floats]:
    """Between which values nine in ten lie around each of the positions ``at``."""
    windows = [values[max(0, position - half) : position + half + 1] for position in at]
    shares = [np.nanquantile(one, (0.05, 0.95)) if np.isfinite(one).any() else (np.nan,) * 2 for one in windows]
    low, high = np.array(shares).T
    return low, high


def _scores(curves: Curves, metric: str, words: Words) -> LineChart:
    rows = curves.validations
    # Accuracy beside another metric says whether they part; on the scale of a loss it would say nothing.
    beside = ("accuracy",) if is_proportion(_score(metric)) and "accuracy" in rows[-1] else ()
    series = tuple(
        Series(words.metrics.get(name, name), [row["epoch"] for row in rows], [number(row.get(name)) for row in rows])
        for name in dict.fromkeys((metric, *beside))
    )
    # Of two lines the legend says which is which.
    name = words.metrics.get(metric, metric) if len(series) == 1 else ""
    mark = _mark(curves.best, "epoch", words.training)
    return LineChart(words.training.score_title, words.training.epoch, name, series, mark=mark)


def _rates(curves: Curves, words: TrainingWords) -> LineChart:
    steps, rates = np.array(curves.steps), np.array(curves.rates)
    at = np.unique(np.append(np.linspace(0, len(rates) - 1, _POINTS).astype(int), np.nanargmax(rates)))
    series = Series(words.rate, steps[at].tolist(), rates[at].tolist())
    return LineChart(words.rate_title, words.step, words.rate, (series,))


def _mark(best: Mapping[str, Any] | None, axis: str, words: TrainingWords) -> tuple[float, str] | None:
    return (best[axis], words.best_mark.format(epoch=best["epoch"])) if best else None


def progress_report(
    course: Course,
    *,
    title: str,
    metric: str | None,
    status: Status,
    at: datetime.datetime,
    problem: str = "",
    language: Language,
) -> Report:
    """The report of a run that has not ended, or not well: where it stands, and its curves so far.

    Args:
        course: What its events say.
        title: Heads the page.
        metric: The metric that chooses the epoch.
        status: How the run stands; ``running`` asks the browser to load the page again every 10 seconds.
        at: When this is.
        problem: Why the run failed.
        language: Language of the fixed words.
    """
    words = WORDS[language]
    running = status == "running"
    live = Live(
        share=course.share,
        figures=tuple(_figures(course, metric, language, running=running)),
        note=_note(words.training, at, running=running),
        refresh=REFRESH if running else 0,
    )
    return Report(
        title=title,
        verdict=_standing(course, words.training, problem, running=running),
        headline={},
        sections=(learning_section(course.curves, metric, language),),
        status=status,
        live=live,
        language=language,
    )


def _standing(course: Course, words: TrainingWords, problem: str, *, running: bool) -> str:
    sentences = [words.failed.format(problem=problem)] if problem else []
    if course.step or course.steps is None:
        steps = f"{course.steps:,}" if course.steps else "?"
        sentences.append(words.under_way.format(step=f"{course.step:,}", steps=steps))
    else:
        sentences.append(words.waiting)
    if isinstance(epochs := course.plan.get("epochs"), int):
        done = course.curves.epochs[-1]["epoch"] if course.curves.epochs else 0
        sentences.append(words.epochs_done.format(count=done, epochs=epochs))
    if course.stopped is not None:
        sentences.append(words.stopped.format(reason=course.stopped))
    if course.trained and running:
        sentences.append(words.finishing)
    return words.between.join(sentences)


def _figures(course: Course, metric: str | None, language: Language, *, running: bool) -> list[Figure]:
    words, figures = WORDS[language], []
    said = words.training
    if running and not course.trained and course.seconds_left is not None:
        figures.append(Figure(said.left, duration_text(course.seconds_left, language), said.left_note))
    best = course.curves.best
    if best and metric is not None and metric in best:
        value = value_text(_score(metric, number(best[metric])))
        figures.append(Figure(words.metrics.get(metric, metric), value, said.best_note.format(epoch=best["epoch"])))
    if running and not course.trained and course.items_per_second is not None:
        figures.append(Figure(said.speed, said.speed_value.format(count=f"{course.items_per_second:,.0f}"), ""))
    return figures


def _score(metric: str, value: float = float("nan")) -> Score:
    return Score(value, value, value, n=0, signature=metric)


def _note(words: TrainingWords, at: datetime.datetime, *, running: bool) -> str:
    written = words.as_of.format(time=f"{at:%Y-%m-%d %H:%M:%S}")
    return words.between.join([written, words.renewed.format(count=REFRESH)]) if running else written
