"""Addresses of the Internet protocol, versions 4 and 6; not version numbers, times or chapters."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from ipaddress import AddressValueError, IPv4Address, IPv6Address, IPv6Network

from supertune.data.pii.drawing import Draw
from supertune.data.pii.folding import Folded
from supertune.data.pii.spans import Found
from supertune.data.pii.surroundings import before

_V4 = re.compile(
    r"(?<![0-9A-Za-z_])(?<![0-9A-Za-z_][.])\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}(?![0-9A-Za-z_]|\.[0-9A-Za-z_]|-[A-Za-z_])"
)
_V6 = re.compile(
    r"(?<![0-9A-Za-z_:.])(?:[0-9A-Fa-f]{1,4}:|::)(?:[0-9A-Fa-f]{1,4}:|:){0,7}"
    r"(?:(?:\d{1,3}\.){3}\d{1,3}|[0-9A-Fa-f]{1,4})?(?![0-9A-Za-z_:]|\.\d)"
)
_V4_WORTH = re.compile(r"\d\.\d{1,3}\.\d")
_V6_WORTH = re.compile(r":[0-9A-Fa-f]{0,4}:")
_VERSION = re.compile(
    r"(?:\bv(?:er(?:s(?:ion)?)?)?\.?|\b(?:release|build|revision|firmware|chapter|section|clause|version\s+number)"
    r"|§|版本号?|固件|内核|补丁|[章节第]|升级到|更新到|[A-Za-z]/)"
    r"[\s:=#是为到至(]*(?:to|is|was|from|no|number)?[\s.:]*\Z",
    re.IGNORECASE,
)
_SECTION_BEHIND = re.compile(r"\s*(?:版|[章节])|\s+(?:release|version|build)\b", re.IGNORECASE)
_ADDRESS = re.compile(
    r"\bIPs?\b|ipv[46]|address|\bhosts?\b|server|\bdns\b|\bping|gateway|router|proxy|subnet|://|地址|服务器|主机|网关|代理|登录|路由",
    re.IGNORECASE,
)
_DOCUMENTED = ("192.0.2.", "198.51.100.", "203.0.113.")
_EXAMPLES = IPv6Network("2001:db8::/32")
_SHORT_FORMS = tuple(map(IPv6Network, ("2000::/3", "fc00::/7", "fe80::/10", "64:ff9b::/96", "::ffff:0:0/96")))


def find_ips(folded: Folded, regions: Sequence[str]) -> Iterator[Found]:
    """Addresses that may be somebody's: not loopback, not masks, not those reserved for documentation."""
    text = folded.text
    for match in _V4.finditer(text) if _V4_WORTH.search(text) else ():
        number = match.group()
        if _is_somebodys_v4(number) and _reads_as_address(text, match.start(), match.end(), number):
            yield Found(match.start(), match.end(), "pattern", number)
    if not _V6_WORTH.search(text):
        return
    for match in _V6.finditer(text):
        try:
            address = IPv6Address(match.group())
        except AddressValueError:
            continue
        if _is_somebodys_v6(address, match.group()):
            yield Found(match.start(), match.end(), "pattern", address.compressed)


def _is_somebodys_v4(number: str) -> bool:
    try:
        address = IPv4Address(number)
    except AddressValueError:
        return False
    nobody = address.is_loopback or address.is_unspecified or address.is_multicast or address.is_reserved
    return not nobody and not number.startswith(("0.", *_DOCUMENTED))


def _reads_as_address(text: str, start: int, end: int, number: str) -> bool:
    piece = before(text, start)
    if _VERSION.search(piece) or _SECTION_BEHIND.match(text, end):
        return False
    # 1.2.3.4 is a chapter or a version more often than an address.
    return max(map(len, number.split("."))) > 1 or bool(_ADDRESS.search(piece))


def _is_somebodys_v6(address: IPv6Address, written: str) -> bool:
    if not any(map(str.isdigit, written)) or address in _EXAMPLES:
        return False
    if "::" not in written:
        return not address.is_multicast
    # Code and times hold two colons as well (std::a1, 10::30).
    return len(re.sub(r"[^0-9A-Fa-f]", "", written)) > 4 and any(address in network for network in _SHORT_FORMS)


def pseudonym(normal: str, draw: Draw) -> str:
    """An address of 240.0.0.0/4, which is reserved (RFC 1112), or of 2001:db8::/32, for examples (RFC 3849)."""
    if ":" not in normal:
        return str(IPv4Address(0xF000_0000 + draw.below(0x0FFF_FFFF)))
    return IPv6Address((0x2001_0DB8 << 96) + draw.below(1 << 96)).compressed
