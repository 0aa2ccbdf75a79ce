"""Asks one host after the other, many side by side, none faster than allowed; what comes back goes into the store."""

from __future__ import annotations

import hashlib
import queue
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

from supertune.data.crawl.politeness import Politeness
from supertune.data.crawl.problems import Problem
from supertune.data.crawl.robots import Rules
from supertune.data.crawl.scope import Scope
from supertune.data.crawl.settings import Limits, Pace
from supertune.data.crawl.sitemaps import Sitemap
from supertune.data.crawl.store import Entry, Kind, Store, now
from supertune.data.crawl.urls import Url, parse_url
from supertune.data.crawl.work import Page, Redirect, Work
from supertune.errors import UserError
from supertune.language import fold

Ending = Literal["done", "pages", "requests", "time", "interrupted"]
"""Why a session ended: nothing is left, enough pages or requests, no time left, or it was told to."""
_LEVELS = 3
"""Sitemap indexes inside one another."""
_TICK = 0.2
"""Seconds after which a wait looks whether to end."""
_LEAVE = 2.0
"""Seconds that fetches get to end when all is to end."""


class Progress(Protocol):
    """Told after every answer."""

    def __call__(self, pages: int, note: str) -> None:
        """Say how many pages there are."""
        ...


@dataclass(frozen=True)
class _Task:
    entry: Entry
    robots: bool = False


@dataclass(frozen=True)
class _Result:
    task: _Task
    outcome: str | Sitemap | Redirect | Page | BaseException
    seconds: float


class Crawler:
    """One session of a crawl. Everything but fetching and taking apart happens in the thread that calls `run`.

    Args:
        store: State.
        scope: Which URLs belong.
        work: Fetches and takes apart.
        pace: How fast and how much.
        limits: Redirects in a row, and URLs that are remembered.
        named_sitemaps: Read the sitemaps that robots.txt names.
        stop: Set when the session ends.
        progress: Told after every answer.
    """

    def __init__(
        self,
        store: Store,
        scope: Scope,
        work: Work,
        pace: Pace,
        *,
        limits: Limits,
        named_sitemaps: bool,
        stop: threading.Event,
        progress: Progress,
    ) -> None:
        self._store = store
        self._scope = scope
        self._work = work
        self._pace = pace
        self._limits = limits
        self._named_sitemaps = named_sitemaps
        self._stop = stop
        self._progress = progress
        self._tasks: queue.SimpleQueue[_Task | None] = queue.SimpleQueue()
        self._results: queue.SimpleQueue[_Result] = queue.SimpleQueue()
        self._asked = store.recall("asked") or 0
        self._out = 0
        self._pages = store.count_pages()
        self._hosts = Politeness(pace, store)

    def run(self, interrupted: Callable[[], bool]) -> Ending:
        """Go on until nothing is left, a budget is used up, or ``interrupted`` says so.

        What was asked for and has not come by then will be asked for again.
        """
        until = None if self._pace.seconds is None else time.monotonic() + self._pace.seconds
        with self._store.change():
            self._store.forget_waits()
            for url in self._scope.seeds:
                self._store.add(url, "page", depth=0, found_on=None)
            for url in self._scope.sitemaps:
                self._store.add(url, "sitemap", depth=0, found_on=None)
        self._hosts.wake(self._store.lanes())
        workers = [threading.Thread(target=self._work_on, daemon=True) for _ in range(self._pace.parallel)]
        for worker in workers:
            worker.start()
        try:
            return self._loop(interrupted, until)
        finally:
            self._stop.set()
            for _ in workers:
                self._tasks.put(None)
            leave = time.monotonic() + _LEAVE
            for worker in workers:
                worker.join(max(0.0, leave - time.monotonic()))
            self._take_what_came()

    def _loop(self, interrupted: Callable[[], bool], until: float | None) -> Ending:
        while True:
            if interrupted():
                return "interrupted"
            if until is not None and time.monotonic() >= until:
                return "time"
            wait = self._hand_out()
            if self._out == 0 and self._hosts.awake:
                if self._pages >= self._pace.pages:
                    return "pages"
                if self._asked >= self._pace.most_requests:
                    return "requests"
            if self._out == 0 and not self._hosts.awake:
                return "done"
            try:
                self._take(self._results.get(timeout=min(_TICK, wait)))
            except queue.Empty:
                continue

    def _take_what_came(self) -> None:
        """Answers that came while all was ending are kept; what was cut off is asked for again."""
        while not self._results.empty():
            result = self._results.get()
            if not isinstance(result.outcome, BaseException):
                self._take(result)

    def _hand_out(self) -> float:
        """Give work to whoever has none; returns seconds until there may be more to give."""
        moment = time.monotonic()
        for host in self._hosts.ready(moment):
            left = min(self._pace.pages - self._pages, self._pace.most_requests - self._asked, self._pace.parallel)
            if self._out >= left:
                return _TICK
            with self._store.change():
                task = self._next_of(host, moment)
            if task:
                self._hosts.busy(host)
                self._out += 1
                self._tasks.put(task)
        return max(0.001, self._hosts.next_ready() - time.monotonic())

    def _next_of(self, host: str, moment: float) -> _Task | None:
        """What to ask a host for; whatever may not be asked for is written down on the way."""
        if why := self._hosts.given_up(host):
            self._store.give_up(host, "host-unreachable", why)
        while entry := self._store.next(host, moment):
            rules = self._hosts.rules(entry.url)
            if rules is None:
                return _Task(entry, robots=True)
            if isinstance(rules, Problem):
                self._settle(entry, rules)
            elif rules.delay > self._pace.longest_wait:
                self._store.settle(entry, "refused", "delay", f"robots.txt asks for {rules.delay:g} s between requests")
            elif not rules.allow(entry.url):
                self._store.settle(entry, "refused", "robots", "robots.txt disallows it")
            else:
                return _Task(entry)
        self._hosts.rest(host, self._store.next_due(host))
        return None

    def _work_on(self) -> None:
        """A thread: does tasks until there are no more."""
        while (task := self._tasks.get()) is not None and not self._stop.is_set():
            begun = time.monotonic()
            outcome: str | Sitemap | Redirect | Page | BaseException
            try:
                if task.robots:
                    outcome = self._work.robots(task.entry.url)
                elif task.entry.kind == "sitemap":
                    outcome = self._work.sitemap(task.entry.url)
                else:
                    outcome = self._work.page(task.entry.url)
            except (Problem, UserError) as error:
                outcome = error
            except Exception as error:  # noqa: BLE001 - what nobody foresaw of one page does not cost the others
                outcome = Problem("error", f"{type(error).__name__}: {error}"[:300], temporary=True)
            except BaseException as error:  # noqa: BLE001 - comes out in the thread that waits
                outcome = error
            self._results.put(_Result(task, outcome, time.monotonic() - begun))

    def _take(self, result: _Result) -> None:
        """Write down what came back, in one transaction."""
        self._out -= 1
        self._asked += 1
        entry, outcome = result.task.entry, result.outcome
        with self._store.change():
            if isinstance(outcome, BaseException) and not isinstance(outcome, Problem):
                raise outcome
            self._store.remember("asked", self._asked)
            self._hosts.answered(entry.url, result.seconds, outcome if isinstance(outcome, Problem) else None)
            if result.task.robots:
                self._take_robots(entry, outcome)
            elif isinstance(outcome, Problem):
                self._take_problem(entry, outcome)
            elif isinstance(outcome, Redirect):
                self._take_redirect(entry, outcome.location)
            elif isinstance(outcome, Sitemap):
                self._take_sitemap(entry, outcome)
            elif isinstance(outcome, Page):
                self._take_page(entry, outcome)
        self._progress(self._pages, f"{self._asked:,} answers, {entry.url.host}")

    def _take_robots(self, entry: Entry, outcome: object) -> None:
        if isinstance(outcome, Problem):
            self._hosts.robots_failed(entry.url, outcome)
            return
        assert isinstance(outcome, str)
        self._store.keep_robots(entry.url.origin, outcome)
        rules = self._hosts.learn(entry.url, outcome)
        self._add_named(rules, entry.url)

    def _add_named(self, rules: Rules, url: Url) -> None:
        if self._named_sitemaps:
            for sitemap in rules.sitemaps:
                self._admit(sitemap, url, "sitemap", depth=0, found_on=f"{url.origin}/robots.txt")

    def _take_problem(self, entry: Entry, problem: Problem) -> None:
        wait = self._pace.backoff * 2**entry.tries * random.uniform(1.0, 1.5)
        if problem.retry_after is not None:
            if problem.retry_after > self._pace.longest_wait:
                detail = f"{problem.detail}, asks to be left alone for {problem.retry_after:,.0f} s"
                self._store.settle(entry, "failed", problem.reason, detail)
                return
            wait = max(wait, problem.retry_after)
        if problem.temporary and entry.tries < self._pace.retries:
            self._store.put_off(entry, time.monotonic() + wait)
        else:
            self._settle(entry, problem)

    def _settle(self, entry: Entry, problem: Problem) -> None:
        """Failed: another session may try again. Skipped: asked for, and of no use. Refused: not asked for."""
        state = "failed" if problem.temporary else "refused" if problem.reason == "address" else "skipped"
        self._store.settle(entry, state, problem.reason, problem.detail)

    def _take_redirect(self, entry: Entry, location: str) -> None:
        try:
            target = parse_url(location, base=entry.url)
            self._scope.check(target, entry.depth, sitemap=entry.kind == "sitemap")
        except Problem as problem:
            detail = f"redirects to {location[:200]!r}: {problem.detail}"
            self._store.settle(entry, "refused", problem.reason, detail)
            return
        if target == entry.url or self._store.leads_to(target, entry.url):
            self._store.settle(entry, "skipped", "redirect-loop", f"redirects to {target.text}, which leads back")
        elif entry.hops >= self._limits.hops:
            self._store.settle(entry, "skipped", "redirects", f"more than {self._limits.hops} redirects in a row")
        else:
            self._store.settle(entry, "skipped", "redirected", target.text)
            asked = entry.asked or entry.url.text
            self._enqueue(
                target, entry.kind, depth=entry.depth, hops=entry.hops + 1, asked=asked, found_on=entry.url.text
            )

    def _take_sitemap(self, entry: Entry, sitemap: Sitemap) -> None:
        if self._full(entry, len(sitemap.pages) + len(sitemap.sitemaps)):
            self._store.settle(entry, "done")
            return
        for text in sitemap.pages:
            self._admit(text, entry.url, "page", depth=0, found_on=entry.url.text)
        for text in sitemap.sitemaps:
            if entry.hops >= _LEVELS:
                detail = f"more than {_LEVELS} indexes inside one another"
                self._store.refuse(text, "sitemap", "sitemap", detail, depth=0, found_on=entry.url.text)
            else:
                self._admit(text, entry.url, "sitemap", depth=0, hops=entry.hops + 1, found_on=entry.url.text)
        self._store.settle(entry, "done")

    def _take_page(self, entry: Entry, page: Page) -> None:
        found, url = page.found, entry.url
        row = {
            "text": found.text,
            "title": found.title,
            "url": entry.asked or url.text,
            "final_url": url.text,
            "licence": found.licence,
            "language": found.language,
            "date": found.date,
            "fetched_at": now(),
            "status": page.answer.status,
            "content_type": page.answer.content_type or None,
            "content_hash": f"sha256:{hashlib.sha256(page.answer.body).hexdigest()}",
            "encoding": found.encoding,
            "damaged": found.damaged,
            "extraction": found.way,
            "canonical": self._canonical(url, found.canonical),
            "depth": entry.depth,
        }
        if found.reserved:
            self._store.settle(entry, "skipped", "reserved", f"asks not to be learned from ({found.reserved})")
        elif found.noindex:
            self._store.settle(entry, "skipped", "noindex", "asks not to be kept")
        elif not found.text:
            self._store.settle(entry, "skipped", "no-text", "holds no text")
        elif same := self._store.page(entry, hashlib.sha256(fold(found.text).encode("utf-8")).digest(), row):
            self._store.settle(entry, "skipped", "duplicate", f"same text as {same}")
        else:
            self._store.settle(entry, "done")
            self._pages += 1
        self._take_links(entry, page)

    def _take_links(self, entry: Entry, page: Page) -> None:
        url, depth, found = entry.url, entry.depth + 1, page.found
        if self._full(entry, len(found.links)):
            return
        base = url
        if found.base:
            try:
                base = parse_url(found.base, base=url)
            except Problem as problem:
                self._store.refuse(found.base, "page", problem.reason, problem.detail, depth=depth, found_on=url.text)
        for link in found.links:
            self._admit(
                link.href,
                base,
                "page",
                depth=depth,
                found_on=url.text,
                nofollow=link.nofollow,
                encoding=found.encoding,
            )
        if found.more_links:
            what = f"{url.text} (further links)"
            self._store.refuse(
                what, "page", "links", f"{found.more_links:,} links are not followed", depth=depth, found_on=url.text
            )

    def _full(self, entry: Entry, links: int) -> bool:
        """Whether so many URLs are known that these are not taken, which is written down."""
        if self._store.known() < self._limits.urls:
            return False
        if links:
            detail = f"{links:,} links are not followed: {self._limits.urls:,} URLs are known"
            what = f"{entry.url.text} (links)"
            self._store.refuse(what, "page", "links", detail, depth=entry.depth + 1, found_on=entry.url.text)
        return True

    @staticmethod
    def _canonical(url: Url, canonical: str | None) -> str | None:
        try:
            return parse_url(canonical, base=url).text if canonical else None
        except Problem:
            return None

    def _admit(
        self,
        text: str,
        base: Url,
        kind: Kind,
        *,
        depth: int,
        hops: int = 0,
        found_on: str,
        nofollow: bool = False,
        encoding: str = "utf-8",
    ) -> None:
        """Let a URL that was found wait, or write down why not."""
        url: Url | str = text
        try:
            url = parse_url(text, base=base, encoding=encoding)
            if nofollow:
                # Another site's links are off-site before they are anything else.
                self._scope.check(url, depth)
                raise Problem("nofollow", "the page asks not to follow it")
            self._scope.check(url, depth, sitemap=kind == "sitemap")
        except Problem as problem:
            self._store.refuse(url, kind, problem.reason, problem.detail, depth=depth, found_on=found_on)
        else:
            self._enqueue(url, kind, depth=depth, hops=hops, asked=None, found_on=found_on)

    def _enqueue(self, url: Url, kind: str, *, depth: int, hops: int, asked: str | None, found_on: str) -> None:
        chosen: Kind = "sitemap" if kind == "sitemap" else "page"
        if self._store.add(url, chosen, depth=depth, hops=hops, asked=asked, found_on=found_on):
            self._hosts.wake([url.host])
