"""What a crawl is to do, and how much of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

AGENT = "supertune"
"""The name that robots.txt knows the crawler by."""


@dataclass(frozen=True)
class Territory:
    """Which pages belong to a crawl: the same from its first session to its last.

    Attributes:
        seeds: URLs to begin with.
        sitemaps: URLs of sitemaps to begin with.
        hosts: Hosts besides those of the seeds; ``*.example.org`` for all below one, ``example.org:8080`` for a port.
        include: Prefixes of paths (``/docs/``) or of whole URLs; when given, nothing else is followed.
        exclude: The same for what is left out; stronger than ``include``.
        depth: Links to follow from a seed; None for no bound.
        named_sitemaps: Also read the sitemaps that robots.txt names.
        allow_private: Addresses that are allowed although they are not public (`parse_permission`).
    """

    seeds: tuple[str, ...] = ()
    sitemaps: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    depth: int | None = None
    named_sitemaps: bool = True
    allow_private: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """As JSON takes it."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Territory:
        """What `as_dict` wrote."""
        read: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in values.items()
        }
        return cls(**read)


@dataclass(frozen=True)
class Pace:
    """How fast, how long and how much: may change from session to session.

    Attributes:
        delay: Seconds between the end of a request and the next to the same host, at least; robots.txt may ask for
            more, and a slow answer is followed by a pause as long as it took.
        parallel: Hosts that are asked side by side; one host never answers two requests at once.
        pages: Pages to write, over all sessions.
        requests: Answers to ask for, over all sessions; None for ten times as many as pages, a hundred at least. Ends
            what gives no new page and never ends: a calendar, or a session's number in every link.
        seconds: For this session; None for no bound.
        retries: Further tries after a passing failure.
        backoff: Seconds before the first of them; each next waits twice as long.
        longest_wait: Seconds; who asks for a longer pause (Crawl-delay, Retry-After) is not asked again.
        errors: Passing failures in a row after which a host is left alone for this session.
    """

    delay: float = 1.0
    parallel: int = 8
    pages: int = 1000
    requests: int | None = None
    seconds: float | None = None
    retries: int = 3
    backoff: float = 5.0
    longest_wait: float = 600.0
    errors: int = 10

    @property
    def most_requests(self) -> int:
        """`requests`, or what stands for it."""
        return max(100, 10 * self.pages) if self.requests is None else self.requests


@dataclass(frozen=True)
class Limits:
    """What a single answer may take.

    Attributes:
        seconds: From looking the name up to the last byte.
        connecting: Seconds for each attempt to connect.
        page: Bytes of a page, unpacked.
        sitemap: Bytes of a sitemap, unpacked; the protocol's own limit.
        robots: Bytes of a robots.txt; what is behind is not read (RFC 9309, 2.5).
        hops: Redirects in a row.
        extracting: Seconds for finding the text of one page.
        links: Links that are taken from one page.
        urls: URLs that are remembered; of pages read when there are as many, links are not taken.
    """

    seconds: float = 60.0
    connecting: float = 15.0
    page: int = 10 * 1024**2
    sitemap: int = 50 * 1024**2
    robots: int = 500 * 1024
    hops: int = 5
    extracting: float = 20.0
    links: int = 5000
    urls: int = 1_000_000
