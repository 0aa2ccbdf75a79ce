"""Slips of a hand on a keyboard: a neighbouring key, a letter too many or too few, two in the wrong order."""

from __future__ import annotations

import random
from functools import cache
from typing import ClassVar

from pydantic import Field

from supertune.data.augment.augmenter import Spans, TextAugmenter
from supertune.data.augment.characters import slipped
from supertune.data.augment.words import Word

_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
_SHIFTS = (0.0, 0.25, 0.75)
"""How far each row of a QWERTY keyboard stands to the right of the first, in keys."""


class Keyboard(TextAugmenter):
    """Makes one slip in some words of Latin letters, never in their first letter."""

    name: ClassVar[str] = "keyboard"
    languages: ClassVar[frozenset[str]] = frozenset({"en"})
    share: float = Field(0.1, gt=0, le=1, description="words that get a slip, at least one")
    shortest: int = Field(4, ge=2, description="letters from which on a word gets one")

    def augment(self, text: str, draw: random.Random, protected: Spans) -> str | None:
        """See `TextAugmenter`."""
        return slipped(text, draw, protected, share=self.share, shortest=self.shortest, fits=_fits, slip=_slips)


def _fits(word: Word) -> bool:
    return word.text.isascii() and word.text.isalpha()


def _slips(word: str, place: int) -> list[tuple[int, str]]:
    """A neighbour for the letter, the letter twice, none, or it and the next one in the wrong order."""
    if place == 0:
        return []
    letter, behind = word[place], word[place + 1 : place + 2]
    near = [(1, key.upper() if letter.isupper() else key) for key in neighbours().get(letter.lower(), ())]
    swapped = [(2, behind + letter)] if behind and behind != letter else []
    return [*near, (1, letter + letter), (1, ""), *swapped]


@cache
def neighbours() -> dict[str, tuple[str, ...]]:
    """Key → those that touch it on a QWERTY keyboard."""
    places = {
        key: (row, column + shift)
        for row, (keys, shift) in enumerate(zip(_ROWS, _SHIFTS, strict=True))
        for column, key in enumerate(keys)
    }
    return {
        key: tuple(
            other
            for other, (other_row, other_column) in places.items()
            if other != key and abs(row - other_row) <= 1 and abs(column - other_column) <= 1
        )
        for key, (row, column) in places.items()
    }
