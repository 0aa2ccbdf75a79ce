"""A crawl from its command to its folder; the same call goes on with what was begun."""

from __future__ import annotations

import contextlib
import os
import ssl
import threading
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from supertune.console import Bar, Console
from supertune.data.crawl import (
    AGENT,
    MANIFEST,
    PAGES,
    SKIPPED,
    STATE,
    Crawler,
    Ending,
    Extract,
    Fetcher,
    GuardedExtraction,
    Limits,
    Pace,
    Resolver,
    Scope,
    Store,
    Territory,
    Work,
    check_installed,
    now,
    parse_permission,
    system_resolver,
    write_output,
)
from supertune.errors import InterruptedRunError, UserError
from supertune.files import explained, remove_leftovers
from supertune.recipes.interruption import Interruption

_PROXIES = ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
_TOLD = {
    "done": "nothing is left to ask for",
    "pages": "as many pages as --pages allows; the same command with more goes on",
    "requests": "as many requests as --requests allows; the same command with more goes on",
    "time": "the time of --minutes is over; the same command goes on",
    "interrupted": "interrupted",
}


@dataclass(frozen=True)
class Crawled:
    """What came of a crawl.

    Attributes:
        out: The folder.
        ending: Why the session ended: ``done``, ``pages``, ``requests`` or ``time``.
        manifest: What `manifest.json` holds.
    """

    out: Path
    ending: Ending
    manifest: dict[str, Any]

    @property
    def pages(self) -> Path:
        """The rows, as `supertune.read` takes them."""
        return self.out / PAGES

    def as_dict(self) -> dict[str, Any]:
        """The shape of ``crawl --json``."""
        kept = {key: self.manifest[key] for key in ("pages", "not_written")}
        return {"out": str(self.out), "status": self.ending, **kept}


@dataclass(frozen=True)
class Surroundings:
    """What lies outside of the crawler.

    Attributes:
        resolve: Looks names up.
        tls: What certificates are trusted; None for what the system trusts.
        extract: Takes pages apart; None for a guarded process of its own.
    """

    resolve: Resolver = system_resolver
    tls: ssl.SSLContext | None = None
    extract: Extract | None = None


def crawl(
    territory: Territory,
    *,
    out: Path,
    pace: Pace | None = None,
    limits: Limits | None = None,
    contact: str | None = None,
    retry: bool = False,
    surroundings: Surroundings | None = None,
    console: Console,
) -> Crawled:
    """Fetch pages into a folder, or go on where an earlier call ended, however it ended.

    Args:
        territory: Which pages; without seeds and sitemaps that of the crawl that was begun in ``out``.
        out: The folder.
        pace: How fast and how much.
        limits: What one answer may take.
        contact: Address or page where the site's people reach whoever crawls; part of the User-Agent.
        retry: Ask again for what has failed in earlier sessions.
        surroundings: Network and certificates.
        console: Where to tell.

    Raises:
        UserError: Something given is wrong, another crawl is in ``out``, or there is not a single page.
        MissingExtraError: The extra ``web`` is not installed.
        InterruptedRunError: Ctrl-C; the same call goes on.
    """
    check_installed()
    pace, limits, around = pace or Pace(), limits or Limits(), surroundings or Surroundings()
    _check(pace, limits, contact)
    # Before anything is made: mistakes leave no folder.
    given = bool(territory.seeds or territory.sitemaps)
    if given:
        Scope(territory)
    elif not (out / STATE).is_file():
        raise UserError("no address to begin with", fix="supertune crawl https://example.org/ --out FOLDER")
    allowed = tuple(map(parse_permission, territory.allow_private))
    with _sole(out), contextlib.closing(_opened(out, territory, given=given)) as store:
        territory = Territory.from_dict(store.recall("territory"))
        allowed = tuple(map(parse_permission, territory.allow_private))
        _warn(console, territory)
        if retry and (again := store.retry()):
            console.say(f"  {again:,} URLs that had failed are tried again")
        with contextlib.ExitStack() as stack:
            stop = threading.Event()
            agent = f"{AGENT}/{version('supertune')} ({'crawler' if contact is None else f'+{contact}'})"
            fetcher = Fetcher(
                agent=agent, resolve=around.resolve, allowed=allowed, limits=limits, tls=around.tls, stop=stop
            )
            extract = around.extract or stack.enter_context(GuardedExtraction(limits.extracting))
            interruption = stack.enter_context(Interruption())
            bar = stack.enter_context(console.progress("crawling", float(pace.pages)))
            crawler = Crawler(
                store,
                Scope(territory),
                Work(fetcher, extract, limits),
                pace,
                limits=limits,
                named_sitemaps=territory.named_sitemaps,
                stop=stop,
                progress=_progress(bar),
            )
            begun = now()
            ending = crawler.run(lambda: interruption.asked)
        sessions = [*(store.recall("sessions") or ()), {"begun": begun, "ended": now(), "ending": ending}]
        store.remember("sessions", sessions)
        about = {
            "supertune": version("supertune"),
            "status": "done" if ending == "done" else "interrupted" if ending == "interrupted" else "stopped",
            "sessions": sessions,
            "user_agent": agent,
            "pace": asdict(pace),
            "limits": asdict(limits),
        }
        manifest = write_output(store, out, territory, about)
    _show(manifest, out, ending, console)
    if ending == "interrupted":
        raise InterruptedRunError(f"interrupted with {manifest['pages']:,} pages; the same command goes on with {out}")
    return Crawled(out, ending, manifest)


def _check(pace: Pace, limits: Limits, contact: str | None) -> None:
    for where, value, least in (
        ("--delay", pace.delay, 0),
        ("--parallel", pace.parallel, 1),
        ("--pages", pace.pages, 1),
        ("--requests", pace.most_requests, 1),
        ("--retries", pace.retries, 0),
        ("--timeout", limits.seconds, 0.1),
        ("--largest", limits.page, 1),
    ):
        # Written so that what is no number is refused as well.
        if not value >= least:
            raise UserError(f"{value:g} is too little", where=where, fix=f"{least} or more")
    if pace.seconds is not None and not pace.seconds > 0:
        raise UserError(f"{pace.seconds / 60:g} is too little", where="--minutes", fix="more than 0")
    if contact is not None and (not contact.isascii() or not contact.isprintable() or set("()") & set(contact)):
        raise UserError(f"{contact!r} cannot stand in a header", where="--contact", fix="an e-mail address or a URL")


@contextlib.contextmanager
def _sole(out: Path) -> Iterator[None]:
    """Nobody else crawls into this folder meanwhile."""
    from filelock import FileLock, Timeout

    with explained(out):
        if out.exists() and any(out.iterdir()) and not (out / STATE).is_file() and not (out / ".lock").is_file():
            raise UserError("exists already, and is no crawl", where=str(out), fix="name a new folder with --out")
        out.mkdir(parents=True, exist_ok=True)
        lock = FileLock(out / ".lock")
        try:
            lock.acquire(timeout=0)
        except Timeout as error:
            raise UserError("another crawl writes there", where=str(out), fix="wait for it, or end it") from error
    try:
        remove_leftovers(out)
        yield
    finally:
        lock.release()


def _opened(out: Path, territory: Territory, *, given: bool) -> Store:
    """The state, begun or gone on with.

    Raises:
        UserError: Another crawl was begun there.
    """
    store = Store(out / STATE)
    try:
        known = store.recall("territory")
        if known is None:
            with store.change():
                store.remember("territory", territory.as_dict())
        elif given or territory != Territory():
            if not given:
                # What was asked for of further addresses; they are those of the crawl that was begun.
                begun = Territory.from_dict(known)
                territory = replace(territory, seeds=begun.seeds, sitemaps=begun.sitemaps)
            differ = [key for key, value in territory.as_dict().items() if known.get(key) != value]
            if differ:
                raise UserError(
                    f"was begun with another choice of {', '.join(differ)}",
                    where=str(out),
                    fix="name none of it to go on (supertune crawl --out FOLDER), or begin anew with another --out",
                )
    except BaseException:
        store.close()
        raise
    return store


def _warn(console: Console, territory: Territory) -> None:
    if territory.allow_private:
        console.warn(f"--allow-private: {', '.join(territory.allow_private)} may be connected to, public or not")
    if named := [name for name in _PROXIES if os.environ.get(name)]:
        console.warn(f"{', '.join(named)}: the crawler connects by itself, not through a proxy")


def _progress(bar: Bar) -> Any:
    def told(pages: int, note: str) -> None:
        bar(float(pages), f"{pages:,} pages, {note}")

    return told


def _show(manifest: dict[str, Any], out: Path, ending: Ending, console: Console) -> None:
    console.say(f"{manifest['pages']:,} pages in {out / PAGES}: {_TOLD[ending]}")
    rows = [
        [state, reason, f"{count:,}"]
        for state, reasons in manifest["not_written"].items()
        for reason, count in sorted(reasons.items(), key=lambda pair: -pair[1])
    ]
    if rows:
        console.table(("not written", "why", "URLs"), rows, right=(2,))
        console.say(f"each with its reason: {out / SKIPPED}; how it came to be: {out / MANIFEST}")
    if not manifest["pages"] and ending == "done":
        reasons = sorted(((reason, state) for state, reason, _ in rows), key=str)
        named = ", ".join(dict.fromkeys(reason for reason, _ in reasons)) or "nothing was found"
        raise UserError(f"not a single page ({named})", where=str(out), fix=f"{out / SKIPPED} says why, URL by URL")
