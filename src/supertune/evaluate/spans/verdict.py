"""One paragraph in plain words on entities found in texts, in English and Chinese."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from supertune.contracts import Score
from supertune.errors import UserError

_WIDE = 0.15
"""Width of the interval of F1 from which the test rows are too few to say how good the model is."""
_FEW_ENTITIES = 20
_WEAK_GAP = 0.1
_TOLD = 1e-3
"""Differences are told in tenths of a point."""


@dataclass(frozen=True)
class _Facts:
    """Everything the verdict mentions.

    Attributes:
        scores: The model's scores on the test rows.
        dictionary: Micro F1 of looking up the training entities, if measured.
        difference: The model minus that, paired, if measured.
        new: Share of the true entities with words that no training entity has, that are found; None for too few.
        new_count: How many such entities there are.
        weakest: The label with the lowest F1 among those of enough test entities; None where all are as good.
        weakest_rows: Its test entities and its training entities.
    """

    scores: Mapping[str, Score]
    dictionary: float | None
    difference: Score | None
    new: float | None
    new_count: int
    weakest: str | None
    weakest_rows: tuple[int, int]

    @property
    def vague(self) -> bool:
        score = self.scores.get("f1_micro")
        return score is None or score.high - score.low > _WIDE

    @property
    def lead(self) -> str:
        if self.difference is None or self.difference.low <= 0 <= self.difference.high:
            return "open"
        return "ahead" if self.difference.low > 0 else "behind"

    @property
    def level(self) -> bool:
        return self.difference is not None and abs(self.difference.value) < _TOLD / 2


def verdict_on_spans(
    scores: Mapping[str, Score],
    baselines: Mapping[str, Mapping[str, Score]],
    difference: Score | None,
    *,
    test_counts: Mapping[str, int],
    train_counts: Mapping[str, int],
    new: tuple[int, int],
    language: str = "en",
) -> str:
    """Four to six sentences for a person who is not a statistician.

    Args:
        scores: The model's scores on the test rows.
        baselines: Name (``dictionary``) → its scores on the same rows.
        difference: The model minus that baseline in micro F1, or None.
        test_counts: Label → number of its entities in the test rows.
        train_counts: Label → number of its entities in the training rows.
        new: Of the true test entities with words that no training entity has, how many are found, and how many there
            are.
        language: ``en`` or ``zh``.

    Raises:
        UserError: The language has no words here.
    """
    languages = {"en": _english, "zh": _chinese}
    if language not in languages:
        raise UserError(f"the verdict cannot be written in {language!r}", fix=f"choose {' or '.join(languages)}")
    overall = scores.get("f1_micro")
    known = {
        label: scores[f"f1/{label}"].value
        for label, count in test_counts.items()
        if count >= _FEW_ENTITIES and f"f1/{label}" in scores
    }
    weakest = min(known, key=lambda label: known[label], default=None)
    if weakest is not None and (overall is None or known[weakest] >= overall.value - _WEAK_GAP):
        weakest = None
    dictionary = baselines.get("dictionary", {}).get("f1_micro")
    facts = _Facts(
        scores=scores,
        dictionary=None if dictionary is None else dictionary.value,
        difference=difference,
        new=new[0] / new[1] if new[1] >= _FEW_ENTITIES else None,
        new_count=new[1],
        weakest=weakest,
        weakest_rows=(test_counts.get(weakest or "", 0), train_counts.get(weakest or "", 0)),
    )
    return ("" if language == "zh" else " ").join(filter(None, languages[language](facts)))


def _percent(value: float) -> str:
    return f"{100 * value:.0f}"


def _points(score: Score) -> tuple[str, str, str]:
    low, high = (f"{100 * value:+.1f}".replace("-", "−") for value in (score.low, score.high))
    return f"{abs(100 * score.value):.1f}", low, high


# ---------------------------------------------------------------- English


def _english(facts: _Facts) -> list[str]:
    return [_right(facts), _ahead(facts), _new(facts), _weakest(facts), _advice(facts)]


def _right(facts: _Facts) -> str:
    said = []
    recall, precision = facts.scores.get("recall_micro"), facts.scores.get("precision_micro")
    if recall is not None:
        span = f"{_percent(recall.low)} to {_percent(recall.high)}"
        rows = f"{recall.n:,} test row{'' if recall.n == 1 else 's'}"
        said.append(
            f"Of 100 entities in texts like these, expect {_percent(recall.value)} ({span}) to be found with exactly "
            f"the right characters and label; this is measured on {rows} that training never saw."
        )
    if precision is not None:
        span = f"{_percent(precision.low)} to {_percent(precision.high)}"
        said.append(f"Of 100 that it gives, {_percent(precision.value)} ({span}) are right.")
    return " ".join(said) or "There is no entity in the test rows, and none was given."


def _ahead(facts: _Facts) -> str:
    if facts.dictionary is None:
        return ""
    said = f"Looking up the entities of the training rows reaches an F1 of {_percent(facts.dictionary)} %"
    if facts.difference is None:
        return f"{said}."
    points, low, high = _points(facts.difference)
    standing = f"{points} points {'behind' if facts.difference.value < 0 else 'ahead of'} that"
    luck = ", which could be luck" if facts.lead == "open" else "; luck alone would rarely do this"
    standing = "level with that" if facts.level else standing
    return f"{said}; the model is {standing} (between {low} and {high} is plausible){luck}."


def _new(facts: _Facts) -> str:
    if facts.new is None:
        return ""
    return (
        f"Of the {facts.new_count:,} test entities whose words no training entity has, it finds "
        f"{_percent(facts.new)} %: this is how it goes with names that it has never met."
    )


def _weakest(facts: _Facts) -> str:
    if facts.weakest is None:
        return ""
    score = facts.scores[f"f1/{facts.weakest}"]
    return (
        f"The weakest label is “{facts.weakest}”, with an F1 of {_percent(score.value)} % ({_percent(score.low)} to "
        f"{_percent(score.high)} %) on {facts.weakest_rows[0]:,} test entities."
    )


def _advice(facts: _Facts) -> str:
    if facts.vague:
        return "More test rows would help most: these are too few to tell how good the model is."
    if facts.lead == "behind":
        return "Looking up known entities is better here, and simpler: look at the data before training on."
    if facts.lead == "open" and facts.difference is not None:
        return "Unless more training rows change that, looking up known entities may be as good, and is simpler."
    if facts.weakest is not None:
        known = facts.weakest_rows[1]
        return f"What would help most: more entities of “{facts.weakest}” (there are {known:,} training ones now)."
    return "What would help most: more labelled texts like those of the worst errors in the report."


# ---------------------------------------------------------------- Chinese


def _chinese(facts: _Facts) -> list[str]:
    return [_right_zh(facts), _ahead_zh(facts), _new_zh(facts), _weakest_zh(facts), _advice_zh(facts)]


def _right_zh(facts: _Facts) -> str:
    said = []
    recall, precision = facts.scores.get("recall_micro"), facts.scores.get("precision_micro")
    if recall is not None:
        span = f"{_percent(recall.low)} 至 {_percent(recall.high)}"
        said.append(
            f"类似文本中的每 100 个实体，预计 {_percent(recall.value)} 个（{span}）的边界与标签都完全正确"
            f"（依据训练中从未见过的 {recall.n} 条测试数据）。"
        )
    if precision is not None:
        span = f"{_percent(precision.low)} 至 {_percent(precision.high)}"
        said.append(f"它给出的每 100 个实体中，{_percent(precision.value)} 个（{span}）是对的。")
    return "".join(said) or "测试数据中没有实体，模型也没有给出任何实体。"


def _ahead_zh(facts: _Facts) -> str:
    if facts.dictionary is None:
        return ""
    said = f"直接查找训练数据中出现过的实体，F1 可达 {_percent(facts.dictionary)}%"
    if facts.difference is None:
        return f"{said}。"
    points, low, high = _points(facts.difference)
    where = "低" if facts.difference.value < 0 else "高"
    luck = "，有可能只是运气" if facts.lead == "open" else "，仅凭运气很少出现这样的差距"
    standing = "与之持平" if facts.level else f"比它{where} {points} 个百分点"
    return f"{said}；模型{standing}（合理范围 {low} 至 {high}）{luck}。"


def _new_zh(facts: _Facts) -> str:
    if facts.new is None:
        return ""
    return (
        f"测试数据中有 {facts.new_count} 个实体的文字从未在训练实体中出现，其中 {_percent(facts.new)}% 被找到："
        "遇到没见过的名称时，大致就是这个水平。"
    )


def _weakest_zh(facts: _Facts) -> str:
    if facts.weakest is None:
        return ""
    score = facts.scores[f"f1/{facts.weakest}"]
    return (
        f"最弱的标签是“{facts.weakest}”，F1 为 {_percent(score.value)}%"
        f"（{_percent(score.low)}% 至 {_percent(score.high)}%），依据 {facts.weakest_rows[0]} 个测试实体。"
    )


def _advice_zh(facts: _Facts) -> str:
    if facts.vague:
        return "最有帮助的是更多测试数据：现有的太少，无法判断模型有多好。"
    if facts.lead == "behind":
        return "在这里查找已知实体更好也更简单：继续训练之前，请先查看数据。"
    if facts.lead == "open" and facts.difference is not None:
        return "除非更多训练数据改变这一点，查找已知实体可能同样好，而且更简单。"
    if facts.weakest is not None:
        return f"最有帮助的是更多“{facts.weakest}”实体（目前训练数据中有 {facts.weakest_rows[1]} 个）。"
    return "最有帮助的是更多像报告中最严重的错误那样的标注文本。"
