"""International bank account numbers (ISO 13616): checksum, country, and the country's structure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from stdnum import iban

from supertune.data.pii.drawing import DIGITS, LETTERS, Draw
from supertune.data.pii.folding import Folded
from supertune.data.pii.spans import Found

_START = re.compile(
    r"(?<![0-9A-Za-z_])[A-Z]{2}\d{2}(?:(?:[ -]?[A-Z0-9]){11,30}|(?:[ -]?[a-z0-9]){11,30})"
    r"|(?<![0-9A-Za-z_])[a-z]{2}\d{2}(?:[a-z0-9]){11,30}"
)
_WORTH = re.compile(r"\d\d(?<=[A-Za-z]{2}\d\d)[ -]?[0-9A-Za-z]{4}")
_SHORTEST = 15


def find_ibans(folded: Folded, regions: Sequence[str]) -> Iterator[Found]:
    """Account numbers, in one piece or in groups; what follows in capitals is told apart by the checksum."""
    text = folded.text
    if not _WORTH.search(text):
        return
    for match in _START.finditer(text):
        for end in _ends(text, match.start(), match.end()):
            number = text[match.start() : end].replace(" ", "").replace("-", "").upper()
            # The country's own checks of what is inside are not asked for: not all banks keep to them.
            if iban.is_valid(number, check_country=False):
                yield Found(match.start(), end, "checksum", number)
                break


def _ends(text: str, start: int, end: int) -> Iterator[int]:
    """Where the number may end, longest first: in front of anything that is no letter or digit."""
    for place in range(end, start + _SHORTEST - 1, -1):
        inside = place < len(text) and text[place].isascii() and text[place].isalnum()
        if text[place - 1].isalnum() and not inside:
            yield place


def pseudonym(normal: str, draw: Draw) -> str:
    """Of the country XX, which there is not, with the check digits 00, which never hold."""
    shape = normal[4:]
    return "XX00" + "".join(draw.text(1, DIGITS if character.isdigit() else LETTERS) for character in shape)
