"""Emoji: kept, taken out, or spelled in words."""

from __future__ import annotations

import re
from typing import ClassVar, Literal

from pydantic import Field

from supertune.data.clean.operator import TextEdit
from supertune.language import is_chinese

# Every emoji has one of these; the library looks at each character, which takes fifty times as long.
_MAYBE = re.compile(
    r"[\u00a9\u00ae\u203c\u2049\u20e3\u2122\u2139\u2194-\u2bff\u3030\u303d\u3297\u3299\U0001f000-\U0001faff]"
)


class Emoji(TextEdit):
    """Emoji taken out, or replaced by their names (``:thumbs_up:``, in a Chinese text ``:拇指向上:``).

    Often an emoji is the only word of feeling in a text: models that know them lose by this.
    """

    name: ClassVar[str] = "emoji"
    action: Literal["remove", "name"] = Field("remove", description="remove, or replace by their names")

    def edit(self, text: str) -> str:
        """See `TextEdit`."""
        if not _MAYBE.search(text):
            return text
        import emoji

        if self.action == "remove":
            return str(emoji.replace_emoji(text, ""))
        return str(emoji.demojize(text, language="zh" if is_chinese(text) else "en"))
