"""What makes a new training text of one that there is: by rules, one at a time, or by asking a model, many at a time.

An augmenter is one class in a file of its own, with its options as fields, and a line in `AUGMENTERS`.
"""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from pydantic import Field

from supertune.config.section import Section
from supertune.contracts import TextWriter
from supertune.data.augment.answers import NotWritten

Spans = Sequence[tuple[int, int]]
"""Parts of a text as first character and the one behind the last; ascending, apart from each other."""

_SAYS_WHERE = frozenset({"columns", "copies"})


class Augmenter(Section, ABC):
    """A way to make new texts; its fields are its options."""

    name: ClassVar[str]
    languages: ClassVar[frozenset[str]] = frozenset()
    """ISO 639-1 codes of the languages whose texts it changes; none: of any."""

    columns: list[str] | None = Field(None, description="columns to change; none: those with the texts")
    copies: int | None = Field(None, ge=1, le=100, description="new rows of each row; none: as many as of the others")

    @property
    def options(self) -> dict[str, Any]:
        """The options that are not the defaults, as JSON."""
        return self.model_dump(mode="json", exclude_defaults=True)

    @property
    def way(self) -> dict[str, Any]:
        """The options that decide what it writes, and not of which columns or how often: what its draws depend on."""
        return {name: value for name, value in self.options.items() if name not in _SAYS_WHERE}


class TextAugmenter(Augmenter):
    """Makes a new text of one by rules."""

    @abstractmethod
    def augment(self, text: str, draw: random.Random, protected: Spans) -> str | None:
        """The new text; None where nothing can be changed. Never raises, whatever the text.

        Args:
            text: The text as it is.
            draw: All chance comes from it, and from nothing else.
            protected: Parts that stay as they are, and stay whole; they may move.
        """


class BatchAugmenter(Augmenter):
    """Makes new texts by asking a writer, which is handed many prompts at once."""

    steps: ClassVar[int] = 1
    """Questions that are asked for one text, one after the other."""
    rewrites: ClassVar[bool] = True
    """The new text stands for the old one: what is protected in that, but for negations, has to be in it too."""

    @abstractmethod
    def write(
        self,
        texts: Sequence[str],
        labels: Sequence[str | None],
        draws: Sequence[random.Random],
        writer: TextWriter,
        examples: Mapping[str, Sequence[str]],
    ) -> list[str | NotWritten | None]:
        """A new text for each; why there is none, or None, where nothing came of it.

        What is written for a text must not depend on which others are asked about at the same time.

        Args:
            texts: Those to make new ones of.
            labels: What each is to be learned as, in words; None where the rows have no labels of words.
            draws: Chance for each, and for nothing else.
            writer: What writes.
            examples: Label → the original texts of the training rows of it, in an order that does not depend on that
                of the rows; empty where the rows have no labels of words.
        """
