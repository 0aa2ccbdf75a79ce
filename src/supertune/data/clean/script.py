"""Traditional and simplified Chinese."""

from __future__ import annotations

import functools
import re
from typing import Any, ClassVar, Literal

from pydantic import Field

from supertune.data.clean.operator import TextEdit

_HAN = re.compile(r"[\u3400-\u9fff\uf900-\ufaff\U00020000-\U000323af]")
_KANA = re.compile(r"[\u3041-\u3096\u30a1-\u30fa]")


class Script(TextEdit):
    """Chinese in one script, by OpenCC's dictionaries of words and characters. Japanese (with kana) stays."""

    name: ClassVar[str] = "script"
    to: Literal["simplified", "traditional"] = Field("simplified", description="simplified or traditional")

    def edit(self, text: str) -> str:
        """See `TextEdit`."""
        if text.isascii() or not _HAN.search(text) or _KANA.search(text):
            return text
        return str(_converter("t2s" if self.to == "simplified" else "s2t").convert(text))


@functools.cache
def _converter(configuration: str) -> Any:
    import opencc

    return opencc.OpenCC(configuration)
