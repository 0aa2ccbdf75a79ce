"""When each host may be asked again, what its robots.txt says, and when it is to be left alone."""

from __future__ import annotations

import random
import time
from collections.abc import Iterable
from dataclasses import dataclass, field

from supertune.data.crawl.problems import Problem
from supertune.data.crawl.robots import Rules
from supertune.data.crawl.settings import Pace
from supertune.data.crawl.store import Store
from supertune.data.crawl.urls import Url

_FRESH = 24 * 3600.0
"""Seconds for which a robots.txt holds (RFC 9309, 2.4)."""
_CACHED = 1000


@dataclass
class _Host:
    rested: float = 0.0
    due: float = 0.0
    busy: bool = False
    waiting: bool = True
    errors: int = 0
    given_up: str | None = None
    robots_tries: dict[str, int] = field(default_factory=dict)

    @property
    def ready(self) -> float:
        """When it has rested, and something waits for it that is due."""
        return max(self.rested, self.due)


class Politeness:
    """The hosts of a session. Times are those of `time.monotonic`.

    Args:
        pace: See there.
        store: Keeps what robots.txt said.
    """

    def __init__(self, pace: Pace, store: Store) -> None:
        self._pace = pace
        self._store = store
        self._hosts: dict[str, _Host] = {}
        self._rules: dict[str, tuple[Rules | Problem, float]] = {}

    @property
    def awake(self) -> bool:
        """Whether URLs wait for any host."""
        return any(host.waiting for host in self._hosts.values())

    def wake(self, hosts: Iterable[str]) -> None:
        """URLs wait for these."""
        for name in hosts:
            host = self._hosts.setdefault(name, _Host())
            host.waiting, host.due = True, 0.0

    def ready(self, moment: float) -> list[str]:
        """Hosts that may be asked now, the one that has waited longest first."""
        found = [
            (host.ready, name)
            for name, host in self._hosts.items()
            if host.waiting and not host.busy and host.ready <= moment
        ]
        return [name for _, name in sorted(found)]

    def next_ready(self) -> float:
        """When the next host may be asked; far away if none waits."""
        moments = (host.ready for host in self._hosts.values() if host.waiting and not host.busy)
        return min(moments, default=time.monotonic() + 3600.0)

    def busy(self, name: str) -> None:
        """A host is being asked."""
        self._hosts[name].busy = True

    def rest(self, name: str, until: float | None) -> None:
        """Nothing of a host is due before then; None: nothing waits for it at all."""
        host = self._hosts[name]
        host.waiting = until is not None
        if until is not None:
            host.due = until

    def answered(self, url: Url, seconds: float, problem: Problem | None) -> None:
        """A host has answered after so many seconds, or not."""
        host = self._hosts[url.host]
        host.busy = False
        rules = self._rules.get(url.origin, (None, 0.0))[0]
        asked = rules.delay if isinstance(rules, Rules) else 0.0
        pause = max(self._pace.delay, min(asked, self._pace.longest_wait), min(seconds, self._pace.longest_wait))
        if problem is not None and problem.retry_after is not None:
            pause = max(pause, min(problem.retry_after, self._pace.longest_wait))
        host.rested = time.monotonic() + pause
        host.errors = host.errors + 1 if problem is not None and problem.temporary else 0
        if host.errors >= self._pace.errors:
            host.given_up = f"{host.errors} failures in a row, the last: {problem}"

    def given_up(self, name: str) -> str | None:
        """Why a host is to be left alone; None while it is not."""
        return self._hosts[name].given_up

    def rules(self, url: Url) -> Rules | Problem | None:
        """What a site's robots.txt says, or why nobody knows; None if it has not been asked for."""
        origin = url.origin
        kept, at = self._rules.get(origin, (None, 0.0))
        if kept is not None and time.monotonic() - at < _FRESH:
            return kept
        if kept is None and (text := self._store.robots(origin, time.time() - _FRESH)) is not None:
            return self.learn(url, text)
        return None

    def learn(self, url: Url, text: str) -> Rules:
        """Know a site's robots.txt."""
        rules = Rules(text)
        if len(self._rules) >= _CACHED:
            self._rules.clear()
        self._rules[url.origin] = rules, time.monotonic()
        host = self._hosts[url.host]
        pause = min(max(rules.delay, self._pace.delay), self._pace.longest_wait)
        host.rested = max(host.rested, time.monotonic() + pause)
        return rules

    def robots_failed(self, url: Url, problem: Problem) -> None:
        """A robots.txt could not be had: later, or not in this session."""
        host, origin = self._hosts[url.host], url.origin
        tries = host.robots_tries[origin] = host.robots_tries.get(origin, 0) + 1
        too_long = problem.retry_after is not None and problem.retry_after > self._pace.longest_wait
        if problem.temporary and tries <= self._pace.retries and not too_long:
            wait = self._pace.backoff * 2 ** (tries - 1) * random.uniform(1.0, 1.5)
            host.rested = max(host.rested, time.monotonic() + wait)
            return
        if problem.reason not in ("address", "robots-unreachable"):
            problem = Problem("robots-unreachable", f"robots.txt: {problem.detail}", temporary=True)
        self._rules[origin] = problem, time.monotonic()
