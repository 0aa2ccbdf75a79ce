"""Texts in other languages."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from supertune.data.clean.operator import TextFilter
from supertune.language import language_of


class LanguageFilter(TextFilter):
    """Rows whose text is mainly in another language than those named.

    What the script alone tells (Chinese, Japanese, Korean, Thai …) is told at any length and in mixed texts by what
    most of the letters are; between languages of one script short texts are a guess, so those below ``least``
    characters stay.
    """

    name: ClassVar[str] = "language"
    keep: list[str] = Field(description="languages that stay, as ISO 639-1 codes: [en, zh]", min_length=1)
    least: int = Field(20, ge=0, description="characters below which a text stays whatever it looks like")

    def reason(self, text: str) -> str | None:
        """See `TextFilter`."""
        if len(text) < self.least:
            return None
        found = language_of(text)
        return None if found in self.keep or found == "und" else f"language {found}"
