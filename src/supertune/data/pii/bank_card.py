"""Numbers of payment cards (ISO/IEC 7812): Luhn's checksum, the issuer's prefix and a length that goes with it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from stdnum import luhn

from supertune.data.pii.drawing import Draw
from supertune.data.pii.folding import Folded
from supertune.data.pii.resident_id import has_form
from supertune.data.pii.spans import Found
from supertune.data.pii.surroundings import before, is_serial
from supertune.language import has_unspaced_script

_NUMBER = re.compile(
    r"(?<![0-9A-Za-z_])(?<!\d[.-])(?:\d{12,19}(?![0-9A-Za-z_]|[.-]\d)"
    # Groups are not to be those of a longer number.
    r"|(?<!\d )(?<![0-9A-Z]{4} )(?:\d{4,6}(?P<gap>[ -])\d{3,6}(?:(?P=gap)\d{2,7}){0,3}|\d{6} \d{10,13})"
    r"(?![0-9A-Za-z_]|[ .-]\d))"
)
_ISSUERS: tuple[tuple[str, frozenset[int]], ...] = (
    # UnionPay; 81 since 2015.
    (r"62|81[0-7]", frozenset(range(16, 20))),
    # Debit cards of Chinese banks from before UnionPay's own prefix.
    (r"9558|6013|6033|6858|4\d{5}(?=\d{13})|9400|9111|9896", frozenset({16, 18, 19})),
    # Visa.
    (r"4", frozenset({13, 16, 19})),
    # Mastercard.
    (r"5[1-5]|222[1-9]|22[3-9]|2[3-6]|27[01]|2720", frozenset({16})),
    # American Express.
    (r"3[47]", frozenset({15})),
    # Discover.
    (r"6011|64[4-9]|65", frozenset(range(16, 20))),
    # JCB, and its old numbers of 15 digits.
    (r"35", frozenset(range(16, 20))),
    (r"2131|1800", frozenset({15})),
    # Diners Club.
    (r"30[0-59]|3[689]", frozenset({14, 16})),
    # Maestro.
    (r"50[0-9]{2}|5[678]|6304|6759|676[1-3]|639", frozenset(range(12, 20))),
    # Mir.
    (r"220[0-4]", frozenset(range(16, 20))),
    # RuPay, Troy, Verve.
    (r"60|82|508|9792|506[01]", frozenset({16, 18, 19})),
)
_WORDS = re.compile(
    r"(?<![\[\w])(?:(?:credit|debit|bank|payment|visa|master)[ -]?)?cards?(?!\w)|(?<!\w)(?:visa|mastercard|amex)"
    r"|卡号|银行卡|信用卡|储蓄卡|借记卡|这张卡",
    re.IGNORECASE,
)
_SIXTEEN = re.compile(r"(?:\d{4}[ -]){3}\d{4}(?= \d{2,3}\Z)")
_PSEUDONYM = "0000"
_PREFIXES = tuple((re.compile(prefix), lengths) for prefix, lengths in _ISSUERS)


def find_bank_cards(folded: Folded, regions: Sequence[str]) -> Iterator[Found]:
    """Numbers of cards, in one piece or in groups; not those that are said to be of orders and the like."""
    if not folded.has_many_digits:
        return
    text = folded.text
    for match in _NUMBER.finditer(text):
        if is_serial(text, match.start()):
            continue
        named = _WORDS.search(before(text, match.start())) is not None
        for written in _readings(match.group()):
            number = written.replace(" ", "").replace("-", "")
            # Among identity numbers one in ten has Luhn's checksum by chance.
            issued = _is_issued(number) and not ("CN" in regions and _is_identity(text, number))
            if (named or issued) and luhn.is_valid(number) and not number.startswith(_PSEUDONYM):
                yield Found(match.start(), match.start() + len(written), "checksum", number)
                break


def _readings(written: str) -> Iterator[str]:
    """What may be the number: all of it, or sixteen digits with the month it ends in, or its code, behind them."""
    yield written
    if (sixteen := _SIXTEEN.match(written)) and sixteen.end() < len(written):
        yield sixteen.group()


def _is_identity(text: str, number: str) -> bool:
    return has_form(number) and (len(number) == 18 or has_unspaced_script(text))


def _is_issued(number: str) -> bool:
    return any(len(number) in lengths and prefix.match(number) for prefix, lengths in _PREFIXES)


def pseudonym(normal: str, draw: Draw) -> str:
    """As many digits beginning with 0000, which no issuer has."""
    return _PSEUDONYM + draw.text(len(normal) - len(_PSEUDONYM))
