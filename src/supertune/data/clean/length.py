"""Texts that are too short or too long."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from supertune.data.clean.operator import TextFilter
from supertune.language import running_tokens


class Length(TextFilter):
    """Rows whose text is shorter or longer than said; words count one each, of Chinese every character."""

    name: ClassVar[str] = "length"
    least: int = Field(1, ge=0, description="the shortest text that stays")
    most: int | None = Field(None, ge=1, description="the longest text that stays; none: any")
    unit: Literal["words", "characters"] = Field("words", description="words (of Chinese: characters), or characters")

    def reason(self, text: str) -> str | None:
        """See `TextFilter`."""
        length = len(text) if self.unit == "characters" else len(running_tokens(text))
        if length < self.least:
            return f"shorter than {self.least} {self.unit}"
        if self.most is not None and length > self.most:
            return f"longer than {self.most} {self.unit}"
        return None
