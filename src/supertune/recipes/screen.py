"""How a training looks in the terminal while it is watched: numbers, curves and the last lines, for any size."""

from __future__ import annotations

import datetime
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from supertune.language import display_width, shorten
from supertune.recipes.plot import Line, plot
from supertune.runs import Course, Curves, duration_text, event_loss, plain_number, smoothed_loss

if TYPE_CHECKING:
    from rich.text import Text

TRAINING, VALIDATION, SCORE = "cyan", "yellow", "green"
SILENT = 30.0
"""Seconds without an event after which it is said how long nothing was heard."""

_BESIDE = 96
_LOWEST, _HIGHEST = 3, 12
_BETWEEN = " · "


def screen(course: Course, name: str, status: str, lines: Sequence[str], size: tuple[int, int], now: float) -> Text:
    """The whole picture, at most ``size`` (columns, rows).

    Args:
        course: How training is going.
        name: The run.
        status: How it stands.
        lines: What happened last, the newest at the end.
        size: Of the terminal.
        now: The time, in seconds since 1970.
    """
    from rich.text import Text

    width, height = max(20, size[0]), max(4, size[1])
    head = [Text(f"{shorten(name, width - len(status) - 2)}: {status}", style="bold")]
    if course.share is not None:
        head.append(_bar(course.share, width))
    head += [Text(line) for line in _flowing(_numbers(course, status, now), width)]
    shown = min(len(lines), 5, max(1, height // 6))
    tail = [Text(shorten(line, width), style="dim") for line in lines[len(lines) - shown :]]
    room = height - len(head) - len(tail) - 2
    picture = [*head, *_charts(course, width, room), *([Text()] if tail else []), *tail]
    for row in picture:
        row.truncate(width)
    return Text("\n", no_wrap=True, overflow="crop").join(picture[:height])


def _bar(share: float, width: int) -> Text:
    from rich.text import Text

    percent = f" {share:.0%}"
    room = width - len(percent)
    done = round(share * room)
    return Text.assemble(("━" * done, TRAINING), ("━" * (room - done), "dim"), percent)


def _numbers(course: Course, status: str, now: float) -> list[str]:
    """The numbers to look at, the most important first."""
    if not course.heard:
        return ["training has not begun: the data is being read and the model prepared"]
    steps = f" of {course.steps:,}" if course.steps else ""
    numbers = [f"step {course.step:,}{steps}"]
    if isinstance(epochs := course.plan.get("epochs"), int):
        numbers.append(f"epoch {min(len(course.curves.epochs) + 1, epochs)} of {epochs}")
    if isinstance(course.seed, int):
        numbers.append(f"seed {course.seed}")
    if status == "running":
        numbers += _pace(course, now)
    numbers += measured(course)
    return numbers


def _pace(course: Course, now: float) -> list[str]:
    if course.trained:
        return ["saving and measuring"]
    numbers = []
    if course.seconds_left is not None:
        numbers.append(f"{duration_text(course.seconds_left)} left")
    if course.items_per_second is not None:
        numbers.append(f"{course.items_per_second:,.0f} rows/s")
    silence = now - datetime.datetime.fromisoformat(course.heard).timestamp()
    if silence > SILENT:
        numbers.append(f"nothing heard for {duration_text(silence)}")
    return numbers


def measured(course: Course) -> list[str]:
    """Loss, learning rate and the best epoch, as far as they are known."""
    curves, numbers = course.curves, []
    if len(curves.steps):
        numbers.append(f"loss {plain_number(smoothed_loss(curves)[-1])}")
        if math.isfinite(curves.rates[-1]):
            numbers.append(f"learning rate {curves.rates[-1]:.2g}")
    best, metric = curves.best, course.metric
    if best and metric is not None and metric in best:
        numbers.append(f"best {metric} {plain_number(best[metric])} (epoch {best['epoch']})")
    return numbers


def _flowing(items: Sequence[str], width: int) -> list[str]:
    """The items side by side, on as many lines as they need."""
    lines: list[str] = []
    for item in items:
        if lines and display_width(lines[-1] + _BETWEEN + item) <= width:
            lines[-1] += _BETWEEN + item
        else:
            lines.append(shorten(item, width))
    return lines


def _charts(course: Course, width: int, room: int) -> list[Text]:
    """The loss and the validation score in ``room`` rows, side by side where the terminal is wide."""
    from rich.text import Text

    curves = course.curves
    charts = [chart for chart in (_loss(curves), _score(curves, course.metric)) if chart is not None]
    # Every chart has an empty row and a title above, and the ends of x below.
    if len(charts) == 2 and width >= _BESIDE:
        height = min(_HIGHEST, room - 3)
        if height < _LOWEST:
            return []
        half = (width - 3) // 2
        left, right = ([title, *plot(lines, width=half, height=height)] for title, lines in charts)
        return [Text(), *(_beside(one, other, half) for one, other in zip(left, right, strict=True))]
    charts = charts[: max(0, room // (_LOWEST + 3))]
    height = min(_HIGHEST, room // len(charts) - 3) if charts else 0
    return [row for title, lines in charts for row in (Text(), title, *plot(lines, width=width, height=height))]


def _beside(left: Text, right: Text, width: int) -> Text:
    from rich.text import Text

    return Text.assemble(left, " " * (width + 3 - left.cell_len), right)


def _loss(curves: Curves) -> tuple[Text, list[Line]] | None:
    from rich.text import Text

    if not len(curves.steps):
        return None
    lines = [Line(curves.steps, smoothed_loss(curves).tolist(), TRAINING)]
    title = Text.assemble("loss  ", ("training", TRAINING))
    losses = [event_loss(row) for row in curves.validations]
    if np.isfinite(losses).any():
        lines.append(Line([row["step"] for row in curves.validations], losses, VALIDATION))
        title.append("  validation", style=VALIDATION)
    return title, lines


def _score(curves: Curves, metric: str | None) -> tuple[Text, list[Line]] | None:
    from rich.text import Text

    rows = [row for row in curves.validations if isinstance(row.get(metric or ""), int | float)]
    if metric is None or len(rows) < 2:
        return None
    line = Line([row["epoch"] for row in rows], [row[metric] for row in rows], SCORE)
    return Text.assemble((metric, SCORE), " after each epoch"), [line]
