"""Addresses of the web."""

from __future__ import annotations

import re
from typing import ClassVar, Literal

from pydantic import Field

from supertune.data.clean.operator import TextEdit

# Chinese follows an address without a space; an address never ends in punctuation of the sentence around it.
_URL = re.compile(r"(?:https?://|ftp://|(?<![\w.@])www\.)[!#-;=?-Z\[\]_a-z~]*[#$%&+/0-9=@A-Z_a-z~-]", re.I)
_GAP = re.compile(r"(?<=\S)  +(?=\S)")


class Urls(TextEdit):
    """Addresses (``https://…``, ``www.…``) replaced by a word, or taken out."""

    name: ClassVar[str] = "urls"
    action: Literal["replace", "remove"] = Field("replace", description="replace by a word, or take out")
    word: str = Field("[URL]", description="what stands for an address")

    def edit(self, text: str) -> str:
        """See `TextEdit`."""
        if "://" not in text and "www." not in text.lower():
            return text
        if self.action == "replace":
            return _URL.sub(lambda _: self.word, text)
        while (cleaned := _URL.sub("", text)) != text:
            text = _GAP.sub(" ", cleaned).strip()
        return text
