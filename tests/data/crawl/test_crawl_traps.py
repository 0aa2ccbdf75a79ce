"""What would go on for ever, or cost more than it should: traps, padding, detours, faults of our own."""

from __future__ import annotations

import gzip
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hostile_site import HTML, Request, Site, crawled, serving

from supertune.data.crawl import Pace
from supertune.data.crawl.extract import Extracted, extract
from supertune.errors import UserError

Rows = Callable[[str], list[dict[str, Any]]]
Reasons = Callable[[], dict[str, str]]


class Endless(dict[str, Any]):
    """Routes of a site on which every page links to two that nobody has seen, and all say the same."""

    def get(self, path: str, default: Any = None) -> Any:
        if path == "/robots.txt":
            return default
        links = "".join(f'<a href="{path.rstrip("/")}/{n}">on</a>' for n in (1, 2))
        return 200, {"Content-Type": HTML}, f"<main><p>Welcome to our site.</p></main>{links}".encode()


def test_a_trap_without_new_pages_ends_with_the_requests(site: Site, out: Path) -> None:
    site.routes = Endless()
    first = crawled(site, out, pace={"pages": 5, "requests": 12})
    assert (first.ending, first.manifest["pages"], site.asked.total()) == ("requests", 1, 12)
    # Over all sessions: the same again asks for nothing, and more goes on where it was.
    assert crawled(site, out, pace={"pages": 5, "requests": 12}).ending == "requests"
    assert site.asked.total() == 12
    assert crawled(site, out, pace={"pages": 5, "requests": 20}).ending == "requests"
    assert site.asked.total() == 20
    assert set(site.asked.values()) == {1}
    assert (Pace(pages=5).most_requests, Pace(pages=50).most_requests) == (100, 500)


def test_links_are_not_taken_when_too_many_urls_are_known(site: Site, out: Path, rows: Rows) -> None:
    site.page("/", "Home.", *(f"/{n}" for n in range(6)))
    for n in range(6):
        site.page(f"/{n}", f"This is page number {n}.", *(f"/{n}/{k}" for k in range(50)))
    made = crawled(site, out, limits={"urls": 20})
    # One page may go beyond; the others' links are counted, not kept.
    assert made.manifest["pages"] == 7
    why = Counter(row["reason"] for row in rows("skipped.jsonl"))
    assert why == {"status": 50, "links": 5}
    told = next(row for row in rows("skipped.jsonl") if row["reason"] == "links")
    assert told["detail"] == "50 links are not followed: 20 URLs are known"
    listed = "".join(f"{site.url(f'/{n}')}\n" for n in range(6)).encode()
    site.routes["/s.txt"] = (200, {"Content-Type": "text/plain"}, listed)
    site.page("/", "Home.")
    assert (
        crawled(site, out.with_name("listed"), limits={"urls": 2}, sitemaps=[site.url("/s.txt")]).manifest["pages"] == 1
    )


def test_robots_may_send_elsewhere_but_to_no_other_port(site: Site, out: Path, reasons: Reasons) -> None:
    with serving() as inner:
        inner.routes["/robots.txt"] = (200, {}, b"User-agent: *\nAllow: /")
        site.page("/", "Home.")
        site.redirect("/robots.txt", inner.url("/robots.txt", "site.test"))
        with pytest.raises(UserError, match="robots-unreachable"):
            crawled(site, out, allow_private=[f"127.0.0.1:{site.port}", f"127.0.0.1:{inner.port}"])
        assert not inner.asked
    assert set(site.asked) == {"/robots.txt"}
    # To the port that the site itself is at it may: here, of another host.
    site.redirect("/robots.txt", site.url("/rules", "rules.test"))
    site.routes["/rules"] = (200, {}, b"User-agent: *\nDisallow: /no")
    site.page("/", "Home.", "/no")
    assert crawled(site, out.with_name("other")).manifest["pages"] == 1
    assert "/no" not in site.asked


def test_padding_behind_what_is_packed_ends_at_the_limit(site: Site, out: Path, reasons: Reasons) -> None:
    sent = [0]

    def pad(request: Request) -> None:
        request.send_response(200)
        request.send_header("Content-Type", HTML)
        request.send_header("Content-Encoding", "gzip")
        request.end_headers()
        request.wfile.write(gzip.compress(b"<p>All that there is.</p>"))
        for _ in range(2_000):
            request.wfile.write(bytes(10_000))
            sent[0] += 10_000

    site.page("/", "Home.", "/padded")
    site.routes["/padded"] = pad
    crawled(site, out, limits={"page": 100_000, "seconds": 20.0})
    assert reasons() == {"padded": "too-large"}
    # The rest lay in buffers between us.
    assert sent[0] < 15_000_000


def test_bytes_in_a_redirect_are_sent_back_as_they_came(site: Site, out: Path, rows: Rows) -> None:
    names = {"utf-8": "/页面", "gb18030": "/网页"}
    site.page("/", "Home.", *(f"/{encoding}" for encoding in names))
    for encoding, name in names.items():
        raw = name.encode(encoding)
        site.redirect(f"/{encoding}", raw.decode("latin-1"))
        site.page("".join(f"%{byte:02X}" if byte > 127 else chr(byte) for byte in raw), f"This is behind {encoding}.")
    crawled(site, out)
    assert {row["text"] for row in rows("pages.jsonl")} == {"Home.", *(f"This is behind {name}." for name in names)}


def test_a_fault_of_ours_in_one_page_does_not_cost_the_others(site: Site, out: Path, rows: Rows) -> None:
    def faulty(body: bytes, headers: dict[str, str], url: str, links: int) -> Extracted:
        if url.endswith("/1"):
            raise ZeroDivisionError("nobody thought of it")
        return extract(body, headers, url, links)

    site.page("/", "Home.", *(f"/{n}" for n in range(3)))
    for n in range(3):
        site.page(f"/{n}", f"This is page number {n}.")
    made = crawled(site, out, surroundings={"extract": faulty}, pace={"retries": 0})
    assert (made.ending, made.manifest["pages"]) == ("done", 3)
    (row,) = rows("skipped.jsonl")
    assert (row["state"], row["reason"]) == ("failed", "error")
    assert row["detail"] == "ZeroDivisionError: nobody thought of it"
    # Mended, it is asked for again when told to.
    assert crawled(site, out, retry=True).manifest["pages"] == 4


def test_what_waits_long_does_not_make_a_host_wait_for_what_is_new(site: Site, out: Path) -> None:
    site.routes["/down"] = (503, {}, b"")
    site.page("/new", "This one is new.")
    released = threading.Event()

    def late(request: Request) -> None:
        released.wait(1.5 if request.path == "/" else 0)
        body = f'<p>This links to another.</p><a href="{site.url("/new", "first.test")}">new</a>'
        request.send(200, {"Content-Type": HTML}, body.encode())

    with serving() as other:
        other.routes["/"] = late
        seeds = [site.url("/down", "first.test"), other.url("/", "second.test")]
        allowed = [f"127.0.0.1:{site.port}", f"127.0.0.1:{other.port}"]
        made = crawled(site, out, seeds=seeds, allow_private=allowed, pace={"backoff": 60.0, "seconds": 5.0})
    assert (made.ending, made.manifest["pages"]) == ("time", 2)
    assert dict(site.asked) == {"/robots.txt": 1, "/down": 1, "/new": 1}


def test_broken_encodings_are_read_as_far_as_they_go(site: Site, out: Path, rows: Rows) -> None:
    def markup(text: str, encoding: str, meta: str = "") -> bytes:
        return f"<html><head>{meta}</head><body><p>{text}</p></body></html>".encode(encoding)

    chinese, french = "本店周一休息，欢迎周二光临。", "L’été, le café est fermé."
    pages = {
        # Path → what is said of the bytes, the bytes, the text, and places that cannot be read.
        "/gbk-as-utf8": ("utf-8", markup(chinese, "gbk", "<meta charset=gbk>"), chinese, 0),
        "/gb2312-beyond": ("gb2312", markup("朱镕基说：欢迎。", "gb18030"), "朱镕基说：欢迎。", 0),
        "/utf8-as-gb2312": ("gb2312", markup(chinese + "好。", "utf-8"), chinese + "好。", 0),
        "/unknown": ("x-nobody-knows", markup(chinese + "行。", "utf-8"), chinese + "行。", 0),
        "/windows": ("iso-8859-1", markup(french, "cp1252"), french, 0),
        "/utf16": ("utf-16", "\ufeff".encode("utf-16-le") + markup(chinese + "是。", "utf-16-le"), chinese + "是。", 0),
        "/cut": ("utf-8", markup("A café 好", "utf-8").replace("好".encode(), "好".encode()[:2]), "A café \ufffd", 1),
        "/surrogate": ("utf-8", markup("Half &#xD83D; a face.", "utf-8"), None, None),
        "/nul": ("utf-8", markup("Nothing\x00 here.", "utf-8"), None, None),
    }
    site.page("/", "Home.", *pages)
    for path, (said, body, *_) in pages.items():
        site.routes[path] = (200, {"Content-Type": f"text/html; charset={said}"}, body)
    crawled(site, out)
    found = {row["url"].removeprefix(site.url("")): row for row in rows("pages.jsonl")}
    assert set(found) == {"/", *pages}
    for path, (_, _, text, damaged) in pages.items():
        assert text is None or found[path]["text"] == text
        assert damaged is None or found[path]["damaged"] == damaged
        assert not {"\x00", "\ud83d"} & set(found[path]["text"])
