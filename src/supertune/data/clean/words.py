"""Words as a column of their own."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field

from supertune.data.clean.operator import Addition, Batch
from supertune.data.words import check_tagger, tagged_words, words_in


class Words(Addition):
    """The words of each text with a space between, and on request their parts of speech in the same order.

    Texts in English and Chinese; other scripts are divided at spaces and marks, and tagged as if they were English.
    """

    name: ClassVar[str] = "words"
    column: str | None = Field(None, description="column to read; none: all texts of a row")
    into: str = Field("words", min_length=1, description="name of the new column")
    tags: bool = Field(False, description="also a column of parts of speech: its name ends in _tags")

    def model_post_init(self, context: Any) -> None:
        """Told before a row is read that the model is missing."""
        if self.tags:
            check_tagger()

    @property
    def added(self) -> tuple[str, ...]:
        """See `Addition`."""
        return (self.into, f"{self.into}_tags") if self.tags else (self.into,)

    @property
    def reads(self) -> str | None:
        """See `Addition`."""
        return self.column

    def made(self, batch: Batch) -> dict[str, list[str]]:
        """See `Addition`."""
        if not self.tags:
            return {self.into: [" ".join(words_in(text)) for text in batch.texts]}
        tagged = [tagged_words(text) for text in batch.texts]
        words, tags = ([" ".join(each[side] for each in row) for row in tagged] for side in (0, 1))
        return dict(zip(self.added, (words, tags), strict=True))
