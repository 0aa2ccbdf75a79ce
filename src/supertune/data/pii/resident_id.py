"""Numbers of Chinese identity cards (GB 11643-1999): 18 characters with a checksum, and the 15 digits of before 1999.

python-stdnum's module for them knows the counties of one year; two in three of the numbers that Faker makes up are of
counties that it does not know. What is checked here are province, date of birth and the checksum, which it has as well.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import date

from stdnum.iso7064 import mod_11_2

from supertune.data.pii.drawing import Draw
from supertune.data.pii.folding import Folded
from supertune.data.pii.spans import Found
from supertune.data.pii.surroundings import is_serial

_PROVINCE = "(?:1[1-5]|2[1-3]|3[1-7]|4[1-6]|5[0-4]|6[1-5]|71|8[1-3])"
_BEFORE = r"(?<![0-9A-Za-z_])(?<!\d[.-])"
_BEHIND = r"(?![0-9A-Za-z_]|[.-]\d)"
_NUMBER = re.compile(
    rf"{_BEFORE}{_PROVINCE}\d{{4}}(?P<gap>[ -]?)(?:18|19|20)\d{{2}}(?P<inner>[ -]?)[01]\d[0-3]\d"
    rf"(?P=gap)\d{{3}}[\dXx]{_BEHIND}"
)
_OLD = re.compile(rf"{_BEFORE}{_PROVINCE}\d{{6}}[01]\d[0-3]\d{{4}}{_BEHIND}")
_FORM = re.compile(rf"{_PROVINCE}(?:\d{{13}}|\d{{16}})\Z")


def find_resident_ids(folded: Folded, regions: Sequence[str]) -> Iterator[Found]:
    """Numbers of identity cards, in one piece or with spaces or dashes beside the date of birth."""
    if "CN" not in regions or not folded.has_many_digits:
        return
    text = folded.text
    for match in _NUMBER.finditer(text):
        number = match.group().replace(" ", "").replace("-", "").upper()
        if _is_date(number[6:10], number[10:14]) and mod_11_2.is_valid(number):
            yield Found(match.start(), match.end(), "checksum", number)
    for match in _OLD.finditer(text):
        number = match.group()
        if _is_date("19" + number[6:8], number[8:12]) and not is_serial(text, match.start()):
            # The same person's new number: the century of birth goes in, the checksum goes behind.
            renewed = f"{number[:6]}19{number[6:]}"
            yield Found(match.start(), match.end(), "pattern", renewed + mod_11_2.calc_check_digit(renewed))


def has_form(number: str) -> bool:
    """Whether 15 or 18 digits begin like an identity number: a province, four digits, a date of birth."""
    if not _FORM.match(number):
        return False
    return _is_date("19" + number[6:8], number[8:12]) if len(number) == 15 else _is_date(number[6:10], number[10:14])


def _is_date(year: str, day: str) -> bool:
    try:
        date(int(year), int(day[:2]), int(day[2:]))
    except ValueError:
        return False
    return True


def pseudonym(normal: str, draw: Draw) -> str:
    """18 digits of the region 000000, which there is not."""
    return "000000" + draw.text(12)
