"""Numbers of passports and travel permits: they carry no checksum, so only words beside them make them telling."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from supertune.data.pii.drawing import DIGITS, Draw
from supertune.data.pii.folding import Folded
from supertune.data.pii.spans import Found
from supertune.data.pii.surroundings import before, behind

_NUMBER = re.compile(
    r"(?<![0-9A-Za-z_])(?<!\d[.-])(?:"
    # Chinese: ordinary ones (G, E, EA to EZ), diplomatic, service and public affairs, of Hong Kong, of Macao; permits.
    r"(?:[EGDSPHKMCTLW]|DE|SE|PE|KJ|MA|MB)\d{7,8}|E[A-HJ-NP-Z]\d{7}"
    # Others: one to three letters and six to eight digits; nine digits; Germany's nine letters and digits.
    r"|[A-Z]{1,3}\d{6,8}[A-Z]?|\d{2}[A-Z]{2}\d{5}|\d{9}|[CFGHJK][0-9CFGHJKLMNPRTVWXYZ]{8}"
    r")(?![0-9A-Za-z_]|[.-]\d)",
    re.IGNORECASE,
)
_WORDS = re.compile(
    r"(?<![\[\w])(?:passports?|travel\s+(?:document|permit))(?!\w)|护照|護照|通行证|通行證|旅行证|旅行證|回乡证|台胞证",
    re.IGNORECASE,
)
_HINTS = ("passport", "travel", "护照", "護照", "行证", "行證", "回乡证", "台胞证")
_PSEUDONYM = re.compile(r"X{1,3}00|000", re.IGNORECASE)
_DIGITS_NEEDED = 5


def find_passports(folded: Folded, regions: Sequence[str]) -> Iterator[Found]:
    """Numbers with a word for passports or travel permits before them, or right behind them in the same sentence."""
    if not folded.holds(_HINTS):
        return
    text = folded.text
    for match in _NUMBER.finditer(text):
        number = match.group().upper()
        if sum(map(str.isdigit, number)) < _DIGITS_NEEDED or _PSEUDONYM.match(number):
            continue
        if _WORDS.search(before(text, match.start(), 40)) or _WORDS.search(behind(text, match.end(), 12)):
            yield Found(match.start(), match.end(), "context", number)


def pseudonym(normal: str, draw: Draw) -> str:
    """The letters in front as X and two zeros, or three zeros, then digits: numbers that begin so are never found."""
    letters = len(normal) - len(normal.lstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZ"))
    front = "X" * min(letters, 3) + "00" if letters else "000"
    return front + draw.text(len(normal) - len(front), DIGITS)
