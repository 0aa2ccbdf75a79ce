"""Roles and folded forms of all characters as tables, so that whole batches of texts are read in arrays."""

from __future__ import annotations

import unicodedata
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from supertune.language import CharacterRole, fold_case_and_width, role_of

CodePoints = NDArray[np.uint32]
Roles = NDArray[np.uint8]
_ALL = 0x110000
# Leading consonants, vowels and trailing consonants of Korean: single letters that may become one syllable.
_JAMO = range(0x1100, 0x1200)


class CharacterTables:
    """What is known of the characters that were met so far; each is looked up in Unicode's tables once.

    Attributes:
        roles: uint8 by code point: the `supertune.language.CharacterRole` of its folded form, 0 where not yet met.
        folded: uint32 by code point: the one code point that it is folded into.
        entangled: bool by code point: its folded form depends on its neighbours or is none or several characters, so
            that texts with it have to be folded as a whole.
        several_signs: bool by code point: its folded form is several signs (… is three full stops), which makes a
            difference only where there is nothing else.
    """

    def __init__(self) -> None:
        self.roles: Roles = np.zeros(_ALL, np.uint8)
        self.folded: CodePoints = np.zeros(_ALL, np.uint32)
        self.entangled: NDArray[np.bool_] = np.zeros(_ALL, bool)
        self.several_signs: NDArray[np.bool_] = np.zeros(_ALL, bool)

    def roles_of(self, codes: CodePoints) -> Roles:
        """The role of each, after those that are new have been looked up."""
        roles = self.roles[codes]
        if not roles.all():
            new = np.zeros(_ALL, bool)
            new[codes[roles == 0]] = True
            for code in np.flatnonzero(new).tolist():
                self._learn(code)
            roles = self.roles[codes]
        return roles

    def _learn(self, code: int) -> None:
        character = chr(code)
        form = fold_case_and_width(character)
        if len(form) > 1 and all(role_of(part) == CharacterRole.SIGN for part in form):
            self.several_signs[code] = True
            form = form[0]
        elif len(form) != 1 or any(map(_combines, character + form)):
            self.entangled[code] = True
            form = character
        self.folded[code] = ord(form)
        self.roles[code] = role_of(form)


def _combines(character: str) -> bool:
    return unicodedata.category(character)[0] == "M" or ord(character) in _JAMO


@lru_cache(maxsize=1)
def character_tables() -> CharacterTables:
    """The tables of this process."""
    return CharacterTables()
