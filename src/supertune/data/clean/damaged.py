"""Texts of which a part was lost."""

from __future__ import annotations

import re
from typing import ClassVar

from pydantic import Field

from supertune.data.clean.operator import TextFilter

# U+FFFD, and what three or four of them look like when their UTF-8 is read as GBK.
_LOST = re.compile("\ufffd|锟斤拷|锟絖|ï¿½")


class Damaged(TextFilter):
    """Rows with characters that some program could not read and replaced (``�``, 锟斤拷): they cannot come back."""

    name: ClassVar[str] = "damaged"
    most: int = Field(0, ge=0, description="lost characters in a row's text that may be")

    def reason(self, text: str) -> str | None:
        """See `TextFilter`."""
        return "characters lost in an encoding" if len(_LOST.findall(text)) > self.most else None
