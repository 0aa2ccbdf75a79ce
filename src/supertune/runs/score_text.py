"""Scores and numbers as people read them, the same in report and card."""

from __future__ import annotations

import math
import re

from supertune.contracts import Score

MISSING = "–"

_PROPORTION = re.compile(
    r"(accuracy|f1|precision|recall|exact_match|rouge(1|2|L|Lsum)|bleu|chrf|repetition|distinct[12]|empty|run_on)(?=[_/|]|$)"
)


def is_proportion(score: Score) -> bool:
    """Whether the score is a share of something, read in per cent; its signature begins with the metric's name."""
    return bool(_PROPORTION.match(score.signature))


def value_text(score: Score) -> str:
    """The value alone: ``86.4 %`` for proportions, ``0.312`` for others."""
    if not math.isfinite(score.value):
        return MISSING
    return f"{100 * score.value:.1f} %" if is_proportion(score) else plain_number(score.value)


def interval_text(score: Score) -> str:
    """The interval alone, ``[82.1, 89.8]``; empty where the score has none."""
    if not (math.isfinite(score.low) and math.isfinite(score.high)) or score.low == score.high:
        return ""
    if is_proportion(score):
        return f"[{100 * score.low:.1f}, {100 * score.high:.1f}]"
    return f"[{plain_number(score.low)}, {plain_number(score.high)}]"


def score_text(score: Score) -> str:
    """Value and interval: ``86.4 % [82.1, 89.8]``."""
    return f"{value_text(score)} {interval_text(score)}".rstrip()


def plain_number(value: float) -> str:
    """A number for a table: whole ones with thousands separated, others with three decimals or digits that matter."""
    if not math.isfinite(value):
        return MISSING
    if isinstance(value, int) or (value == round(value) and abs(value) >= 1000):
        return f"{value:,.0f}".replace("-", "−")
    shown = f"{value:.3f}" if 0.001 <= abs(value) < 1000 or value == 0 else f"{value:.3g}"
    if abs(value) >= 1000:
        shown = f"{value:,.1f}"
    return shown.replace("-", "−")
