"""Letters, signs and lines that are said over and over."""

from __future__ import annotations

import re
from typing import ClassVar

from pydantic import Field

from supertune.data.clean.operator import TextEdit


class Repeats(TextEdit):
    """At most so many of the same letter or sign in a row (``soooooo``, 哈哈哈哈哈, ``!!!!!!``), and of the same line.

    Digits stay: 1000000 is a number. Spaces are for ``whitespace``.
    """

    name: ClassVar[str] = "repeats"
    characters: int = Field(3, ge=1, description="most of the same letter or sign in a row")
    lines: int = Field(1, ge=1, description="most of the same line in a row")

    def edit(self, text: str) -> str:
        """See `TextEdit`."""
        text = re.sub(rf"([^\s\d])\1{{{self.characters},}}", lambda run: run.group(1) * self.characters, text)
        if "\n" not in text:
            return text
        kept: list[str] = []
        for line in text.split("\n"):
            if line and len(kept) >= self.lines and all(before == line for before in kept[-self.lines :]):
                continue
            kept.append(line)
        return "\n".join(kept)
