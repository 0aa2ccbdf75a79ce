"""What is done for one URL, away from the state: asked for, read, taken apart."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from supertune.data.crawl.extract import Extracted
from supertune.data.crawl.fetch import Answer, Fetcher
from supertune.data.crawl.problems import Problem
from supertune.data.crawl.robots import fetch_robots
from supertune.data.crawl.settings import Limits
from supertune.data.crawl.sitemaps import Sitemap, read_sitemap
from supertune.data.crawl.urls import Url

Extract = Callable[[bytes, dict[str, str], str, int], Extracted]
"""Body, headers, URL, most links → what is in the page; may raise `Problem`."""

PAGES = ("text/html", "application/xhtml+xml", "text/plain")
"""Types that are read as pages."""
_SITEMAPS = frozenset(
    {
        *("application/xml", "text/xml", "text/plain", "application/gzip", "application/x-gzip"),
        *("application/octet-stream", ""),
    }
)
_HTML = (b"<!doctype html", b"<html")


@dataclass(frozen=True)
class Redirect:
    """A URL that sends us elsewhere.

    Attributes:
        location: Where to, as it is written.
    """

    location: str


@dataclass(frozen=True)
class Page:
    """A page that was read.

    Attributes:
        answer: What the server said.
        found: What is in it.
    """

    answer: Answer
    found: Extracted


class Work:
    """Does what is asked of it in any thread.

    Args:
        fetcher: Asks servers.
        extract: Takes pages apart.
        limits: See there.
    """

    def __init__(self, fetcher: Fetcher, extract: Extract, limits: Limits) -> None:
        self._fetcher = fetcher
        self._extract = extract
        self._limits = limits

    def robots(self, url: Url) -> str:
        """The robots.txt of a URL's site."""
        return fetch_robots(self._fetcher, url, self._limits)

    def sitemap(self, url: Url) -> Sitemap | Redirect:
        """A sitemap."""

        def wanted(answer: Answer) -> None:
            if answer.content_type not in _SITEMAPS and not answer.content_type.endswith("+xml"):
                raise Problem("content-type", f"{answer.content_type[:80]}, not a sitemap's")

        accept = "application/xml, text/xml, text/plain;q=0.8, */*;q=0.5"
        answer = self._fetcher.get(url, largest=self._limits.sitemap, wants=wanted, accept=accept)
        if answer.redirect is not None:
            return Redirect(answer.redirect)
        return read_sitemap(answer.body, self._limits.sitemap)

    def page(self, url: Url) -> Page | Redirect:
        """A page."""

        def wanted(answer: Answer) -> None:
            if answer.content_type and answer.content_type not in PAGES:
                raise Problem("content-type", answer.content_type[:80])

        accept = "text/html, application/xhtml+xml, text/plain;q=0.8"
        answer = self._fetcher.get(url, largest=self._limits.page, wants=wanted, accept=accept)
        if answer.redirect is not None:
            return Redirect(answer.redirect)
        headers = answer.headers
        if not answer.content_type:
            if not any(mark in answer.body[:1024].lower() for mark in _HTML):
                raise Problem("content-type", "none is given, and it does not begin like HTML")
            headers = headers | {"content-type": "text/html"}
        return Page(answer, self._extract(answer.body, headers, url.text, self._limits.links))
