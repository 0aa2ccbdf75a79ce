"""Characters of words changed: which ones, for every augmenter that makes the slips of a hand or a machine."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from supertune.data.augment.augmenter import Spans
from supertune.data.augment.words import Word, how_many, with_changes, words_of

Slip = Callable[[str, int], Sequence[tuple[int, str]]]
"""Of a word and a place in it how many characters from there may become which others; nothing if they stay."""


def slipped(
    text: str,
    draw: random.Random,
    protected: Spans,
    *,
    share: float,
    shortest: int,
    fits: Callable[[Word], bool],
    slip: Slip,
) -> str | None:
    """The text with one place changed in some words.

    Args:
        text: The text.
        draw: Chance.
        protected: Parts that stay.
        share: Of the words that fit, at least one is changed.
        shortest: Characters from which on a word is changed: of shorter ones nothing could be read any more.
        fits: Whether a word may be changed.
        slip: What may become of a place.
    """
    words = [word for word in words_of(text, protected) if not word.fixed and len(word.text) >= shortest and fits(word)]
    draw.shuffle(words)
    changes: list[tuple[int, int, str]] = []
    wanted = how_many(share, len(words))
    for word in words:
        if len(changes) == wanted:
            break
        places = [(place, found) for place in range(len(word.text)) if (found := slip(word.text, place))]
        if places:
            place, found = draw.choice(places)
            count, new = draw.choice(found)
            changes.append((word.start + place, word.start + place + count, new))
    return with_changes(text, changes) if changes else None
