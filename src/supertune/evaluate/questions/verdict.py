"""One paragraph in plain words on answers to questions, in English and Chinese."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from supertune.contracts import Outcome, Score
from supertune.errors import UserError

_FEW_ROWS = 30
_WIDE = 0.2
_CLEARLY = 0.05
"""Share of questions answered for nothing, or left open for nothing, from which that is worth a word."""


@dataclass(frozen=True)
class _Facts:
    """Everything the verdict mentions.

    Attributes:
        exact: Exact match.
        f1: F1 by the rules of the texts' language.
        sentence: F1 of the sentence that shares the most with the question, if measured.
        difference: The model minus that, paired, if measured.
        open_share: Share of test questions that have no answer.
        made_up: Share of those that were given one.
        kept_back: Share of the others that were given none.
    """

    exact: Score
    f1: Score
    sentence: float | None
    difference: Score | None
    open_share: float
    made_up: float
    kept_back: float

    @property
    def vague(self) -> bool:
        return self.f1.n < _FEW_ROWS or self.f1.high - self.f1.low > _WIDE

    @property
    def lead(self) -> str:
        if self.difference is None or self.difference.low <= 0 <= self.difference.high:
            return "open"
        return "ahead" if self.difference.low > 0 else "behind"


def verdict_on_answers(
    scores: Mapping[str, Score],
    baselines: Mapping[str, Mapping[str, Score]],
    difference: Score | None,
    outcome: Outcome,
    metric: str,
    *,
    language: str = "en",
) -> str:
    """Four to six sentences for a person who is not a statistician.

    Args:
        scores: The model's scores on the test rows.
        baselines: Name (``sentence``) → its scores on the same rows.
        difference: The model minus that baseline in ``metric``, or None.
        outcome: The test rows.
        metric: ``f1`` or ``f1_cmrc``: which rules suit the texts.
        language: ``en`` or ``zh``.

    Raises:
        UserError: The language has no words here.
    """
    languages = {"en": _english, "zh": _chinese}
    if language not in languages:
        raise UserError(f"the verdict cannot be written in {language!r}", fix=f"choose {' or '.join(languages)}")
    empty = np.array([not answer for answer in outcome.outputs], bool)
    without = np.array([not truths for truths in outcome.targets], bool)
    sentence = baselines.get("sentence", {}).get(metric)
    facts = _Facts(
        exact=scores[metric.replace("f1", "exact_match")],
        f1=scores[metric],
        sentence=None if sentence is None else sentence.value,
        difference=difference,
        open_share=float(without.mean()),
        made_up=float((~empty)[without].mean()) if without.any() else 0.0,
        kept_back=float(empty[~without].mean()) if not without.all() else 0.0,
    )
    return ("" if language == "zh" else " ").join(filter(None, languages[language](facts)))


def _percent(value: float) -> str:
    return f"{100 * value:.0f}".replace("-", "−")


def _points(score: Score) -> tuple[str, str, str]:
    low, high = (f"{100 * value:+.1f}".replace("-", "−") for value in (score.low, score.high))
    return f"{abs(100 * score.value):.1f}", low, high


# ---------------------------------------------------------------- English


def _english(facts: _Facts) -> list[str]:
    exact, f1 = facts.exact, facts.f1
    return [
        f"Of {f1.n:,} test questions that training never saw, {_percent(exact.value)} % "
        f"({_percent(exact.low)} to {_percent(exact.high)}) were answered in exactly the right words.",
        f"Given and right answers share {_percent(f1.value)} % of their words (F1, {_percent(f1.low)} to "
        f"{_percent(f1.high)})."
        + (
            ""
            if facts.sentence is None
            else f" Quoting the sentence that resembles the question most reaches {_percent(facts.sentence)} %."
        ),
        _ahead(facts),
        _unanswered(facts),
        _advice(facts),
    ]


def _ahead(facts: _Facts) -> str:
    if facts.difference is None:
        return ""
    points, low, high = _points(facts.difference)
    standing = "behind" if facts.difference.value < 0 else "ahead"
    luck = ", which could be luck" if facts.lead == "open" else "; luck alone would rarely do this"
    return f"The model is {points} points {standing} of that (between {low} and {high} is plausible){luck}."


def _unanswered(facts: _Facts) -> str:
    if not facts.open_share:
        return ""
    return (
        f"{_percent(facts.open_share)} % of the questions have no answer in their text; {_percent(facts.made_up)} % of "
        f"these were given one, and {_percent(facts.kept_back)} % of the others were given none."
    )


def _advice(facts: _Facts) -> str:
    if facts.vague:
        return "More test rows would help most: these are too few to tell how good the model is."
    if facts.lead == "behind":
        return "Something is wrong: look at the answers in the report, and whether they stand where the data say."
    if facts.lead == "open" and facts.difference is not None:
        return "More training rows would help most: the model has hardly learned to find answers yet."
    if facts.open_share and max(facts.made_up, facts.kept_back) > _CLEARLY:
        return "To become better, add questions whose answer the text almost gives, and does not."
    return "To become better, look at the worst errors in the report first, then add rows like them."


# ---------------------------------------------------------------- Chinese


def _chinese(facts: _Facts) -> list[str]:
    exact, f1 = facts.exact, facts.f1
    return [
        f"训练中从未见过的 {f1.n} 个测试问题里，{_percent(exact.value)}%"
        f"（{_percent(exact.low)} 至 {_percent(exact.high)}%）的回答与标准答案完全一致。",
        f"回答与标准答案的重合程度（F1）为 {_percent(f1.value)}%（{_percent(f1.low)} 至 {_percent(f1.high)}%）"
        + ("。" if facts.sentence is None else f"；直接摘出与问题最相似的句子可达 {_percent(facts.sentence)}%。"),
        _ahead_zh(facts),
        _unanswered_zh(facts),
        _advice_zh(facts),
    ]


def _ahead_zh(facts: _Facts) -> str:
    if facts.difference is None:
        return ""
    points, low, high = _points(facts.difference)
    standing = "低" if facts.difference.value < 0 else "高"
    luck = "，有可能只是运气" if facts.lead == "open" else "，仅凭运气很少出现这样的差距"
    return f"模型比后者{standing} {points} 个百分点（可能在 {low} 至 {high} 之间）{luck}。"


def _unanswered_zh(facts: _Facts) -> str:
    if not facts.open_share:
        return ""
    return (
        f"{_percent(facts.open_share)}% 的问题在文中没有答案，其中 {_percent(facts.made_up)}% 被误答；"
        f"其余问题中有 {_percent(facts.kept_back)}% 没有得到回答。"
    )


def _advice_zh(facts: _Facts) -> str:
    if facts.vague:
        return "最有帮助的是更多测试数据：现有的太少，无法判断模型有多好。"
    if facts.lead == "behind":
        return "结果不正常：请查看报告中的回答，并检查答案位置是否与数据所写一致。"
    if facts.lead == "open" and facts.difference is not None:
        return "最有帮助的是更多训练数据：模型还没有学会寻找答案。"
    if facts.open_share and max(facts.made_up, facts.kept_back) > _CLEARLY:
        return "想要更好，请补充一些文中看似有答案、其实没有的问题。"
    return "想要更好，请先查看报告中最严重的错误，再补充类似的数据。"
