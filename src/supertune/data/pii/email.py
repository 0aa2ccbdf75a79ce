"""E-mail addresses: the common form of RFC 5321, with accented, Greek and Cyrillic letters, and Chinese domains."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from supertune.data.pii.drawing import Draw
from supertune.data.pii.folding import Folded
from supertune.data.pii.spans import Found

_LETTERS = r"a-z0-9\u00c0-\u024f\u0370-\u052f"
_LABEL = rf"[{_LETTERS}](?:[{_LETTERS}-]{{0,61}}[{_LETTERS}])?"
_DOMAIN = re.compile(
    rf"(?:(?:{_LABEL}\.){{1,8}}(?:[a-z]{{2,24}}|xn--[a-z0-9-]{{2,59}}|[\u0430-\u044f]{{2,20}})"
    r"|(?:[\w-]{1,63}\.){1,8}(?:中国|中國|公司|网络|網絡|网址|网站|在线|香港|台灣|台湾|澳門|新加坡|集团|企业|机构|手机|我爱你))"
    r"(?![a-z0-9_]|-[a-z0-9])",
    re.IGNORECASE,
)
_LOCAL = re.compile(rf"[{_LETTERS}!#$%&'*+=?^_`{{|}}~.-]+\Z", re.IGNORECASE)
_FILE = re.compile(r"\.(?:png|jpe?g|gif|webp|svg|bmp|ico|css|html?|mp[34]|pdf|tiff?)\Z", re.IGNORECASE)
_PSEUDONYM = re.compile(r"user-[0-9a-f]{12}@example\.com\Z")
_USER = re.compile(r"://[^\s/@:]*:\Z")
_OPENING = "'`*_~|{#&?$!^%.-+"
_LONGEST = 64


def find_emails(folded: Folded, regions: Sequence[str]) -> Iterator[Found]:
    """E-mail addresses; also where Chinese stands right before and behind them."""
    text = folded.text
    at = text.find("@")
    while at != -1:
        if (domain := _DOMAIN.match(text, at + 1)) and (local := _local(text, at)):
            start = at - len(local)
            address = text[start : domain.end()]
            none = _FILE.search(address) or _PSEUDONYM.match(address) or local == "git"
            # In https://name:password@host what stands before the @ is a password, which is found as one.
            if not none and not _USER.search(text, max(0, start - _LONGEST - 8), start):
                yield Found(start, domain.end(), "pattern", address.casefold())
        at = text.find("@", at + 1)


def _local(text: str, at: int) -> str:
    """The name before an ``@``; empty where there is none."""
    found = _LOCAL.search(text, max(0, at - _LONGEST - 16), at)
    if not found:
        return ""
    # In user=name@host and ?mail=name@host the name is what stands last.
    local = found.group().rpartition("=")[2].lstrip(_OPENING)
    return "" if len(local) > _LONGEST or ".." in local or local.endswith(".") else local


def pseudonym(normal: str, draw: Draw) -> str:
    """A name in a domain that is reserved for examples (RFC 2606)."""
    return f"user-{draw.hexadecimal(12)}@example.com"
