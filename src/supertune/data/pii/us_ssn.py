"""Social security numbers of the United States: areas and groups that were never given out are none."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from stdnum.us import ssn

from supertune.data.pii.drawing import Draw
from supertune.data.pii.folding import Folded
from supertune.data.pii.spans import Found, Verified
from supertune.data.pii.surroundings import before, is_serial

_NUMBER = re.compile(r"(?<![0-9A-Za-z_])(?<!\d[.-])\d{3}(?P<gap>[ -]?)\d{2}(?P=gap)\d{4}(?![0-9A-Za-z_]|[.-]\d)")
_WORDS = re.compile(
    r"(?<![\[\w])(?:SSN|social\s+security|tax\s*(?:payer)?\s*ID|ITIN)|社会安全|社会保障号|社安|社保号", re.IGNORECASE
)


def find_ssns(folded: Folded, regions: Sequence[str]) -> Iterator[Found]:
    """Numbers with dashes; with spaces or in one piece only where words say what they are."""
    if "US" not in regions or not folded.has_many_digits:
        return
    text = folded.text
    for match in _NUMBER.finditer(text):
        digits = re.sub(r"\D", "", match.group())
        number = f"{digits[:3]}-{digits[3:5]}-{digits[5:]}"
        if not ssn.is_valid(number):
            continue
        named = _WORDS.search(before(text, match.start()))
        verified: Verified = "pattern" if match["gap"] == "-" else "context"
        if named or (match["gap"] == "-" and not is_serial(text, match.start())):
            yield Found(match.start(), match.end(), verified, number)


def pseudonym(normal: str, draw: Draw) -> str:
    """A number of the area 000, which was never given out."""
    return f"000-{draw.text(2)}-{draw.text(4)}"
