"""Number plates of vehicles: Chinese ones by their form (GA 36-2018), others by the words beside them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from supertune.data.pii.drawing import DIGITS, LETTERS, Draw
from supertune.data.pii.folding import Folded
from supertune.data.pii.spans import Found
from supertune.data.pii.surroundings import before

_PROVINCES = "京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼"
_SIGNS = "A-HJ-NP-Z0-9"
_CHINESE = re.compile(
    rf"(?:[{_PROVINCES}](?<![全最更崭创]新)[A-Z][·•・. -]?"
    # Cars with new energy: small ones have a letter in front, large ones behind.
    rf"(?:[A-HJK](?:[{_SIGNS}])\d{{4}}|\d{{5}}[A-HJK]|[{_SIGNS}]{{4}}[{_SIGNS}挂学警港澳])"
    rf"|[{_PROVINCES}][A-HJ-NP-Z]\d{{4}}领|(?<![0-9A-Za-z])\d{{6}}使|使\d{{6}}"
    rf"|WJ[·• ]?[{_PROVINCES}]?[·• ]?\d{{4}}[{_SIGNS}])"
    r"(?![0-9A-Za-z])",
    re.IGNORECASE,
)
_OTHER = re.compile(
    r"(?<![0-9A-Za-z_])(?:[A-Z]{2}\d{2} ?[A-Z]{3}|[0-9A-Z]{1,4}(?:[ -]?(?![AI]\b)[0-9A-Z]{1,4}){1,2})"
    r"(?![0-9A-Za-z_]|-[0-9A-Z])"
)
_WORDS = re.compile(
    r"(?<![\[\w])(?:(?:licen[cs]e|number|registration|car|vehicle)\s+plates?|plate\s+(?:number|no)|plates?\s+(?:is|read|was)"
    r"|(?:vehicle|car)\s+(?:registration|reg)|registered\s+as|with\s+plates?|reg(?:istration)?\s+(?:number|no))\W*"
    r"(?:\b(?:number|no|is|was|were|read|reads|of|the|plate|are)\b\W*)*\Z|(?:车牌|牌照)(?:号码?)?[\s:是为(]*\Z",
    re.IGNORECASE,
)
_CHINESE_WORTH = re.compile(rf"[{_PROVINCES}][A-Za-z]|使\d|\d[使领]|[Ww][Jj]")
_HINTS = ("plate", "registration", "registered as", " reg ", "车牌", "牌照")
_PSEUDONYM = "X0"
_FEWEST, _MOST = 5, 8


def find_plates(folded: Folded, regions: Sequence[str]) -> Iterator[Found]:
    """Chinese plates, and others behind words such as licence plate, registration, 车牌."""
    text = folded.text
    if "CN" in regions and _CHINESE_WORTH.search(text):
        for match in _CHINESE.finditer(text):
            plate = re.sub(r"[·•・. -]", "", match.group()).upper()
            # Five signs of an ordinary plate hold two letters at most.
            if sum(map(str.isdigit, plate)) >= 3:
                yield Found(match.start(), match.end(), "pattern", plate)
    if not folded.holds(_HINTS):
        return
    for match in _OTHER.finditer(text):
        plate = re.sub(r"[ -]", "", match.group())
        telling = sum(map(str.isdigit, plate)) >= (5 if plate.isdigit() else 1)
        if not (_FEWEST <= len(plate) <= _MOST and telling) or plate.startswith(_PSEUDONYM):
            continue
        if _WORDS.search(before(text, match.start(), 40)):
            yield Found(match.start(), match.end(), "context", plate)


def pseudonym(normal: str, draw: Draw) -> str:
    """某 for the province; elsewhere X0 in front: plates that begin so are never found."""
    if not normal.isascii():
        return "某A" + draw.text(max(len(normal) - 2, 5), LETTERS + DIGITS)
    shape = normal[len(_PSEUDONYM) :]
    return _PSEUDONYM + "".join(draw.text(1, DIGITS if sign.isdigit() else LETTERS) for sign in shape)
