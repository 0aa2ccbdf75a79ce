"""One spelling for characters that can be written in several ways."""

from __future__ import annotations

import unicodedata
from typing import ClassVar, Literal

from pydantic import Field

from supertune.data.clean.operator import TextEdit


class UnicodeForm(TextEdit):
    """Characters in one of Unicode's normal forms (Unicode Standard Annex 15).

    NFC only decides how accents are stored; nothing looks different afterwards. NFKC also makes ① a 1, ﬁ two letters
    and full-width Chinese punctuation half-width: choose it only where that is wanted.
    """

    name: ClassVar[str] = "unicode"
    form: Literal["NFC", "NFKC"] = Field("NFC", description="NFC: looks the same; NFKC: compatibility forms replaced")

    def edit(self, text: str) -> str:
        """See `TextEdit`."""
        return text if text.isascii() else unicodedata.normalize(self.form, text)
