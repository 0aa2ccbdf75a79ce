"""What stays as it is: numbers, addresses, placeholders, what turns a meaning round, and what the user names."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache, cached_property

from pydantic import Field, field_validator

from supertune.config.section import Section

_ALWAYS = (
    # Addresses of pages and of people, user names, topics.
    r"(?:https?://|www\.)[^\s<>\"'，。！？；、（）《》【】“”]+",
    r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+",
    r"(?<!\w)[@#][\w-]+",
    # Placeholders: [EMAIL], <PHONE_2>, {name}, %s.
    r"\[[A-Z][A-Z0-9_ -]*\]|<[A-Za-z_/][^<>\n]{0,60}>|\{[^{}\n]{0,60}\}|%[sd]",
    # Numbers with what is written onto them: dates, times, prices, percentages, model names (iPhone15, 3.5mm, B-52).
    r"[$€£¥￥]?\s?[A-Za-z]*-?\d[\w.,:/%°'-]*(?<![.,:'-])(?:\s?(?:%|℃|°C|am|pm|a\.m\.|p\.m\.)(?!\w))?",
    # The same in Chinese: 三百二十 元, 第五, 2019年3月5日, 两点半.
    r"第?[零〇一二两三四五六七八九十百千万亿半\d]+(?:[.．]\d+)?"
    r"(?:年|月|日|号|时|点|分|秒|岁|元|块|毛|角|折|倍|度|米|公里|斤|公斤|克|楼|层|室|%|％)[零〇一二三四五六七八九十百\d]*",
    r"第[零〇一二两三四五六七八九十百千万\d]+|[零〇一二两三四五六七八九十百千万亿]{2,}",
    r"百分之[零〇一二两三四五六七八九十百点\d]+",
)
_NEGATIONS = (
    r"(?i:\b(?:not|no|never|none|nobody|nothing|nowhere|neither|nor|cannot|without|hardly|scarcely|barely|rarely|seldom"
    r"|few|little|unless|except|but|lack(?:s|ed|ing)?|fail(?:s|ed|ing)?|refus(?:e|es|ed|ing)"
    r"|\w+n['’]t|ain['’]?t|(?:do|does|did|is|was|were|are|wo|ca|could|would|should|have|has|had)nt)\b)",
    r"[不没無无未非别勿莫否毋弗甭]|毫无|并非|从来没|几乎没|缺乏|缺少|拒绝|除非|除了|但是|但|可是|却|然而",
)
_QUOTED = (r"\"[^\"\n]+\"|“[^”\n]+”|‘[^’\n]+’|「[^」\n]+」|『[^』\n]+』|《[^》\n]+》",)


class Protection(Section):
    """Parts of texts that no augmenter changes."""

    negations: bool = Field(True, description="words that turn a meaning round: not, n't, without, but; 不, 没, 但")
    quotes: bool = Field(False, description="what stands in quotation marks")
    patterns: list[str] = Field([], description="regular expressions; what they match stays as it is")
    entities: str | None = Field(
        None, description="column with a list of what stays in the row: texts, or [first character, behind the last]"
    )

    @field_validator("patterns")
    @classmethod
    def _compiled(cls, patterns: list[str]) -> list[str]:
        for pattern in patterns:
            try:
                re.compile(pattern)
            except re.error as error:
                raise ValueError(f"{pattern!r} is no regular expression: {error}") from error
        return patterns

    @cached_property
    def _all(self) -> re.Pattern[str]:
        parts = [*_ALWAYS, *(_NEGATIONS if self.negations else ()), *(_QUOTED if self.quotes else ())]
        return re.compile("|".join(f"(?:{part})" for part in parts))

    @cached_property
    def _users(self) -> tuple[re.Pattern[str], ...]:
        return tuple(map(re.compile, self.patterns))

    def spans(self, text: str, others: Iterable[tuple[int, int]] = ()) -> tuple[tuple[int, int], ...]:
        """The parts of a text that stay, with others that are known: ascending, apart from each other."""
        found = [match.span() for match in self._all.finditer(text)]
        found += (match.span() for pattern in self._users for match in pattern.finditer(text))
        return joined([*found, *others])


def joined(spans: Iterable[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """Spans in order, those that overlap as one; empty ones left out."""
    apart: list[tuple[int, int]] = []
    for start, end in sorted(span for span in spans if span[0] < span[1]):
        if apart and start < apart[-1][1]:
            apart[-1] = apart[-1][0], max(end, apart[-1][1])
        else:
            apart.append((start, end))
    return tuple(apart)


@cache
def negation() -> re.Pattern[str]:
    """What turns a meaning round."""
    return re.compile("|".join(f"(?:{part})" for part in _NEGATIONS))


def entity_spans(text: str, told: object) -> list[tuple[int, int]]:
    """Where in a text the entities stand that a row's value names.

    Args:
        text: The text.
        told: A list of texts, of pairs of numbers, or of objects with ``start`` and ``end`` or ``text``; a text with
            one entity. What is none of these names nothing.
    """
    spans: list[tuple[int, int]] = []
    for item in told if isinstance(told, list) else [told]:
        if isinstance(item, dict):
            item = [item["start"], item["end"]] if "start" in item and "end" in item else item.get("text")
        if isinstance(item, str) and item:
            spans += (match.span() for match in re.finditer(re.escape(item), text))
        elif isinstance(item, list) and len(item) >= 2 and all(type(place) is int for place in item[:2]):
            spans.append((max(item[0], 0), min(item[1], len(text))))
    return spans
