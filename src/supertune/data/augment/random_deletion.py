"""Words left out at random (random deletion; Wei & Zou 2019, EDA)."""

from __future__ import annotations

import random
from typing import ClassVar

from pydantic import Field

from supertune.data.augment.augmenter import Spans, TextAugmenter
from supertune.data.augment.words import with_changes, words_of


class RandomDeletion(TextAugmenter):
    """Leaves each word out with a probability, one at least; never the last one, and nothing that is protected."""

    name: ClassVar[str] = "random-deletion"
    share: float = Field(0.1, gt=0, lt=1, description="probability that a word goes")

    def augment(self, text: str, draw: random.Random, protected: Spans) -> str | None:
        """See `TextAugmenter`."""
        words = words_of(text, protected)
        free = [word for word in words if not word.fixed]
        if len(words) < 2 or not free:
            return None
        gone = [word for word in free if draw.random() < self.share] or [draw.choice(free)]
        if len(gone) == len(words):
            gone.remove(draw.choice(gone))
        changes = []
        for word in gone:
            # The space goes with its word; one before it if none is behind it.
            start, end = word.start, word.end
            if text[end : end + 1] == " ":
                end += 1
            elif start and text[start - 1] == " " and not _is_protected(start - 1, protected):
                start -= 1
            changes.append((start, end, ""))
        return with_changes(text, _apart(changes))


def _is_protected(place: int, protected: Spans) -> bool:
    return any(start <= place < end for start, end in protected)


def _apart(changes: list[tuple[int, int, str]]) -> list[tuple[int, int, str]]:
    """Changes that do not overlap: two neighbours may both take the space between them."""
    apart: list[tuple[int, int, str]] = []
    for start, end, new in changes:
        apart.append((max(start, apart[-1][1]) if apart else start, end, new))
    return apart
