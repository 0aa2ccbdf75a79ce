"""Words replaced by others that mean the same (synonym replacement; Wei & Zou 2019, EDA)."""

from __future__ import annotations

import random
from typing import ClassVar

from pydantic import Field

from supertune.data.augment.augmenter import Spans, TextAugmenter
from supertune.data.augment.replacing import candidates
from supertune.data.augment.words import how_many, with_changes, words_of


class Synonyms(TextAugmenter):
    """Replaces words by synonyms of the same part of speech, in the same form, with the same capitals."""

    name: ClassVar[str] = "synonyms"
    languages: ClassVar[frozenset[str]] = frozenset({"en", "zh"})
    share: float = Field(0.1, gt=0, le=1, description="words that are replaced, of all words; at least one")

    def augment(self, text: str, draw: random.Random, protected: Spans) -> str | None:
        """See `TextAugmenter`."""
        words = words_of(text, protected)
        wanted = how_many(self.share, len(words))
        changes: list[tuple[int, int, str]] = []
        for word in draw.sample(words, len(words)):
            if len(changes) == wanted:
                break
            if not word.fixed and (found := candidates(text, word)):
                changes.append((word.start, word.end, draw.choice(found)))
        return with_changes(text, changes) if changes else None
