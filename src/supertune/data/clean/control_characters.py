"""Takes out characters that steer a terminal or a layout and that nobody sees."""

from __future__ import annotations

import re
from typing import ClassVar

from supertune.data.clean.operator import TextEdit

_TERMINAL = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\))")
_LINE_END = re.compile(r"\r\n?|[\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")
# Not the joiners U+200C and U+200D: Persian, Indic scripts and families of emoji are spelled with them.
_INVISIBLE = re.compile(
    r"[\x00-\x08\x0e-\x1b\x1f\x7f-\x84\x86-\x9f\u00ad\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f"
    r"\ufeff\ufff9-\ufffb\U000e0001]"
)
_ANY = re.compile(f"{_LINE_END.pattern}|{_INVISIBLE.pattern}")


class ControlCharacters(TextEdit):
    """Control characters, marks of direction, zero-width spaces and the like taken out; line ends made line feeds.

    Also soft hyphens, byte order marks and codes for the terminal. Tabs stay, and so do the joiners inside words and
    emoji.
    """

    name: ClassVar[str] = "control-characters"

    def edit(self, text: str) -> str:
        """See `TextEdit`."""
        if not _ANY.search(text):
            return text
        # What hides between the halves of a code or a line end brings them together: until nothing is left.
        while (cleaned := _INVISIBLE.sub("", _LINE_END.sub("\n", _TERMINAL.sub("", text)))) != text:
            text = cleaned
        return text
