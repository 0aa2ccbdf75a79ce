"""Text from outside, made fit to be shown: nothing in it can break a page, and nothing is cut in silence."""

from __future__ import annotations

import re
import unicodedata

# Characters that HTML or XML forbid: controls other than tab and newline, surrogates, noncharacters.
# And the characters that force a direction on what follows: a report must not show a text backwards.
_FORBIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")
_JOINER = "\u200d"


def clean(text: str) -> str:
    """The text with characters that no page can or should hold shown as U+FFFD, and every line end a newline."""
    return _FORBIDDEN.sub("\ufffd", text.replace("\r\n", "\n").replace("\r", "\n"))


def cut(text: str, limit: int, more: str) -> str:
    """At most ``limit`` characters; what is missing is counted with ``more``, e.g. ``{count} more characters``.

    Never cuts between a letter and its accents, or inside an emoji made of several.
    """
    if len(text) <= limit:
        return clean(text)
    end = limit
    while end > limit // 2 and _joined(text[end - 1], text[end]):
        end -= 1
    counted = more.format(count=f"{len(text) - end:,}")
    return f"{clean(text[:end]).rstrip()}… ({counted})"


def _joined(before: str, after: str) -> bool:
    extends = unicodedata.combining(after) or after == _JOINER or "\ufe00" <= after <= "\ufe0f"
    return bool(extends) or before == _JOINER or "\U0001f3fb" <= after <= "\U0001f3ff"
