"""Synonyms of a text's words put in at random places (random insertion; Wei & Zou 2019, EDA)."""

from __future__ import annotations

import random
from typing import ClassVar

from pydantic import Field

from supertune.data.augment.augmenter import Spans, TextAugmenter
from supertune.data.augment.replacing import candidates
from supertune.data.augment.words import how_many, with_changes, words_of


class RandomInsertion(TextAugmenter):
    """Puts a synonym of a word in front of some word; all words stay, in their order."""

    name: ClassVar[str] = "random-insertion"
    languages: ClassVar[frozenset[str]] = frozenset({"en", "zh"})
    share: float = Field(0.1, gt=0, le=1, description="words that are put in, of all words; at least one")

    def augment(self, text: str, draw: random.Random, protected: Spans) -> str | None:
        """See `TextAugmenter`."""
        words = words_of(text, protected)
        places = [word for word in words if not any(start < word.start < end for start, end in protected)]
        wanted = how_many(self.share, len(words))
        changes: list[tuple[int, int, str]] = []
        for word in draw.sample(words, len(words)):
            if len(changes) == wanted or not places:
                break
            if word.fixed or not (found := candidates(text, word)):
                continue
            new = draw.choice(found)
            new = new if word.chinese or new.isupper() else new.lower()
            behind = draw.choice(places)
            changes.append((behind.start, behind.start, new if word.chinese else new + " "))
        return with_changes(text, changes) if changes else None
