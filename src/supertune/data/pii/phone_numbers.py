"""What the library of all numbering plans says of a number, and the words that stand before telephone numbers."""

from __future__ import annotations

import re
from functools import lru_cache

CONTEXT = re.compile(
    r"(?<![\[\w])(?:tel|telephone|phone|mobile|mob|cell(?:phone)?|fax|call|calling|called|ring|dial|text|sms|whatsapp|signal"
    r"|hotline|landline|extension|voicemail|reach|contact|wechat|wx|vx|numbers?\s+(?:is|was|are)|number\s*:)(?![a-z])"
    r"|电话|手机|联系|致电|拨打|热线|来电|打给|座机|固话|传真|微信|短信|联络|通话|號碼|電話|手機|聯繫|手机号|本机号",
    re.IGNORECASE,
)


@lru_cache(maxsize=4096)
def parsed(number: str, region: str | None = None, *, possible: bool = False) -> str | None:
    """The number as E.164 writes it, where the numbering plan has it; None where it is no number.

    Args:
        number: Digits, with a ``+`` and the country's code where ``region`` is None.
        region: Where it is dialled, as ISO 3166 calls it.
        possible: A number as long as those of the plan will do: ranges are given out every year, and a few are kept
            for films.
    """
    # The library's tables take a tenth of a second to load: texts without numbers do not need them.
    import phonenumbers

    try:
        found = phonenumbers.parse(number, region)
    except phonenumbers.NumberParseException:
        return None
    normal = str(phonenumbers.format_number(found, phonenumbers.PhoneNumberFormat.E164))
    if phonenumbers.is_valid_number(found):
        return normal
    reason = phonenumbers.is_possible_number_with_reason(found)
    # Two zeros behind the country's code are how pseudonyms begin; round numbers count something.
    none = number.startswith((f"+{found.country_code}00", "000")) or normal.endswith("00000")
    return normal if possible and reason == phonenumbers.ValidationResult.IS_POSSIBLE and not none else None
