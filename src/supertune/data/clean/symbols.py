"""Texts that are mostly signs."""

from __future__ import annotations

import unicodedata
from typing import ClassVar

from pydantic import Field

from supertune.data.clean.operator import TextFilter


class Symbols(TextFilter):
    """Rows in whose text too many characters are neither letter, digit, mark nor white space: tables, art, code."""

    name: ClassVar[str] = "symbols"
    most: float = Field(0.5, ge=0, le=1, description="largest part of signs among the visible characters that stays")

    def reason(self, text: str) -> str | None:
        """See `TextFilter`."""
        visible = "".join(text.split())
        signs = sum(not one.isalnum() and unicodedata.category(one)[0] != "M" for one in visible)
        return f"more than {self.most:.0%} signs" if signs > self.most * len(visible) else None
