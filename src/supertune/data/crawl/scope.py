"""Which URLs belong to a crawl."""

from __future__ import annotations

import re

from supertune.data.crawl.problems import Problem
from supertune.data.crawl.settings import Territory
from supertune.data.crawl.urls import PORTS, Url, parse_url
from supertune.errors import UserError


class Scope:
    """The hosts, ports and paths of a crawl.

    A site is its host, with and without ``www.``, over http and https; ports are the schemes' own and those that a seed
    or ``hosts`` names.

    Args:
        territory: See there.

    Raises:
        UserError: A seed, sitemap, host or prefix is none.
    """

    def __init__(self, territory: Territory) -> None:
        self.seeds = tuple(_given(text, "URL") for text in territory.seeds)
        self.sitemaps = tuple(_given(text, "--sitemap") for text in territory.sitemaps)
        self._depth = territory.depth
        self._hosts: set[str] = set()
        self._below: set[str] = set()
        self._ports: set[tuple[str, int]] = set()
        for url in (*self.seeds, *self.sitemaps):
            self._take(url)
        for text in territory.hosts:
            below = text.startswith("*.")
            if "/" in text or not text:
                raise UserError(
                    f"{text!r} is no host", where="--hosts", fix="give names: docs.example.org, *.example.org"
                )
            url = _given(f"http://{text.removeprefix('*.')}/", "--hosts")
            self._take(url)
            if below:
                self._below.add(_bare(url.host))
        self._include = tuple(_prefix(text, "--include") for text in territory.include)
        self._exclude = tuple(_prefix(text, "--exclude") for text in territory.exclude)
        for url in self.seeds:
            if any(_begins(url, prefix) for prefix in self._exclude):
                raise UserError(f"{url.text} is excluded", where="--exclude", fix="leave out the one or the other")

    def _take(self, url: Url) -> None:
        self._hosts.add(_bare(url.host))
        if url.port != PORTS[url.scheme]:
            self._ports.add((_bare(url.host), url.port))

    def check(self, url: Url, depth: int, *, sitemap: bool = False) -> None:
        """Whether a URL belongs.

        Args:
            url: Which.
            depth: Links between it and a seed.
            sitemap: It is a sitemap, for which only hosts and ports count.

        Raises:
            Problem: ``off-site``, ``port``, ``excluded`` or ``depth``.
        """
        host = _bare(url.host)
        if host not in self._hosts and not any(host.endswith(f".{name}") for name in self._below):
            raise Problem("off-site", f"{url.host} is another site; --hosts {url.host} would take it in")
        if url.port != PORTS[url.scheme] and (host, url.port) not in self._ports:
            raise Problem("port", f"port {url.port} is not one that a seed or --hosts names")
        if sitemap:
            return
        if any(_begins(url, prefix) for prefix in self._exclude):
            raise Problem("excluded", "by --exclude")
        if self._include and url not in self.seeds and not any(_begins(url, prefix) for prefix in self._include):
            raise Problem("excluded", "not among --include")
        if self._depth is not None and depth > self._depth:
            raise Problem("depth", f"more than {self._depth} links from a seed")


def _bare(host: str) -> str:
    return host.removeprefix("www.")


def _given(text: str, where: str) -> Url:
    """A URL that the user wrote; without a scheme it is https."""
    written = text if re.match(r"[a-z][a-z0-9+.-]*://", text, re.I) else f"https://{text}"
    try:
        return parse_url(written)
    except Problem as problem:
        raise UserError(
            f"{text!r} {problem.detail}"
            if problem.reason == "url"
            else f"{text!r} cannot be crawled: {problem.detail}",
            where=where,
            fix="give an address such as https://example.org/docs/, without a user name",
        ) from problem


def _prefix(text: str, where: str) -> str:
    if text.startswith("/"):
        # Spelled as addresses are: /文档/ is %E6%96%87…
        return _given(f"https://example.org{text}", where).target
    if re.match(r"https?://", text, re.I):
        return _given(text, where).text
    raise UserError(f"{text!r} is no prefix", where=where, fix="begin with a slash (/docs/) or with http(s)://")


def _begins(url: Url, prefix: str) -> bool:
    return (url.target if prefix.startswith("/") else url.text).startswith(prefix)
