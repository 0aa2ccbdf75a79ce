"""One paragraph in plain words on extracts, in English and Chinese."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from supertune.contracts import Score
from supertune.errors import UserError

_FEW_ROWS = 30
_WIDE = 0.1
_NEAR = 0.9
"""Share of what the best extract reaches from which little is left to learn."""


@dataclass(frozen=True)
class _Facts:
    """Everything the verdict mentions, as ROUGE-1.

    Attributes:
        score: The model's.
        lead: The first sentences', if measured.
        textrank: The most central sentences', if measured.
        best: That of the sentences nearest to the summaries, if measured.
        difference: The model minus the first sentences, paired, if measured.
    """

    score: Score
    lead: float | None
    textrank: float | None
    best: float | None
    difference: Score | None

    @property
    def vague(self) -> bool:
        return self.score.n < _FEW_ROWS or self.score.high - self.score.low > _WIDE

    @property
    def lead_of(self) -> str:
        if self.difference is None or self.difference.low <= 0 <= self.difference.high:
            return "open"
        return "ahead" if self.difference.low > 0 else "behind"


def verdict_on_summaries(
    scores: Mapping[str, Score],
    baselines: Mapping[str, Mapping[str, Score]],
    difference: Score | None,
    *,
    metric: str = "rouge1",
    language: str = "en",
) -> str:
    """Three to five sentences for a person who is not a statistician.

    Args:
        scores: The model's scores on the test rows.
        baselines: Name (``lead``, ``textrank``, ``oracle``) → its scores on the same rows.
        difference: The model minus ``lead`` in ``metric``, or None.
        metric: What is told.
        language: ``en`` or ``zh``.

    Raises:
        UserError: The language has no words here.
    """
    languages = {"en": _english, "zh": _chinese}
    if language not in languages:
        raise UserError(f"the verdict cannot be written in {language!r}", fix=f"choose {' or '.join(languages)}")
    others = {name: values[metric].value for name, values in baselines.items() if metric in values}
    facts = _Facts(scores[metric], others.get("lead"), others.get("textrank"), others.get("oracle"), difference)
    return ("" if language == "zh" else " ").join(filter(None, languages[language](facts)))


def _percent(value: float) -> str:
    return f"{100 * value:.1f}"


def _points(score: Score) -> tuple[str, str, str]:
    low, high = (f"{100 * value:+.1f}".replace("-", "−") for value in (score.low, score.high))
    return f"{abs(100 * score.value):.1f}", low, high


def _english(facts: _Facts) -> list[str]:
    score = facts.score
    said = [
        f"On {score.n:,} test documents that training never saw, extracts and summaries have {_percent(score.value)} % "
        f"of their words in common (ROUGE-1, {_percent(score.low)} to {_percent(score.high)})."
    ]
    if facts.difference is not None:
        points, low, high = _points(facts.difference)
        standing = "behind" if facts.difference.value < 0 else "ahead of"
        luck = "which could be luck" if facts.lead_of == "open" else "luck alone would rarely do this"
        said.append(
            f"That is {points} points {standing} taking the first sentences "
            f"(between {low} and {high} is plausible), {luck}."
        )
    if facts.textrank is not None and facts.best is not None:
        said.append(
            f"The most central sentences reach {_percent(facts.textrank)} %, and no more than about "
            f"{_percent(facts.best)} % is within reach of any extract: people wrote in other words than the documents'."
        )
    said.append(_advice(facts))
    return said


def _advice(facts: _Facts) -> str:
    if facts.vague:
        return "More test rows would help most: these are too few to tell how good the model is."
    if facts.lead_of == "behind":
        return (
            "Something is wrong: look at the extracts in the report, and whether the summaries are of these documents."
        )
    if facts.best is not None and facts.score.value >= _NEAR * facts.best:
        return "Hardly anything is left for extracts to gain."
    if facts.lead_of == "open" and facts.difference is not None:
        return "More training rows would help most: the model has hardly learned more yet than that beginnings matter."
    return "To become better, add training rows, or look at the documents in the report of which most was missed."


def _chinese(facts: _Facts) -> list[str]:
    score = facts.score
    said = [
        f"在训练中从未见过的 {score.n} 篇测试文档上，抽取的句子与人写的摘要重合 {_percent(score.value)}%"
        f"（ROUGE-1，{_percent(score.low)} 至 {_percent(score.high)}%）。"
    ]
    if facts.difference is not None:
        points, low, high = _points(facts.difference)
        standing = "低" if facts.difference.value < 0 else "高"
        luck = "有可能只是运气" if facts.lead_of == "open" else "仅凭运气很少出现这样的差距"
        said.append(f"比直接取开头几句{standing} {points} 个百分点（可能在 {low} 至 {high} 之间），{luck}。")
    if facts.textrank is not None and facts.best is not None:
        said.append(
            f"取最居中的句子（TextRank）可达 {_percent(facts.textrank)}%；任何抽取方法至多约 {_percent(facts.best)}%，"
            "因为摘要并非照抄原文。"
        )
    said.append(_advice_zh(facts))
    return said


def _advice_zh(facts: _Facts) -> str:
    if facts.vague:
        return "最有帮助的是更多测试数据：现有的太少，无法判断模型有多好。"
    if facts.lead_of == "behind":
        return "结果不正常：请查看报告中抽取的句子，并检查摘要与文档是否对应。"
    if facts.best is not None and facts.score.value >= _NEAR * facts.best:
        return "抽取式摘要已几乎没有提升的余地。"
    if facts.lead_of == "open" and facts.difference is not None:
        return "最有帮助的是更多训练数据：除了“开头重要”，模型几乎还没有学到别的。"
    return "想要更好，请补充训练数据，或先查看报告中遗漏最多的文档。"
