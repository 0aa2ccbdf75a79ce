"""Telephone numbers of mainland China as they are written in Chinese: no spaces around them, with or without 86."""

from __future__ import annotations

import re
from collections.abc import Iterator

from supertune.data.pii.phone_numbers import CONTEXT, parsed
from supertune.data.pii.spans import Found
from supertune.data.pii.surroundings import before, is_no_phone

_BEFORE = r"(?<![0-9_])(?<![0-9][.:-])(?<![¥$€£])"
_BEHIND = r"(?![0-9A-Za-z_%]|[.:-]\d)"
_COUNTRY = r"(?:(?:\+|00)\s?86[ -]?|\(\+?86\)\s?|86[ -]?)?"
_MOBILE = re.compile(rf"{_BEFORE}{_COUNTRY}(?P<number>1[3-9]\d(?P<gap>[ .-]?)\d{{4}}(?P=gap)\d{{4}}){_BEHIND}")
_AREA = r"10|2[0-57-9]|[3-9]\d{2}"
_LANDLINE = re.compile(
    rf"{_BEFORE}(?:{_COUNTRY}\(?(?P<area>0(?:{_AREA}))\)?|(?:\+|00)\s?86[ -]?\(?(?P<short>{_AREA})\)?)"
    rf"[ -]{{0,2}}(?P<number>[2-9]\d{{2,3}}[ -]?\d{{4}}){_BEHIND}"
)
_SERVICE = re.compile(
    rf"{_BEFORE}(?P<number>[48]00(?:-\d{{3}}-?\d{{4}}| \d{{3}} \d{{4}}|-\d{{4}}-\d{{3}}|\d{{7}})){_BEHIND}"
)
_LETTERS_BEFORE = re.compile(r"[A-Za-z]+\Z")
_WORDS_BEFORE = re.compile(r"(?:tel|phone|mobile|mob|cell|call|fax|wechat|wx|vx|v)\Z", re.IGNORECASE)
_ROUND = re.compile(r"0{7}\Z|(\d)\1{9}\Z")


def mobiles(text: str) -> Iterator[Found]:
    """Mobile numbers: eleven digits, also as 3-4-4; of ranges that nobody has been given only beside words for them."""
    for match in _MOBILE.finditer(text):
        if _glued(text, match.start()) or _ROUND.search(number := re.sub(r"\D", "", match["number"])):
            continue
        if is_no_phone(text, match.start()):
            continue
        known = parsed("+86" + number)
        if known or CONTEXT.search(before(text, match.start())):
            yield Found(match.start(), match.end(), "library" if known else "context", "+86" + number)


def landlines(text: str) -> Iterator[Found]:
    """Numbers with an area code, and the 400 and 800 numbers of companies."""
    for match in _LANDLINE.finditer(text):
        number = "+86" + re.sub(r"\D", "", (match["area"] or match["short"]).lstrip("0") + match["number"])
        if not _glued(text, match.start()) and parsed(number) and not is_no_phone(text, match.start()):
            yield Found(match.start(), match.end(), "library", number)
    for match in _SERVICE.finditer(text):
        number = re.sub(r"\D", "", match["number"])
        in_groups = len(number) < len(match["number"])
        if in_groups or CONTEXT.search(before(text, match.start())):
            yield Found(match.start(), match.end(), "pattern" if in_groups else "context", "+86" + number)


def _glued(text: str, start: int) -> bool:
    """Whether letters stand right before the number that are no word for telephones: a serial number's."""
    if not start or not (text[start - 1].isascii() and text[start - 1].isalpha()):
        return False
    letters = _LETTERS_BEFORE.search(text, max(0, start - 12), start)
    return letters is None or not _WORDS_BEFORE.match(letters.group())
