"""How every verdict is told: numbers with their intervals, the standing beside a rival, one piece of advice.

A kind of answers brings its own phrases, English and Chinese alike, with the names of values in braces:

    "Of {n:,} {test} {n:question|questions} {unseen}, {exact:.0%} were answered in exactly the right words."

A `Score` is written with its interval, where it has one: ``56 % (48 to 64 %)``, and ``{exact:.0f texts}`` as
``56 texts (48 to 64)``. ``{n:one|many}`` is a choice by number. All else in braces is as in `str.format`; names that
are no values are other phrases, such as ``{test}``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from supertune.contracts import Score
from supertune.errors import UserError

Words = Mapping[str, Mapping[str, str]]
"""Language → name of a phrase → the phrase."""
Standing = Literal["ahead", "behind", "unproven", "unknown"]

_FEW_ROWS = 30
"""Rows below which no interval is to be relied on."""
_COMMON: Words = {
    "en": {
        "space": " ",
        "and": " and ",
        "percent": " %",
        "interval": "{value} ({bare} to {high})",
        "test": "test",
        "rows": "rows",
        "unseen": "that training never saw",
        "points": "{by} points",
        "ahead": "In {metric} the model is {by} ahead of {rival} (between {low} and {high} is plausible); "
        "luck alone would rarely do this.",
        "behind": "In {metric} the model is {by} behind {rival} (between {low} and {high} is plausible); "
        "luck alone would rarely do this.",
        "unproven": "In {metric} the model differs from {rival} by {signed} (between {low} and {high} is plausible), "
        "which could be luck.",
        "no interval": "In {metric} the model differs from {rival} by {signed}; these rows give no interval, and it "
        "could be luck.",
        "level": "In {metric} the model is level with {rival} (between {low} and {high} is plausible).",
        "label": "label",
        "weakest": "The weakest {label} is “{weakest}”, with an F1 of {f1:.0%} on {n:,} {test} {n:row|rows}{doubt}.",
        "too few": "More {test} {rows} would help most: these are too few to tell how good the model is.",
        "if behind": "Here {simple} is better, and simpler: look at the data before training on.",
        "if unproven": "Unless more training rows change that, {simple} may be as good, and is simpler.",
        "more of it": "What would help most: more labelled rows for “{weakest}” (there {known:is|are} {known:,} "
        "training {known:row|rows} of it now).",
        "otherwise": "To become better, look at the worst errors in the report first, then add rows like them.",
    },
    "zh": {
        "space": "",
        "and": "，",
        "percent": "%",
        "interval": "{value}（{low} 至 {high}）",
        "test": "测试",
        "rows": "数据",
        "unseen": "训练中从未见过",
        "points": "{by} 个百分点",
        "ahead": "按{metric}，模型比{rival}高 {by}（可能在 {low} 至 {high} 之间），仅凭运气很少出现这样的差距。",
        "behind": "按{metric}，模型比{rival}低 {by}（可能在 {low} 至 {high} 之间），仅凭运气很少出现这样的差距。",
        "unproven": "按{metric}，模型与{rival}相差 {signed}（可能在 {low} 至 {high} 之间），有可能只是运气。",
        "no interval": "按{metric}，模型与{rival}相差 {signed}；这些数据给不出区间，有可能只是运气。",
        "level": "按{metric}，模型与{rival}持平（可能在 {low} 至 {high} 之间）。",
        "label": "标签",
        "weakest": "最弱的{label}是“{weakest}”，F1 为 {f1:.0%}，依据 {n} 条{test}数据{doubt}。",
        "too few": "最有帮助的是更多{test}{rows}：现有的太少，无法判断模型有多好。",
        "if behind": "在这里{simple}更好也更简单：继续训练之前，请先查看数据。",
        "if unproven": "除非更多训练数据改变这一点，{simple}可能同样好，而且更简单。",
        "more of it": "最有帮助的是为“{weakest}”标注更多数据（目前有 {known} 条训练数据）。",
        "otherwise": "想要更好，请先查看报告中最严重的错误，再补充类似的数据。",
    },
}
"""What all kinds say. In Chinese a phrase that begins or ends with Latin letters brings the space beside it."""
_VALIDATION: Words = {
    "en": {
        "test": "validation",
        "unseen": "that training did not learn from",
        "caution": "There were no test rows: validation rows also help to choose the model, "
        "so that these numbers may be a little too good.",
    },
    "zh": {
        "test": "验证",
        "unseen": "训练时没有学过",
        "caution": "没有测试数据：验证数据也用来挑选模型，因此以上数字可能略微偏高。",
    },
}


@dataclass(frozen=True)
class Teller:
    """Says phrases of one kind in one language; see `teller`."""

    phrases: Mapping[str, str]

    def __call__(self, phrase: str, /, **values: Score | float | str) -> str:
        """The phrase with values in its braces."""
        written = {
            name: value if isinstance(value, str) else _Written(value, self.phrases) for name, value in values.items()
        }
        return self.phrases[phrase].format_map({**self.phrases, **written})

    def listed(self, parts: Iterable[str]) -> str:
        """Parts of a sentence, one after the other."""
        return self.phrases["and"].join(parts)

    def compared(self, difference: Score | None, *, decimals: int = 1, points: bool = True) -> str:
        """How far the model is ahead of ``{rival}`` in ``{metric}``, or behind, or whether that could be luck.

        Args:
            difference: The model minus its rival, paired; None says nothing.
            decimals: How many are told.
            points: In points, hundredths of the metric; else in its own unit.
        """
        if difference is None:
            return ""
        told = scaled(difference, 100) if points else difference
        by, signed, low, high = (
            _number(value, f"{sign}.{decimals}f", self.phrases)
            for value, sign in ((abs(told.value), ""), (told.value, "+"), (told.low, "+"), (told.high, "+"))
        )
        if points:
            by, signed = self("points", by=by), self("points", by=signed)
        level = not float(f"{told.value:.{decimals}f}")
        known = standing(difference) if difference.low < difference.high else "no interval"
        return self("level" if level else known, by=by, signed=signed, low=low, high=high)

    def advice(
        self,
        difference: Score | None,
        *,
        vague: bool,
        unproven: str = "if unproven",
        otherwise: str = "otherwise",
        **values: Score | float | str,
    ) -> str:
        """The first that applies: nothing else is worth saying while there are too few rows, or the rival does it.

        Args:
            difference: The model minus its rival, paired, if measured.
            vague: Whether there are too few rows to tell how good the model is.
            unproven: The phrase where the model may be no better than its rival.
            otherwise: The phrase for a model that is.
            values: Of the phrases.
        """
        found = standing(difference)
        follows = {"behind": "if behind", "unproven": unproven}.get(found, otherwise)
        return self("too few" if vague else follows, **values)

    def paragraph(self, sentences: Iterable[str], advice: str) -> str:
        """All of it, in order, without empty sentences; one that begins with a value gets its capital letter."""
        said = filter(None, (*sentences, self("caution") if "caution" in self.phrases else "", advice))
        return self.phrases["space"].join(sentence[0].upper() + sentence[1:] for sentence in said)


def teller(words: Words, language: str, split: str = "test") -> Teller:
    """What tells a kind's phrases, which may replace common ones.

    Args:
        words: The kind's own.
        language: ``en`` or ``zh``.
        split: ``test``, or ``validation`` where there are no test rows.

    Raises:
        UserError: The language has no words here.
    """
    if language not in _COMMON:
        raise UserError(f"the verdict cannot be written in {language!r}", fix=f"choose {' or '.join(_COMMON)}")
    held = _VALIDATION[language] if split == "validation" else {}
    return Teller({**_COMMON[language], **words[language], **held})


def standing(difference: Score | None) -> Standing:
    """Where the model stands beside its rival: unproven while the interval holds 0, or where there is none."""
    if difference is None:
        return "unknown"
    if difference.low <= 0 <= difference.high or not difference.low < difference.high:
        return "unproven"
    return "ahead" if difference.value > 0 else "behind"


def too_few(score: Score, *, width: float, rows: int = _FEW_ROWS) -> bool:
    """Whether the rows tell too little: there are fewer, or the interval is wider."""
    return score.n < rows or score.high - score.low > width


def scaled(score: Score, scale: float) -> Score:
    """The score out of so many."""
    return replace(score, value=scale * score.value, low=scale * score.low, high=scale * score.high)


def weakest_label(scores: Mapping[str, Score], counts: Mapping[str, int], *, fewest: int, gap: float) -> str | None:
    """The label with the lowest F1, if that is further than ``gap`` below the F1 of all labels together.

    Args:
        scores: With ``f1_micro`` and ``f1/<label>``, where they have a value.
        counts: Label → how often the test rows have it.
        fewest: How often a label must be had to be looked at.
        gap: Difference in F1.
    """
    known = {
        label: scores[f"f1/{label}"].value
        for label, count in counts.items()
        if count >= fewest and f"f1/{label}" in scores
    }
    weakest = min(known, key=lambda label: known[label], default=None)
    overall = scores.get("f1_micro")
    return weakest if weakest is not None and overall and known[weakest] < overall.value - gap else None


@dataclass(frozen=True)
class _Written:
    """A number or a score inside a phrase's braces."""

    value: Score | float
    phrases: Mapping[str, str]

    def __format__(self, spec: str) -> str:
        if not isinstance(self.value, Score):
            one, choice, many = spec.partition("|")
            return (one if self.value == 1 else many) if choice else _number(self.value, spec, self.phrases)
        spec, space, unit = spec.partition(" ")
        parts = (self.value.value, self.value.low, self.value.high)
        value, low, high = (_number(part, spec, self.phrases) for part in parts)
        value += space + unit
        if not self.value.low < self.value.high:
            return value
        bare = low.removesuffix(self.phrases["percent"])
        return self.phrases["interval"].format(value=value, low=low, bare=bare, high=high)


def _number(value: float, spec: str, phrases: Mapping[str, str]) -> str:
    text = format(value, spec)
    if "e+" in text:
        # Three digits of a large number are still written as people write it.
        text = f"{float(text):{',' if ',' in spec else ''}.0f}"
    return text.replace("-", "−").replace("%", phrases["percent"])
