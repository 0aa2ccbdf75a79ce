"""URLs in one spelling: parsed once, strictly, so that what is checked is what is connected to."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import parse_qsl, quote, unquote_to_bytes, urljoin, urlsplit

from supertune.data.crawl.problems import Problem

LONGEST = 2048
"""Characters; servers and sitemaps keep to about as many, and traps do not."""
PORTS = {"http": 80, "https": 443}

_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_IGNORED = str.maketrans("", "", "\t\n\r")
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})")
_BAD_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_UNRESERVED = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~")
# RFC 3986: what may stand in a path, and in a query, besides letters and digits.
_IN_PATH = "/:@!$&'()*+,;=%"
_IN_QUERY = _IN_PATH + "?"
# Parameters that tell a site where a visitor came from and change nothing of the page.
_TRACKING = re.compile(r"(utm_\w+|gclid|dclid|fbclid|msclkid|yclid|mc_[ce]id|igshid|spm|_hs\w+|__hs\w+)", re.I)


@dataclass(frozen=True)
class Url:
    """An http or https URL in its one spelling.

    Attributes:
        scheme: ``http`` or ``https``.
        host: Lower case, IDNA in ASCII; addresses in their usual form, IPv6 without brackets.
        port: Always given.
        path: Begins with a slash, without dot segments, escapes in capitals and only where needed.
        query: As given but for tracking parameters; empty if there is none.
    """

    scheme: str
    host: str
    port: int
    path: str
    query: str

    @property
    def authority(self) -> str:
        """Host, with the port if it is not the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def origin(self) -> str:
        """What a robots.txt speaks for."""
        return f"{self.scheme}://{self.authority}"

    @property
    def target(self) -> str:
        """What stands in the request."""
        return f"{self.path}?{self.query}" if self.query else self.path

    @property
    def text(self) -> str:
        """The URL as it is asked for and written."""
        return self.origin + self.target

    @property
    def key(self) -> str:
        """The same for URLs that differ only in the order of parameters."""
        return f"{self.origin}{self.path}?{'&'.join(sorted(self.query.split('&')))}" if self.query else self.text


def parse_url(text: str, *, base: Url | None = None, encoding: str = "utf-8") -> Url:
    """A URL as a browser would understand it, in its one spelling.

    Decimal, octal and hexadecimal addresses (``http://2130706433/``) and full-width digits become the address that they
    stand for (WHATWG URL, "host parsing"), so that it can be judged.

    Args:
        text: Absolute, or relative to ``base``.
        base: The page it stands in.
        encoding: Of that page: queries that are not ASCII are sent in it.

    Raises:
        Problem: ``scheme``, ``userinfo`` or ``url``.
    """
    text = text.strip("".join(map(chr, range(0x21)))).translate(_IGNORED)
    if len(text) > LONGEST:
        raise Problem("url", f"is longer than {LONGEST:,} characters")
    head, mark, tail = text.partition("?")
    if not re.match(r"(?!https?:)[a-z][a-z0-9+.-]*:", head, re.I):
        head = head.replace("\\", "/")
    try:
        parts = urlsplit(urljoin(base.text, head + mark + tail) if base else head + mark + tail)
        netloc, port, host = parts.netloc, parts.port, parts.hostname
    except ValueError as error:
        raise Problem("url", f"is no URL ({error})") from error
    scheme = parts.scheme.lower()
    if scheme not in PORTS:
        raise Problem("scheme", f"{scheme or 'no scheme'}, not http or https")
    if "@" in netloc:
        raise Problem("userinfo", "holds a user name or password")
    if not host:
        raise Problem("url", "names no host")
    if port == 0:
        raise Problem("url", "port 0")
    host = _host(host, bracketed="[" in netloc)
    path = _without_dots(_escaped(parts.path, _IN_PATH, "utf-8"))
    url = Url(scheme, host, port or PORTS[scheme], path, _without_tracking(_escaped(parts.query, _IN_QUERY, encoding)))
    if len(url.text) > LONGEST:
        raise Problem("url", f"is longer than {LONGEST:,} characters")
    return url


def parameters(url: Url) -> list[tuple[str, str]]:
    """Names and values of the query."""
    return parse_qsl(url.query, keep_blank_values=True)


def _host(host: str, *, bracketed: bool) -> str:
    if bracketed:
        try:
            if "%" in host:
                raise ValueError("of one link only")
            return str(ipaddress.IPv6Address(host))
        except ValueError as error:
            raise Problem("url", f"{host} is no IPv6 address") from error
    if "%" in host:
        host = unquote_to_bytes(host).decode("utf-8", "replace")
    if not host.isascii():
        import idna

        try:
            host = idna.encode(host, uts46=True).decode("ascii")
        except UnicodeError as error:
            raise Problem("url", f"{host} is no host name ({error})") from error
    host = host.lower().removesuffix(".")
    labels = host.split(".")
    if len(host) > 253 or not all(map(_LABEL.fullmatch, labels)):
        raise Problem("url", f"{host[:80]!r} is no host name")
    return str(_ipv4(labels)) if _NUMBER.fullmatch(labels[-1]) else host


def _ipv4(labels: list[str]) -> ipaddress.IPv4Address:
    """Address of one to four decimal, octal (``0177``) or hexadecimal (``0x7f``) numbers; the last takes the rest."""
    try:
        numbers = [_number(label) for label in labels]
        if len(numbers) > 4 or any(number > 255 for number in numbers[:-1]):
            raise ValueError
        value = numbers[-1]
        if value >= 256 ** (5 - len(numbers)):
            raise ValueError
        for place, number in enumerate(numbers[:-1]):
            value += number << (24 - 8 * place)
        return ipaddress.IPv4Address(value)
    except ValueError as error:
        raise Problem("url", f"{'.'.join(labels)[:80]} is no address") from error


def _number(label: str) -> int:
    if label.startswith("0x"):
        return int(label[2:] or "0", 16)
    return int(label, 8 if len(label) > 1 and label.startswith("0") else 10)


def _escaped(text: str, safe: str, encoding: str) -> str:
    """The text with escapes in capitals, none where none is needed, and one for every character that needs it."""
    text = quote(_BAD_PERCENT.sub("%25", text), safe=safe, encoding=encoding, errors="replace")
    return _ESCAPE.sub(_plain_or_capital, text)


def _plain_or_capital(escape: re.Match[str]) -> str:
    byte = int(escape.group(1), 16)
    return chr(byte) if byte in _UNRESERVED else f"%{byte:02X}"


def _without_dots(path: str) -> str:
    """RFC 3986, 5.2.4."""
    kept: list[str] = []
    segments = path.split("/")[1:] if path.startswith("/") else path.split("/")
    for segment in segments:
        if segment == "..":
            del kept[-1:]
        elif segment != ".":
            kept.append(segment)
    ending = "/" if segments[-1] in (".", "..") and kept else ""
    return "/" + "/".join(kept) + ending


def _without_tracking(query: str) -> str:
    return "&".join(part for part in query.split("&") if part and not _TRACKING.fullmatch(part.partition("=")[0]))
