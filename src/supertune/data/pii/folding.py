"""Texts in one width, with the place of every character: full-width digits, digits of other scripts, dashes, spaces.

Chinese keyboards write １３８ as readily as 138, telephones put direction marks around numbers, and pages
separate digits by no-break spaces. Every finder looks at the folded text alone.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

_DASHES = frozenset("\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58\ufe63")
_DELETED = frozenset({"Cf"})


@dataclass(frozen=True)
class Folded:
    """A folded text.

    Attributes:
        text: ASCII letters, digits and signs in their usual width; invisible characters taken out.
        places: For each character its place in the text as it was given; None where nothing was taken out, so that
            both count alike.
    """

    text: str
    places: tuple[int, ...] | None = None

    def original(self, start: int, end: int) -> tuple[int, int]:
        """A range of the folded text that is not empty, as a range of the text that was given."""
        if self.places is None:
            return start, end
        return self.places[start], self.places[end - 1] + 1


class _Table(dict[int, int | None]):
    """Code point → the one it folds to, or None to take it out; asked for once, then remembered."""

    def __missing__(self, code: int) -> int | None:
        self[code] = folded = _fold(code)
        return folded


def _fold(code: int) -> int | None:
    if 0xFF01 <= code <= 0xFF5E:
        return code - 0xFEE0
    character = chr(code)
    category = unicodedata.category(character)
    if category == "Nd":
        return ord("0") + unicodedata.decimal(character)
    if category == "Zs":
        return ord(" ")
    if category in _DELETED or 0xFE00 <= code <= 0xFE0F:
        return None
    return ord("-") if character in _DASHES else code


_TABLE = _Table()


def fold_width(text: str) -> Folded:
    """The text with one width of digits, letters, signs, dashes and spaces; letter case stays."""
    if text.isascii():
        return Folded(text)
    folded = text.translate(_TABLE)
    if len(folded) == len(text):
        return Folded(folded)
    return Folded(folded, tuple(place for place, character in enumerate(text) if _TABLE[ord(character)] is not None))
