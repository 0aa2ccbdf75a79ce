"""Chinese words taken for others that are typed with the same letters of pinyin: 必须 and 必需."""

from __future__ import annotations

import random
from typing import ClassVar

from pydantic import Field

from supertune.data.augment.augmenter import Spans, TextAugmenter
from supertune.data.augment.dictionaries import typed_alike
from supertune.data.augment.words import how_many, with_changes, words_of


class InputMethod(TextAugmenter):
    """Takes a wrong word from what an input method offers; commoner words are taken more often."""

    name: ClassVar[str] = "input-method"
    languages: ClassVar[frozenset[str]] = frozenset({"zh"})
    share: float = Field(0.1, gt=0, le=1, description="words that are taken wrongly, of all words; at least one")

    def augment(self, text: str, draw: random.Random, protected: Spans) -> str | None:
        """See `TextAugmenter`."""
        words = words_of(text, protected)
        offered = [word for word in words if word.chinese and not word.fixed and word.text in typed_alike()]
        changes = []
        for word in draw.sample(offered, min(how_many(self.share, len(words)), len(offered))):
            others = typed_alike()[word.text]
            new = draw.choices(others, [1 / (rank + 1) for rank in range(len(others))])[0]
            changes.append((word.start, word.end, new))
        return with_changes(text, changes) if changes else None
