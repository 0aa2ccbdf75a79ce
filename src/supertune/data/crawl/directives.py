"""What a page asks of crawlers: noindex, nofollow, and reservations against text and data mining."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from supertune.data.crawl.settings import AGENT

_OF_AN_AGENT = re.compile(r"^\s*([\w.-]+)\s*:\s*(.*)$", re.S)
# Directives with a value, which are no names of crawlers.
_WITH_VALUE = frozenset({"unavailable_after", "max-snippet", "max-image-preview", "max-video-preview"})


@dataclass(frozen=True)
class Directives:
    """What is asked.

    Attributes:
        noindex: Not to keep the page.
        nofollow: Not to follow its links.
        reserved: Not to learn from it; ``noai`` or ``tdm-reservation``.
    """

    noindex: bool = False
    nofollow: bool = False
    reserved: str | None = None


def directives(header: str, tdm_header: str, metas: Iterable[tuple[str, str]]) -> Directives:
    """What header and page ask together; the strictest counts.

    Args:
        header: X-Robots-Tag, several joined by commas. What stands behind another crawler's name is not for us.
        tdm_header: TDM-Reservation (the W3C community group's TDM Reservation Protocol).
        metas: Names, in lower case, and contents of the page's meta elements.
    """
    said = set(_of_header(header))
    reserved = "tdm-reservation" if tdm_header.strip() == "1" else None
    for name, content in metas:
        if name in ("robots", AGENT):
            said.update(word.strip().lower() for word in content.split(","))
        elif name == "tdm-reservation" and content.strip() == "1":
            reserved = "tdm-reservation"
    if "noai" in said:
        reserved = "noai"
    none = "none" in said
    return Directives(none or "noindex" in said, none or "nofollow" in said, reserved)


def _of_header(header: str) -> Iterable[str]:
    """Directives for everyone and for us; a name counts for all that follows it, up to the next name."""
    ours = True
    for part in header.split(","):
        if (named := _OF_AN_AGENT.match(part)) and named.group(1).lower() not in _WITH_VALUE:
            ours = named.group(1).lower() in (AGENT, "robots", "*")
            part = named.group(2)
        if ours:
            yield part.strip().lower()
