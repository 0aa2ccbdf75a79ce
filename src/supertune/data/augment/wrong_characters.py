"""Chinese characters taken for others: those that sound the same, and those that look alike."""

from __future__ import annotations

import random
from abc import abstractmethod
from typing import ClassVar

from pydantic import Field

from supertune.data.augment.augmenter import Spans, TextAugmenter
from supertune.data.augment.characters import slipped
from supertune.data.augment.dictionaries import characters
from supertune.data.augment.words import Word


class WrongCharacters(TextAugmenter):
    """Takes one character of some words for another; only characters in common use are taken for them."""

    languages: ClassVar[frozenset[str]] = frozenset({"zh"})
    share: float = Field(0.1, gt=0, le=1, description="words with a wrong character, at least one")

    @abstractmethod
    def alike(self) -> dict[str, tuple[str, ...]]:
        """Character → those that are taken for it."""

    def augment(self, text: str, draw: random.Random, protected: Spans) -> str | None:
        """See `TextAugmenter`."""
        alike = self.alike()

        def taken(word: str, place: int) -> list[tuple[int, str]]:
            return [(1, other) for other in alike.get(word[place], ())]

        return slipped(text, draw, protected, share=self.share, shortest=1, fits=_is_chinese, slip=taken)


class Homophones(WrongCharacters):
    """Characters that are read the same, tone and all; those that are read in several ways are left alone."""

    name: ClassVar[str] = "homophones"

    def alike(self) -> dict[str, tuple[str, ...]]:
        """See `WrongCharacters`."""
        return characters("homophones")


class LookAlikes(WrongCharacters):
    """Characters whose strokes are nearly the same: 未 and 末."""

    name: ClassVar[str] = "look-alikes"

    def alike(self) -> dict[str, tuple[str, ...]]:
        """See `WrongCharacters`."""
        return characters("look_alikes")


def _is_chinese(word: Word) -> bool:
    return word.chinese
