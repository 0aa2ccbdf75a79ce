"""Two words change places, several times (random swap; Wei & Zou 2019, EDA)."""

from __future__ import annotations

import random
from typing import ClassVar

from pydantic import Field

from supertune.data.augment.augmenter import Spans, TextAugmenter
from supertune.data.augment.protection import negation
from supertune.data.augment.words import how_many, with_changes, words_of


class RandomSwap(TextAugmenter):
    """Swaps words, none of them across a word that turns a meaning round."""

    name: ClassVar[str] = "random-swap"
    share: float = Field(0.1, gt=0, le=1, description="swaps per word, at least one")

    def augment(self, text: str, draw: random.Random, protected: Spans) -> str | None:
        """See `TextAugmenter`."""
        words = [word for word in words_of(text, protected) if not word.fixed]
        turns = [match.start() for match in negation().finditer(text)]
        rooms = [sum(turn < word.start for turn in turns) for word in words]
        order = list(range(len(words)))
        for _ in range(how_many(self.share, len(words))):
            one = draw.randrange(len(words)) if words else 0
            others = [at for at in range(len(words)) if rooms[at] == rooms[one] and at != one]
            if others:
                other = draw.choice(others)
                order[one], order[other] = order[other], order[one]
        changes = [
            (words[at].start, words[at].end, words[of].text)
            for at, of in enumerate(order)
            if words[at].text != words[of].text
        ]
        return with_changes(text, changes) if changes else None
