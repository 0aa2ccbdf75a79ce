"""robots.txt: what a site asks of crawlers (RFC 9309), read by Protego."""

from __future__ import annotations

from supertune.data.crawl.fetch import Fetcher
from supertune.data.crawl.problems import Problem
from supertune.data.crawl.settings import AGENT, Limits
from supertune.data.crawl.urls import PORTS, Url, parse_url


class Rules:
    """What one robots.txt says to us.

    Args:
        text: Its content; empty where there is none, which allows everything.

    Raises:
        MissingExtraError: The extra ``web`` is not installed.
    """

    def __init__(self, text: str) -> None:
        from protego import Protego

        self._rules = Protego.parse(text)

    def allow(self, url: Url) -> bool:
        """Whether the longest rule that matches allows it; ``*`` and ``$`` as in RFC 9309, 2.2.3."""
        return url.path == "/robots.txt" or self._rules.can_fetch(url.text, AGENT)

    @property
    def delay(self) -> float:
        """Seconds between requests that it asks for; 0 if it does not."""
        rate = self._rules.request_rate(AGENT)
        return max(self._rules.crawl_delay(AGENT) or 0.0, rate.seconds / rate.requests if rate else 0.0)

    @property
    def sitemaps(self) -> list[str]:
        """The sitemaps that it names."""
        return list(self._rules.sitemaps)


def fetch_robots(fetcher: Fetcher, origin: Url, limits: Limits) -> str:
    """The robots.txt of a site; empty where it has none.

    Redirects are followed, also to other hosts, but to no port besides the usual ones and the site's own, and each
    hop's address is checked anew. Statuses of 400 to 499 mean
    that there is none, but for 429, which means "not now", as errors of server and network do.

    Args:
        fetcher: Asks.
        origin: Any URL of the site.
        limits: Bytes and hops.

    Raises:
        Problem: It cannot be had; nothing of this site may be fetched meanwhile.
    """
    url = parse_url(f"{origin.origin}/robots.txt")
    for _ in range(limits.hops + 1):
        try:
            answer = fetcher.get(url, largest=limits.robots, cut=True, accept="text/plain, */*;q=0.5")
        except Problem as problem:
            if problem.reason == "status" and not problem.temporary and problem.detail.startswith("status 4"):
                return ""
            if problem.reason in ("too-large", "content-encoding"):
                raise Problem("robots-unreachable", f"robots.txt: {problem.detail}") from problem
            raise
        if answer.redirect is None:
            return answer.body.decode("utf-8-sig", "replace")
        url = parse_url(answer.redirect, base=url)
        if url.port not in {*PORTS.values(), origin.port}:
            raise Problem("robots-unreachable", f"robots.txt: redirects to port {url.port}")
    # RFC 9309, 2.3.1.2: after five hops it may be taken to be missing. We would rather stay away.
    raise Problem("robots-unreachable", f"robots.txt: more than {limits.hops} redirects")
