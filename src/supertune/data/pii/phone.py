"""Telephone numbers: with a country's code everywhere, without one as the regions write them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from supertune.data.pii import phone_chinese
from supertune.data.pii.drawing import Draw
from supertune.data.pii.folding import Folded
from supertune.data.pii.phone_numbers import CONTEXT, parsed
from supertune.data.pii.spans import Found
from supertune.data.pii.surroundings import before, is_no_phone
from supertune.language import has_unspaced_script

_EXTENSION = r"(?:[ ,]{0,2}(?:x|ext\.?|extension|转|分机)[ :.]{0,2}\d{1,6}(?!\d))?"
_BEFORE = r"(?<![0-9A-Za-z_+])(?<![0-9][ .,:/-])(?<![$€£¥#])"
_BEHIND = r"(?![0-9A-Za-z_%]|[.,:/-]\d)"
_WITH_CODE = re.compile(r"(?<![0-9A-Za-z_+])(?<![0-9A-Z]{4} )(?:\+|00)[ (]?[1-9](?:[ ().\-/]{0,3}\d){6,15}(?!\d)")
_NORTH_AMERICAN = re.compile(
    r"(?<![0-9A-Za-z_+])(?<![0-9][.:-])(?<![$€£¥#])(?:(?:\+|00)?1[ .-]?)?"
    r"(?:\((?!555)(?P<area>[2-9]\d\d)\)[ -]?|(?!555)(?P<plain>[2-9]\d\d)(?P<gap>[ .-]))"
    rf"(?P<exchange>[2-9]\d\d)(?(gap)(?P=gap)|[ .-])(?P<line>\d{{4}}){_EXTENSION}(?![0-9A-Za-z_%]|[.:-]\d)",
    re.IGNORECASE,
)
_BARE = re.compile(
    rf"{_BEFORE}(?<![0-9A-Z]{{4}} )(?:\d{{7,12}}|(?!(?:19|20)\d\d[ .-](?:19|20)\d\d)\d{{3,4}}[ .-]\d{{4}})"
    rf"{_BEHIND}(?! \d|-\w)"
)
_NATIONAL = re.compile(rf"{_BEFORE}(?:\(\d|\d)(?:[ ().\-/]{{0,3}}\d){{6,12}}{_EXTENSION}{_BEHIND}", re.IGNORECASE)
_NEAR = 20
_NANP = ("US", "CA")


def find_phones(folded: Folded, regions: Sequence[str]) -> Iterator[Found]:
    """Numbers with a country's code, those of the regions, and short ones right behind words for telephones."""
    if not folded.has_many_digits:
        return
    text = folded.text
    yield from _with_code(text)
    chinese = "CN" in regions
    if chinese:
        yield from phone_chinese.mobiles(text)
    # 020 7496 0592 is a number in Guangzhou and in London: in a text with Chinese in it the former.
    if chinese and has_unspaced_script(text):
        yield from phone_chinese.landlines(text)
    if "US" in regions or "CA" in regions:
        yield from _north_american(text)
    for region in regions:
        if region not in ("CN", *_NANP):
            yield from _national(text, region)
    if chinese and not has_unspaced_script(text):
        yield from phone_chinese.landlines(text)
    yield from _bare(text, regions)


def _with_code(text: str) -> Iterator[Found]:
    """``+`` or ``00``, a country's code, a number of its plan; what follows the number is tried off group by group."""
    for match in _WITH_CODE.finditer(text):
        end = match.end()
        if match.group()[0] == "0" and is_no_phone(text, match.start()):
            continue
        while end - match.start() > 7:
            if normal := parsed(_international(text[match.start() : end])):
                yield Found(match.start(), end + _extension(text, end), "library", normal)
                break
            shorter = re.match(r".*\d(?=[ ().\-/]+\d+\Z)", text[match.start() : end])
            end = match.start() + shorter.end() if shorter else 0
        else:
            named = CONTEXT.search(before(text, match.start()))
            if (named or match.group()[0] == "+") and (normal := parsed(_international(match.group()), possible=True)):
                end = match.end() + _extension(text, match.end())
                yield Found(match.start(), end, "context" if named else "pattern", normal)


def _international(written: str) -> str:
    digits = re.sub(r"\D", "", written.replace("(0)", ""))
    return "+" + (digits if written[0] == "+" else digits[2:])


def _north_american(text: str) -> Iterator[Found]:
    """NPA-NXX-XXXX in groups, also with area codes that nobody has been given yet."""
    for match in _NORTH_AMERICAN.finditer(text):
        if is_no_phone(text, match.start()):
            continue
        normal = "+1" + (match["area"] or match["plain"]) + match["exchange"] + match["line"]
        yield Found(match.start(), match.end(), "library" if parsed(normal) else "pattern", normal)


def _national(text: str, region: str) -> Iterator[Found]:
    """What the library's matcher takes for a number of the region written in its groups; with words, in any groups."""
    import phonenumbers
    from phonenumbers import Leniency, PhoneNumberMatcher

    for candidate in _NATIONAL.finditer(text):
        if is_no_phone(text, candidate.start()):
            continue
        named = CONTEXT.search(before(text, candidate.start()))
        # A national number in one piece is told from others by its leading zero alone.
        if not named and "0" not in candidate.group()[:2]:
            continue
        leniency = Leniency.VALID if named else Leniency.STRICT_GROUPING
        for found in PhoneNumberMatcher(candidate.group(), region, leniency=leniency):
            start, end = candidate.start() + found.start, candidate.start() + found.end
            normal = str(phonenumbers.format_number(found.number, phonenumbers.PhoneNumberFormat.E164))
            yield Found(start, end, "library", normal)
            break
        else:
            # Numbers kept for films and those given out lately: as long as others, and with the leading zero.
            digits = re.sub(r"\D", "", candidate.group())
            if named and digits[0] == "0" and (possible := parsed(digits, region, possible=True)):
                yield Found(candidate.start(), candidate.end(), "context", possible)


def _bare(text: str, regions: Sequence[str]) -> Iterator[Found]:
    """Digits that could count anything, right behind a word for telephones."""
    for match in _BARE.finditer(text):
        piece = before(text, match.start(), _NEAR)
        if not CONTEXT.search(piece) or is_no_phone(text, match.start()):
            continue
        digits = re.sub(r"\D", "", match.group())
        known = (parsed(digits, region) for region in regions)
        if normal := next(filter(None, known), None):
            yield Found(match.start(), match.end(), "library", normal)
        elif len(digits) in (7, 8) and digits[0] not in "01":
            yield Found(match.start(), match.end(), "context", digits)


def _extension(text: str, end: int) -> int:
    found = re.compile(_EXTENSION, re.IGNORECASE).match(text, end)
    return found.end() - end if found else 0


def pseudonym(normal: str, draw: Draw) -> str:
    """Of no numbering plan: China 100, North America 555, elsewhere 00 behind the country's code.

    The ranges reserved for fiction are too small to keep people apart (100 numbers for each area code of North America,
    1,000 mobile numbers in the United Kingdom), and China has none.
    """
    if normal.startswith("+861") and len(normal) == 14:
        return "100" + draw.text(8)
    if normal.startswith("+86") or not normal.startswith("+"):
        return "000-" + draw.text(8)
    if normal.startswith("+1"):
        return f"555-{2 + draw.below(8)}{draw.text(2)}-{draw.text(4)}"
    import phonenumbers

    return f"+{phonenumbers.parse(normal, None).country_code} 00{draw.text(8)}"
