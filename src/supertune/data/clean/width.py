"""Full-width and half-width forms."""

from __future__ import annotations

import re
import unicodedata
from typing import ClassVar, Literal

from pydantic import Field

from supertune.data.clean.operator import TextEdit

_FULL = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}
_LETTERS = {code: half for code, half in _FULL.items() if chr(half).isalnum()}
_HALF_WIDTH_KANA = re.compile(r"[\uff66-\uff9f]+")
_WIDE = re.compile(r"[\uff01-\uff9f]")


class Width(TextEdit):
    """Full-width letters and digits (ＡＢＣ１２３) as ordinary ones; half-width katakana as full-width.

    Full-width punctuation is how Chinese and Japanese are written and stays, unless ``punctuation: half`` is chosen.
    """

    name: ClassVar[str] = "width"
    punctuation: Literal["keep", "half"] = Field("keep", description="full-width punctuation: kept, or made ASCII")

    def edit(self, text: str) -> str:
        """See `TextEdit`."""
        if not _WIDE.search(text):
            return text
        text = text.translate(_LETTERS if self.punctuation == "keep" else _FULL)
        return _HALF_WIDTH_KANA.sub(lambda kana: unicodedata.normalize("NFKC", kana.group()), text)
