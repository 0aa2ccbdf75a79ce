"""White space as one would type it."""

from __future__ import annotations

import re
from typing import ClassVar, Literal

from pydantic import Field

from supertune.data.clean.operator import TextEdit

_SPACES = r"[^\S\n]"
_RUN = re.compile(rf"{_SPACES}+")
_OTHER_SPACE = re.compile(r"[^\S\n\t \r]")
_ENDS = re.compile(rf"{_SPACES}+(?=\n|\Z)|(?:(?<=\n)|\A){_SPACES}+")
_LINE_ENDS = re.compile(rf"{_SPACES}+(?=\n|\Z)")
_ANY_RUN = re.compile(r"\s+")
# None of these, and there is nothing to do: most texts are tidy.
_UNTIDY = re.compile(r"[^\S\n ]|  | \n|\n[ \n]|\A\s|\s\Z")


class Whitespace(TextEdit):
    """Runs of white space become one space, lines lose it at their ends, and texts before and behind.

    ``spaces: keep`` leaves what stands inside and at the beginning of lines, for code, verse and tables: then only the
    ends of lines are trimmed, and spaces of other widths become plain ones. Line breaks stay, at most ``blank_lines``
    empty ones in a row, unless ``lines: join`` makes one line of all.
    """

    name: ClassVar[str] = "whitespace"
    spaces: Literal["collapse", "keep"] = Field("collapse", description="runs of spaces inside lines")
    lines: Literal["keep", "join"] = Field("keep", description="line breaks; join makes one line of all")
    blank_lines: int = Field(1, ge=0, description="empty lines in a row that may stay")

    def edit(self, text: str) -> str:
        """See `TextEdit`."""
        if not _UNTIDY.search(text) and (self.lines == "keep" or "\n" not in text):
            return text
        if self.lines == "join":
            text = _ANY_RUN.sub(" ", text) if self.spaces == "collapse" else text.replace("\n", " ")
        if self.spaces == "collapse":
            text = _ENDS.sub("", _RUN.sub(" ", text))
        else:
            text = _LINE_ENDS.sub("", _OTHER_SPACE.sub(" ", text))
        text = re.sub(rf"\n{{{self.blank_lines + 2},}}", "\n" * (self.blank_lines + 1), text)
        return text.strip() if self.spaces == "collapse" else text.strip("\n").rstrip()
