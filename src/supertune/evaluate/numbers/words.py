"""One paragraph in plain words on answers that are numbers, in English and Chinese."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from supertune.contracts import Score
from supertune.errors import UserError

_FEW_ROWS = 30
"""Test rows below which no interval is to be relied on."""
_WIDE = 0.2
"""Width of the interval of R² from which the test rows are too few to say how good the model is."""


@dataclass(frozen=True)
class NumberFacts:
    """Everything the verdict mentions.

    Attributes:
        rows: Test rows.
        errors: Column → mean absolute error.
        explained: Column → R²; empty where the truth does not differ.
        baselines: Baseline → column → its mean absolute error.
        difference: The model minus TF-IDF in R², if measured.
    """

    rows: int
    errors: Mapping[str, Score]
    explained: Mapping[str, Score]
    baselines: Mapping[str, Mapping[str, Score]]
    difference: Score | None

    @property
    def weakest(self) -> str | None:
        """The column that is explained least."""
        return min(self.explained, key=lambda name: self.explained[name].value) if self.explained else None

    @property
    def vague(self) -> bool:
        """Whether the test rows are too few to say how good the model is."""
        return (
            self.rows < _FEW_ROWS
            or not self.explained
            or any(score.high - score.low > _WIDE for score in self.explained.values())
        )

    @property
    def lead(self) -> str:
        """Whether the model is ahead of TF-IDF, behind it, or the test cannot tell."""
        if self.difference is None or self.difference.low <= 0 <= self.difference.high:
            return "open"
        return "ahead" if self.difference.low > 0 else "behind"

    @property
    def learned(self) -> bool:
        """Whether every column is answered better than by its mean, the interval's low end included."""
        return all(score.low > 0 for score in self.explained.values())


def verdict_on_numbers(
    scores: Mapping[str, Score],
    baselines: Mapping[str, Mapping[str, Score]],
    difference: Score | None,
    columns: Sequence[str],
    *,
    language: str = "en",
) -> str:
    """Four to six sentences for a person who is not a statistician.

    Args:
        scores: The model's scores on the test rows.
        baselines: Name (``mean``, ``tfidf``) → its scores on the same rows.
        difference: The model minus TF-IDF in R² from `paired_difference`, or None.
        columns: What is predicted, in order.
        language: ``en`` or ``zh``.

    Raises:
        UserError: The language has no words here.
    """
    languages: Mapping[str, Callable[[NumberFacts], list[str]]] = {"en": _english, "zh": _chinese}
    if language not in languages:
        raise UserError(f"the verdict cannot be written in {language!r}", fix=f"choose {' or '.join(languages)}")

    def by_column(metric: str, found: Mapping[str, Score]) -> dict[str, Score]:
        keys = {column: metric if len(columns) == 1 else f"{metric}/{column}" for column in columns}
        return {column: found[key] for column, key in keys.items() if key in found}

    facts = NumberFacts(
        rows=next(iter(scores.values())).n,
        errors=by_column("mae", scores),
        explained=by_column("r2", scores),
        baselines={name: by_column("mae", found) for name, found in baselines.items()},
        difference=difference,
    )
    return ("" if language == "zh" else " ").join(filter(None, languages[language](facts)))


def _plain(value: float) -> str:
    return f"{value:.3g}".replace("-", "−")


def _percent(value: float) -> str:
    return f"{100 * value:.0f}".replace("-", "−")


# ---------------------------------------------------------------- English


def _english(facts: NumberFacts) -> list[str]:
    return [
        *(_off_by(facts, column) for column in facts.errors),
        f"This is measured on {facts.rows:,} test rows that training never saw.",
        _explained(facts),
        _ahead(facts),
        _advice(facts),
    ]


def _off_by(facts: NumberFacts, column: str) -> str:
    score = facts.errors[column]
    others = [
        f"{said} by {_plain(facts.baselines[name][column].value)}"
        for name, said in (
            ("mean", "always answering the mean of the training rows"),
            ("tfidf", "counting words (TF-IDF with ridge regression)"),
        )
        if name in facts.baselines
    ]
    beside = f"; {' and '.join(others)}" if others else ""
    named = "Answers are" if len(facts.errors) == 1 else f"For {column}, answers are"
    span = f" ({_plain(score.low)} to {_plain(score.high)})" if score.low < score.high else ""
    return f"{named} off by {_plain(score.value)} on average{span}{beside}."


def _explained(facts: NumberFacts) -> str:
    weakest = facts.weakest
    if weakest is None:
        return "All true numbers are the same, so that nothing can be said of what the model explains."
    score = facts.explained[weakest]
    if not facts.learned:
        return "This test does not show that the model knows more than the mean of the training rows."
    if len(facts.explained) == 1:
        span = f" ({_percent(score.low)} to {_percent(score.high)} %)" if score.low < score.high else ""
        return f"The model explains {_percent(score.value)} % of the differences between rows{span}."
    return f"What is explained least is {weakest}: {_percent(score.value)} % of the differences between rows."


def _ahead(facts: NumberFacts) -> str:
    if facts.difference is None:
        return ""
    low, high = (f"{value:+.2f}".replace("-", "−") for value in (facts.difference.low, facts.difference.high))
    standing = "behind" if facts.difference.value < 0 else "ahead of"
    luck = ", which could be luck" if facts.lead == "open" else "; luck alone would rarely do this"
    points = f"{abs(facts.difference.value):.2f}"
    return f"In R² the model is {points} {standing} TF-IDF (between {low} and {high} is plausible){luck}."


def _advice(facts: NumberFacts) -> str:
    if facts.vague:
        return "More test rows would help most: these are too few to tell how good the model is."
    if facts.lead == "behind":
        return "Counting words is better here, and simpler: look at the data before training on."
    if facts.lead == "open" and facts.difference is not None:
        return "Unless more training rows change that, counting words may be as good, and is simpler."
    return "To become better, look at the largest errors in the report first, then label more rows like them."


# ---------------------------------------------------------------- Chinese


def _chinese(facts: NumberFacts) -> list[str]:
    return [
        *(_off_by_zh(facts, column) for column in facts.errors),
        f"以上依据训练中从未见过的 {facts.rows} 条测试数据。",
        _explained_zh(facts),
        _ahead_zh(facts),
        _advice_zh(facts),
    ]


def _off_by_zh(facts: NumberFacts, column: str) -> str:
    score = facts.errors[column]
    others = [
        f"{said}平均偏差 {_plain(facts.baselines[name][column].value)}"
        for name, said in (
            ("mean", "总是回答训练数据的平均值，"),
            ("tfidf", "只统计词频的方法（TF-IDF 加岭回归），"),
        )
        if name in facts.baselines
    ]
    beside = "".join(f"；{other}" for other in others)
    named = "回答" if len(facts.errors) == 1 else f"对“{column}”的回答"
    span = f"（{_plain(score.low)} 至 {_plain(score.high)}）" if score.low < score.high else ""
    return f"{named}平均偏差 {_plain(score.value)}{span}{beside}。"


def _explained_zh(facts: NumberFacts) -> str:
    weakest = facts.weakest
    if weakest is None:
        return "所有真实值都相同，无法判断模型解释了多少。"
    score = facts.explained[weakest]
    if not facts.learned:
        return "这次测试不能证明模型比训练数据的平均值懂得更多。"
    if len(facts.explained) == 1:
        span = f"（{_percent(score.low)} 至 {_percent(score.high)}%）" if score.low < score.high else ""
        return f"各行之间的差异，模型能解释 {_percent(score.value)}%{span}。"
    return f"解释得最少的是“{weakest}”：各行之间差异的 {_percent(score.value)}%。"


def _ahead_zh(facts: NumberFacts) -> str:
    if facts.difference is None:
        return ""
    low, high = (f"{value:+.2f}".replace("-", "−") for value in (facts.difference.low, facts.difference.high))
    standing = "低" if facts.difference.value < 0 else "高"
    luck = "，有可能只是运气" if facts.lead == "open" else "，仅凭运气很少出现这样的差距"
    return f"模型的 R² 比 TF-IDF {standing} {abs(facts.difference.value):.2f}（可能在 {low} 至 {high} 之间）{luck}。"


def _advice_zh(facts: NumberFacts) -> str:
    if facts.vague:
        return "最有帮助的是更多测试数据：现有的太少，无法判断模型有多好。"
    if facts.lead == "behind":
        return "在这里统计词频更好也更简单：继续训练之前，请先查看数据。"
    if facts.lead == "open" and facts.difference is not None:
        return "除非更多训练数据改变这一点，统计词频可能同样好，而且更简单。"
    return "想要更好，请先查看报告中偏差最大的行，再标注更多类似的数据。"
