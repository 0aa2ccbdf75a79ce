"""Punctuation put between words (Karimi, Rossi & Prati 2021, AEDA: An Easier Data Augmentation Technique)."""

from __future__ import annotations

import random
from typing import ClassVar

from pydantic import Field

from supertune.data.augment.augmenter import Spans, TextAugmenter
from supertune.data.augment.words import with_changes, words_of

_SIGNS = (".", ";", "?", ":", "!", ",")
_FULL_WIDTH = ("。", "；", "？", "：", "！", "，")


class Punctuation(TextAugmenter):
    """Puts signs in front of words, at places and of kinds that chance chooses; every word stays, in its order."""

    name: ClassVar[str] = "punctuation"
    share: float = Field(1 / 3, gt=0, le=1, description="most signs per word; how many of them is drawn, at least one")

    def augment(self, text: str, draw: random.Random, protected: Spans) -> str | None:
        """See `TextAugmenter`."""
        words = [word for word in words_of(text, protected) if not _inside(word.start, protected)]
        if not words:
            return None
        count = draw.randint(1, max(1, int(self.share * len(words))))
        changes = []
        for word in draw.sample(words, count):
            sign = draw.choice(_FULL_WIDTH if word.chinese else _SIGNS)
            changes.append((word.start, word.start, sign if word.chinese else sign + " "))
        return with_changes(text, changes)


def _inside(place: int, protected: Spans) -> bool:
    return any(start < place < end for start, end in protected)
