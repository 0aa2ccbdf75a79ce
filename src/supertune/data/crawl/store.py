"""The state of a crawl in one SQLite file: every URL with what became of it, every page, every robots.txt.

What happens to a URL happens in one transaction: its page, the links found in it and its new state. A process that is
killed leaves the URL waiting or done, never between.
"""

from __future__ import annotations

import json
import sqlite3
import time
import zlib
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from supertune.data.crawl.urls import Url, parse_url
from supertune.errors import UserError

FORMAT = 1
Kind = Literal["page", "sitemap"]

_SCHEMA = """
CREATE TABLE about (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE urls (
    id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, url TEXT NOT NULL, lane TEXT NOT NULL, kind TEXT NOT NULL,
    depth INTEGER NOT NULL, hops INTEGER NOT NULL, asked TEXT, found_on TEXT, state TEXT NOT NULL, reason TEXT,
    detail TEXT, tries INTEGER NOT NULL DEFAULT 0, due REAL NOT NULL DEFAULT 0, at TEXT
);
CREATE INDEX waiting ON urls (lane, kind DESC, depth, id) WHERE state = 'waiting';
CREATE INDEX states ON urls (state, reason);
CREATE TABLE pages (url_id INTEGER PRIMARY KEY, text_hash BLOB NOT NULL UNIQUE, row BLOB NOT NULL);
CREATE TABLE robots (origin TEXT PRIMARY KEY, text TEXT NOT NULL, at REAL NOT NULL) WITHOUT ROWID;
"""
# A refusal that depends on the way by which a URL was found is lifted when it is found in another.
_LIFTED = ("nofollow", "depth")


@dataclass(frozen=True)
class Entry:
    """A URL that waits.

    Attributes:
        id: Its number.
        url: Where to go.
        kind: ``page`` or ``sitemap``.
        depth: Links from a seed.
        hops: Redirects that led to it, or indexes above a sitemap.
        asked: The first URL of those redirects; None without any.
        tries: Failures so far.
    """

    id: int
    url: Url
    kind: Kind
    depth: int
    hops: int
    asked: str | None
    tries: int


class Store:
    """The file; used by one thread.

    Args:
        path: ``crawl.sqlite``; made when it is not there.

    Raises:
        UserError: It is no state of a crawl, or of another version.
    """

    def __init__(self, path: Path) -> None:
        new = not path.exists()
        try:
            # Transactions are begun and ended here, by hand.
            self._sql = sqlite3.connect(path, isolation_level=None)
            self._sql.execute("PRAGMA journal_mode = WAL")
            self._sql.execute("PRAGMA synchronous = NORMAL")
            if new or not self._sql.execute("SELECT 1 FROM sqlite_master WHERE name = 'about'").fetchone():
                with self.change():
                    for statement in filter(str.strip, _SCHEMA.split(";")):
                        self._sql.execute(statement)
                    self.remember("format", FORMAT)
            if self.recall("format") != FORMAT:
                raise UserError("was written by another version", where=str(path), fix="begin anew with another --out")
        except sqlite3.DatabaseError as error:
            raise UserError(f"is no state of a crawl ({error})", where=str(path), fix="name another --out") from error

    def close(self) -> None:
        """Put everything into the one file."""
        self._sql.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self._sql.close()

    @contextmanager
    def change(self) -> Iterator[None]:
        """All that the block does, or nothing of it."""
        self._sql.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._sql.execute("ROLLBACK")
            raise
        self._sql.execute("COMMIT")

    def remember(self, name: str, value: Any) -> None:
        """Keep a value of JSON under a name."""
        self._sql.execute("INSERT OR REPLACE INTO about VALUES (?, ?)", (name, json.dumps(value, ensure_ascii=False)))

    def recall(self, name: str) -> Any:
        """The value under a name; None if there is none."""
        found = self._sql.execute("SELECT value FROM about WHERE name = ?", (name,)).fetchone()
        return json.loads(found[0]) if found else None

    def add(
        self, url: Url, kind: Kind, *, depth: int, hops: int = 0, asked: str | None = None, found_on: str | None
    ) -> bool:
        """Let a URL wait, unless it is known; says whether it waits now."""
        done = self._sql.execute(
            "INSERT INTO urls (key, url, lane, kind, depth, hops, asked, found_on, state) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'waiting') ON CONFLICT (key) DO UPDATE SET state = 'waiting', "
            "depth = excluded.depth, hops = excluded.hops, asked = excluded.asked, found_on = excluded.found_on, "
            f"reason = NULL, detail = NULL WHERE state = 'refused' AND reason IN {_LIFTED}",
            (_key(url, kind), url.text, url.host, kind, depth, hops, asked, found_on),
        )
        return done.rowcount > 0

    def refuse(self, url: Url | str, kind: Kind, reason: str, detail: str, *, depth: int, found_on: str | None) -> bool:
        """Write down a URL that will not be asked for, unless it is known; says whether it is new."""
        if isinstance(url, Url):
            key, text, lane = _key(url, kind), url.text, url.host
        else:
            # As bytes that SQLite can hold: what stands in a page may be half a character.
            text = url.encode("utf-8", "replace").decode()[:2048]
            key, lane = f"bad {text}", ""
        done = self._sql.execute(
            "INSERT OR IGNORE INTO urls (key, url, lane, kind, depth, hops, found_on, state, reason, detail, at) "
            "VALUES (?, ?, ?, ?, ?, 0, ?, 'refused', ?, ?, ?)",
            (key, text, lane, kind, depth, found_on, reason, detail, now()),
        )
        return done.rowcount > 0

    def leads_to(self, url: Url, end: Url) -> bool:
        """Whether redirects that were seen lead from one URL to the other."""
        key, seen = _key(url, "page"), set[str]()
        while key != _key(end, "page"):
            found = self._sql.execute(
                "SELECT detail FROM urls WHERE key = ? AND reason = 'redirected'", (key,)
            ).fetchone()
            if found is None or key in seen:
                return False
            seen.add(key)
            key = _key(parse_url(found[0]), "page")
        return True

    def settle(self, entry: Entry, state: str, reason: str | None = None, detail: str | None = None) -> None:
        """Say what became of a URL: ``done``, ``skipped`` (fetched, not kept), ``refused`` or ``failed``."""
        self._sql.execute(
            "UPDATE urls SET state = ?, reason = ?, detail = ?, at = ? WHERE id = ?",
            (state, reason, detail, now(), entry.id),
        )

    def put_off(self, entry: Entry, until: float) -> None:
        """Try a URL again, not before a time."""
        self._sql.execute("UPDATE urls SET tries = tries + 1, due = ? WHERE id = ?", (until, entry.id))

    def page(self, entry: Entry, text_hash: bytes, row: Mapping[str, Any]) -> str | None:
        """Keep a page; the URL of an earlier one with the same text, if there is one: then it is not kept."""
        same = self._sql.execute(
            "SELECT url FROM urls JOIN pages ON id = url_id WHERE text_hash = ?", (text_hash,)
        ).fetchone()
        if same:
            return str(same[0])
        packed = zlib.compress(json.dumps(row, ensure_ascii=False).encode("utf-8"))
        self._sql.execute("INSERT INTO pages VALUES (?, ?, ?)", (entry.id, text_hash, packed))
        return None

    def next(self, lane: str, time_now: float) -> Entry | None:
        """What is to be asked next of a host: sitemaps, then what is nearest to a seed, the earliest found first."""
        found = self._sql.execute(
            "SELECT id, url, kind, depth, hops, asked, tries FROM urls WHERE state = 'waiting' AND lane = ? "
            "AND due <= ? ORDER BY kind DESC, depth, id LIMIT 1",
            (lane, time_now),
        ).fetchone()
        return Entry(found[0], parse_url(found[1]), *found[2:]) if found else None

    def lanes(self) -> dict[str, float]:
        """Hosts with waiting URLs → when the first of them is due."""
        rows = self._sql.execute("SELECT lane, MIN(due) FROM urls WHERE state = 'waiting' GROUP BY lane")
        return dict(rows.fetchall())

    def next_due(self, lane: str) -> float | None:
        """When the next URL of a host is due; None if none waits."""
        found = self._sql.execute(
            "SELECT MIN(due) FROM (SELECT due FROM urls WHERE state = 'waiting' AND lane = ?)", (lane,)
        ).fetchone()
        return found[0] if found else None

    def give_up(self, lane: str, reason: str, detail: str) -> None:
        """All that waits for a host has failed."""
        self._sql.execute(
            "UPDATE urls SET state = 'failed', reason = ?, detail = ?, at = ? WHERE state = 'waiting' AND lane = ?",
            (reason, detail, now(), lane),
        )

    def retry(self) -> int:
        """Let everything that has failed wait again; says how many."""
        done = self._sql.execute("UPDATE urls SET state = 'waiting', tries = 0, due = 0 WHERE state = 'failed'")
        return done.rowcount

    def forget_waits(self) -> None:
        """Nothing waits for a time of the session before."""
        self._sql.execute("UPDATE urls SET due = 0 WHERE state = 'waiting'")

    def robots(self, origin: str, not_before: float) -> str | None:
        """The robots.txt of a site that was read since then."""
        found = self._sql.execute(
            "SELECT text FROM robots WHERE origin = ? AND at >= ?", (origin, not_before)
        ).fetchone()
        return found[0] if found else None

    def keep_robots(self, origin: str, text: str) -> None:
        """Keep a robots.txt."""
        self._sql.execute("INSERT OR REPLACE INTO robots VALUES (?, ?, ?)", (origin, text, time.time()))

    def counts(self) -> dict[tuple[str, str | None], int]:
        """State and reason → URLs."""
        rows = self._sql.execute("SELECT state, reason, COUNT(*) FROM urls GROUP BY state, reason")
        return {(state, reason): count for state, reason, count in rows.fetchall()}

    def known(self) -> int:
        """URLs that were ever seen; none is ever deleted."""
        return int(self._sql.execute("SELECT COALESCE(MAX(id), 0) FROM urls").fetchone()[0])

    def count_pages(self) -> int:
        """Pages that are kept."""
        return int(self._sql.execute("SELECT COUNT(*) FROM pages").fetchone()[0])

    def pages(self) -> Iterator[dict[str, Any]]:
        """Pages that are kept, in the order in which their URLs were found."""
        with closing(self._sql.execute("SELECT row FROM pages ORDER BY url_id")) as rows:
            for (packed,) in rows:
                yield json.loads(zlib.decompress(packed))

    def skipped(self) -> Iterator[dict[str, Any]]:
        """Every URL that is no page, with the reason, in the order in which they were found."""
        columns = ("url", "kind", "state", "reason", "detail", "depth", "found_on", "tries", "at")
        query = f"SELECT {', '.join(columns)} FROM urls WHERE state != 'done' ORDER BY id"
        with closing(self._sql.execute(query)) as rows:
            for row in rows:
                yield dict(zip(columns, row, strict=True))


def now() -> str:
    """The time as ISO 8601 in UTC, to the second."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def _key(url: Url, kind: Kind) -> str:
    return url.key if kind == "page" else f"{kind} {url.key}"
