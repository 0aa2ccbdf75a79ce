"""Letters that a machine takes for others when it reads a page."""

from __future__ import annotations

import random
from typing import ClassVar

from pydantic import Field

from supertune.data.augment.augmenter import Spans, TextAugmenter
from supertune.data.augment.characters import slipped
from supertune.data.augment.words import Word

_ALIKE = (
    *("o0", "l1I", "i1l", "I1l", "O0", "S5", "s5", "B8", "Z2", "z2", "g9q", "q9g", "b6h", "G6C", "C6G", "t7f", "f7t"),
    *("ec", "ce", "ao", "uv", "vu", "nh", "hn"),
)
_LETTERS = {row[0]: tuple(row[1:]) for row in _ALIKE}
_PAIRS = {"rn": "m", "cl": "d", "vv": "w", "li": "h", "nn": "m", "m": "rn", "d": "cl", "w": "vv"}
"""Letters that are read as others, of which there are more or fewer."""


class Ocr(TextAugmenter):
    """Takes one letter of some words for another that looks like it: ``modern`` becomes ``rnodern`` or ``m0dern``."""

    name: ClassVar[str] = "ocr"
    languages: ClassVar[frozenset[str]] = frozenset({"en"})
    share: float = Field(0.1, gt=0, le=1, description="words that are misread, at least one")
    shortest: int = Field(3, ge=1, description="letters from which on a word is")

    def augment(self, text: str, draw: random.Random, protected: Spans) -> str | None:
        """See `TextAugmenter`."""
        return slipped(text, draw, protected, share=self.share, shortest=self.shortest, fits=_fits, slip=_misread)


def _fits(word: Word) -> bool:
    return word.text.isascii()


def _misread(word: str, place: int) -> list[tuple[int, str]]:
    found = [(1, letter) for letter in _LETTERS.get(word[place], ())]
    parts = (word[place : place + length] for length in (1, 2))
    return found + [(len(part), _PAIRS[part]) for part in dict.fromkeys(parts) if part in _PAIRS]
