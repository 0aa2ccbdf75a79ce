"""One paragraph in plain words on answers that are sets of labels, in English and Chinese."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from supertune.contracts import Score
from supertune.errors import UserError

_WIDE = {"f1_micro": 0.1, "subset_accuracy": 0.2}
"""Widths of intervals from which the test rows are too few to say how good the model is."""
_WEAK_GAP = 0.1
_TOLD = 1e-3
"""Differences are told in tenths of a point."""
_FEW_ROWS = 20


@dataclass(frozen=True)
class SetFacts:
    """Everything the verdict mentions.

    Attributes:
        scores: The model's scores on the test rows.
        baselines: Baseline → its scores on the same rows.
        difference: The model minus TF-IDF in micro F1, if measured.
        test_counts: Label → test rows that have it.
        train_counts: Label → training rows that have it.
    """

    scores: Mapping[str, Score]
    baselines: Mapping[str, Mapping[str, Score]]
    difference: Score | None
    test_counts: Mapping[str, int]
    train_counts: Mapping[str, int]

    @property
    def weakest(self) -> str | None:
        """The label with the lowest F1 among those that enough test rows have; None where all are as good."""
        f1 = {
            label: self.scores[f"f1/{label}"].value
            for label, rows in self.test_counts.items()
            if rows >= _FEW_ROWS and f"f1/{label}" in self.scores
        }
        weakest = min(f1, key=lambda label: f1[label], default=None)
        common = self.scores.get("f1_micro")
        return weakest if weakest is not None and common and f1[weakest] < common.value - _WEAK_GAP else None

    @property
    def vague(self) -> bool:
        """Whether the test rows are too few to say how good the model is."""
        known = [(self.scores[name], width) for name, width in _WIDE.items() if name in self.scores]
        return len(known) < len(_WIDE) or any(score.high - score.low > width for score, width in known)

    @property
    def level(self) -> bool:
        """Whether the difference is none, as far as it is told."""
        return self.difference is not None and abs(self.difference.value) < _TOLD / 2

    @property
    def lead(self) -> str:
        """Whether the model is ahead of TF-IDF, behind it, or the test cannot tell."""
        if self.difference is None or self.difference.low <= 0 <= self.difference.high:
            return "open"
        return "ahead" if self.difference.low > 0 else "behind"


def verdict_on_sets(
    scores: Mapping[str, Score],
    baselines: Mapping[str, Mapping[str, Score]],
    difference: Score | None,
    *,
    test_counts: Mapping[str, int],
    train_counts: Mapping[str, int],
    language: str = "en",
) -> str:
    """Four to six sentences for a person who is not a statistician.

    Args:
        scores: The model's scores on the test rows.
        baselines: Name (``majority``, ``tfidf``) → its scores on the same rows.
        difference: The model minus TF-IDF in micro F1 from `paired_difference`, or None.
        test_counts: Label → number of test rows that truly have it.
        train_counts: Label → number of training rows.
        language: ``en`` or ``zh``.

    Raises:
        UserError: The language has no words here.
    """
    languages: Mapping[str, Callable[[SetFacts], list[str]]] = {"en": _english, "zh": _chinese}
    if language not in languages:
        raise UserError(f"the verdict cannot be written in {language!r}", fix=f"choose {' or '.join(languages)}")
    facts = SetFacts(scores, baselines, difference, test_counts, train_counts)
    return ("" if language == "zh" else " ").join(filter(None, languages[language](facts)))


def _percent(value: float) -> str:
    return f"{100 * value:.0f}"


def _points(value: float) -> str:
    return f"{100 * value:+.1f}".replace("-", "−")


# ---------------------------------------------------------------- English


def _english(facts: SetFacts) -> list[str]:
    return [_right(facts), _beside(facts), _ahead(facts), _weakest(facts), _advice(facts)]


def _right(facts: SetFacts) -> str:
    exact = facts.scores["subset_accuracy"]
    precision, recall = facts.scores.get("precision_micro"), facts.scores.get("recall_micro")
    span = f"{_percent(exact.low)} to {_percent(exact.high)}"
    said = [
        f"Out of 100 texts like these, expect {_percent(exact.value)} ({span}) to get exactly the right labels; "
        f"this is measured on {exact.n:,} test row{'' if exact.n == 1 else 's'} that training never saw."
    ]
    if precision is not None:
        span = f"{_percent(precision.low)} to {_percent(precision.high)}"
        said.append(f"Of 100 labels that it gives, {_percent(precision.value)} ({span}) are right.")
    if recall is not None:
        span = f"{_percent(recall.low)} to {_percent(recall.high)}"
        said.append(f"Of 100 labels that texts truly have, it finds {_percent(recall.value)} ({span}).")
    return " ".join(said)


def _beside(facts: SetFacts) -> str:
    parts = [
        f"{said} gets {_percent(facts.baselines[name]['subset_accuracy'].value)}"
        for name, said in (
            ("tfidf", "counting words (TF-IDF with a logistic regression for each label)"),
            ("majority", "always giving the most frequent set of labels"),
        )
        if name in facts.baselines
    ]
    joined = " and ".join(parts)
    return f"{joined[0].upper()}{joined[1:]} of 100 exactly right on the same rows." if parts else ""


def _ahead(facts: SetFacts) -> str:
    if facts.difference is None:
        return ""
    low, high = _points(facts.difference.low), _points(facts.difference.high)
    where = "behind" if facts.difference.value < 0 else "ahead of"
    luck = ", which could be luck" if facts.lead == "open" else "; luck alone would rarely do this"
    standing = "level with" if facts.level else f"{abs(100 * facts.difference.value):.1f} points {where}"
    return f"In F1 over all labels the model is {standing} TF-IDF (between {low} and {high} is plausible){luck}."


def _weakest(facts: SetFacts) -> str:
    if facts.weakest is None:
        return ""
    score, rows = facts.scores[f"f1/{facts.weakest}"], facts.test_counts[facts.weakest]
    return (
        f"The weakest label is “{facts.weakest}”, with an F1 of {_percent(score.value)} % "
        f"({_percent(score.low)} to {_percent(score.high)} %) on {rows:,} test rows."
    )


def _advice(facts: SetFacts) -> str:
    if facts.vague:
        return "More test rows would help most: these are too few to tell how good the model is."
    if facts.lead == "behind":
        return "Counting words is better here, and simpler: look at the data before training on."
    if facts.lead == "open" and facts.difference is not None:
        return "Unless more training rows change that, counting words may be as good, and is simpler."
    if facts.weakest is not None:
        known = facts.train_counts.get(facts.weakest, 0)
        return f"What would help most: more rows with “{facts.weakest}” (there are {known:,} training rows of it now)."
    return "What would help most: more labelled rows like the ones answered wrongly."


# ---------------------------------------------------------------- Chinese


def _chinese(facts: SetFacts) -> list[str]:
    return [_right_zh(facts), _beside_zh(facts), _ahead_zh(facts), _weakest_zh(facts), _advice_zh(facts)]


def _right_zh(facts: SetFacts) -> str:
    exact = facts.scores["subset_accuracy"]
    precision, recall = facts.scores.get("precision_micro"), facts.scores.get("recall_micro")
    span = f"{_percent(exact.low)} 至 {_percent(exact.high)}"
    said = [
        f"每 100 条类似的文本，预计 {_percent(exact.value)} 条（{span}）的标签完全正确"
        f"（依据训练中从未见过的 {exact.n} 条测试数据）。"
    ]
    if precision is not None:
        span = f"{_percent(precision.low)} 至 {_percent(precision.high)}"
        said.append(f"它给出的每 100 个标签中，{_percent(precision.value)} 个（{span}）是对的。")
    if recall is not None:
        span = f"{_percent(recall.low)} 至 {_percent(recall.high)}"
        said.append(f"文本真正具有的每 100 个标签中，它能找出 {_percent(recall.value)} 个（{span}）。")
    return "".join(said)


def _beside_zh(facts: SetFacts) -> str:
    parts = [
        f"{said}完全正确 {_percent(facts.baselines[name]['subset_accuracy'].value)} 条"
        for name, said in (
            ("tfidf", "只统计词频的方法（TF-IDF，每个标签一个逻辑回归）"),
            ("majority", "总是给出最常见的标签组合"),
        )
        if name in facts.baselines
    ]
    return f"在同样的数据上，每 100 条中{'，'.join(parts)}。" if parts else ""


def _ahead_zh(facts: SetFacts) -> str:
    if facts.difference is None:
        return ""
    span = f"{_points(facts.difference.low)} 至 {_points(facts.difference.high)}"
    where = "低" if facts.difference.value < 0 else "高"
    luck = "，有可能只是运气" if facts.lead == "open" else "，仅凭运气很少出现这样的差距"
    points = f"比 TF-IDF {where} {abs(100 * facts.difference.value):.1f} 个百分点"
    standing = "与 TF-IDF 持平" if facts.level else points
    return f"按全部标签的 F1，模型{standing}（合理范围 {span}）{luck}。"


def _weakest_zh(facts: SetFacts) -> str:
    if facts.weakest is None:
        return ""
    score, rows = facts.scores[f"f1/{facts.weakest}"], facts.test_counts[facts.weakest]
    return (
        f"最弱的标签是“{facts.weakest}”，F1 为 {_percent(score.value)}%"
        f"（{_percent(score.low)}% 至 {_percent(score.high)}%），依据 {rows} 条测试数据。"
    )


def _advice_zh(facts: SetFacts) -> str:
    if facts.vague:
        return "最有帮助的是更多测试数据：现有的太少，无法判断模型有多好。"
    if facts.lead == "behind":
        return "在这里统计词频更好也更简单：继续训练之前，请先查看数据。"
    if facts.lead == "open" and facts.difference is not None:
        return "除非更多训练数据改变这一点，统计词频可能同样好，而且更简单。"
    if facts.weakest is not None:
        known = facts.train_counts.get(facts.weakest, 0)
        return f"最有帮助的是更多带有“{facts.weakest}”的数据（目前训练数据中有 {known} 条）。"
    return "最有帮助的是更多像答错的那些行一样的标注数据。"
