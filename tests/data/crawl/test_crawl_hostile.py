"""Against a hostile site: nothing is fetched that should not be, everything that should be is, and each page once."""

from __future__ import annotations

import gzip
import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hostile_site import HTML, Request, Site, at_home, crawled, serving, trickle

from supertune.console import Console
from supertune.data import read
from supertune.data.crawl import Territory
from supertune.errors import UserError
from supertune.recipes.crawl import crawl

Rows = Callable[[str], list[dict[str, Any]]]
Reasons = Callable[[], dict[str, str]]


def test_pages_are_found_once_with_where_they_come_from(site: Site, out: Path, rows: Rows) -> None:
    licence = "https://creativecommons.org/licenses/by/4.0/"
    site.routes["/robots.txt"] = (200, {}, f"User-agent: *\nDisallow: /no\nSitemap: {site.url('/s.xml.gz')}".encode())
    listed = f"<urlset><url><loc>{site.url('/listed')}</loc></url></urlset>".encode()
    site.routes["/s.xml.gz"] = (200, {"Content-Type": "application/gzip"}, gzip.compress(listed))
    links = [
        "/a?y=2&x=1",
        "/./a?x=1&y=2#z",
        "/a?x=1&y=2&utm_source=q",
        "/no/x",
        "http://other.test/",
        "/moved",
        "/copy",
    ]
    site.page("/", "This is the home page.", *links, head=f'<link rel="license" href="{licence}">')
    site.page("/a?y=2&x=1", "This is the first page.", "/")
    site.page("/a?x=1&y=2", "This is the first page.")
    site.page("/copy", "This is the first  page.")
    site.page("/listed", "This one is listed alone.")
    site.page("/target", "This is what was moved.")
    site.redirect("/moved", "/target", 301)
    gb = "<meta charset=gb2312><p>本店周一休息，欢迎周二光临。</p>".encode("gb18030")
    site.routes["/gb"] = (200, {"Content-Type": "text/html"}, gb)
    site.page("/listed", "This one is listed alone.", "/gb")
    made = crawled(site, out, contact="me@example.org")
    assert made.manifest["status"] == "done"
    found = {row["final_url"].removeprefix(site.url("")): row for row in rows("pages.jsonl")}
    assert set(found) == {"/", "/a?y=2&x=1", "/listed", "/target", "/gb"}
    assert found["/"]["licence"] == licence
    assert found["/target"]["url"] == site.url("/moved")
    assert (found["/gb"]["text"], found["/gb"]["language"]) == ("本店周一休息，欢迎周二光临。", "zh")
    assert set(site.asked.values()) == {1}
    assert set(site.asked) == {
        *("/robots.txt", "/s.xml.gz", "/", "/a?y=2&x=1", "/listed", "/moved", "/target", "/gb", "/copy")
    }
    assert set(site.hosts) == {f"site.test:{site.port}"}
    assert "me@example.org" in next(iter(site.agents))
    reasons = {row["url"]: row["reason"] for row in rows("skipped.jsonl")}
    assert reasons == {
        site.url("/no/x"): "robots",
        "http://other.test/": "off-site",
        site.url("/moved"): "redirected",
        site.url("/copy"): "duplicate",
    }
    table = read(made.pages)
    assert [step.name for step in table.lineage] == ["crawl", "read"]
    # The same again asks for nothing.
    before = site.asked.total()
    crawled(site, out)
    assert site.asked.total() == before


def test_no_hop_leads_to_a_private_address(site: Site, out: Path, reasons: Reasons) -> None:
    with serving() as inner:
        inner.page("/", "secret")
        names = {"rebound.test": ["127.0.0.2"], "meta.test": ["169.254.169.254"], "v6.test": ["::ffff:10.0.0.1"]}
        targets = [
            f"http://127.0.0.1:{inner.port}/",
            "http://169.254.169.254/latest/",
            "http://[::1]/",
            f"http://2130706433:{inner.port}/",
            f"http://0177.0.0.1:{inner.port}/",
            *(f"http://{name}/" for name in names),
            "http://user@site.test/",
            "ftp://site.test/",
        ]
        site.page("/", "Home.", *(f"/{n}" for n in range(len(targets))))
        for number, target in enumerate(targets):
            site.redirect(f"/{number}", target)
        hosts = ["[::1]", "169.254.169.254", f"127.0.0.1:{inner.port}", *names]
        crawled(
            site, out, hosts=hosts, resolve=lambda host, port: names.get(host, ["127.0.0.1"]), limits={"seconds": 2.0}
        )
        assert not inner.asked
        assert set(site.asked) == {"/robots.txt", "/", *(f"/{n}" for n in range(len(targets)))}
        why = reasons()
        assert (why["8"], why["9"]) == ("userinfo", "scheme")
        assert [why[str(n)] for n in range(8)] == ["redirected"] * 8
        assert why["latest/"] == "address"


def test_an_answer_that_changes_between_check_and_connection_does_not_matter(site: Site, out: Path, rows: Rows) -> None:
    with serving() as inner:
        answers = itertools.chain([["127.0.0.1"]], itertools.repeat(["127.0.0.9"]))
        inner.page("/", "secret")
        site.page("/", "Home.", "/next")
        site.page("/next", "Next.")
        with pytest.raises(UserError, match="not a single page"):
            crawled(site, out, resolve=lambda *_: next(answers))
        # The first lookup, for robots.txt, was of an allowed address; the next one was refused, and nothing else asked.
        assert dict(site.asked) == {"/robots.txt": 1}
        assert rows("skipped.jsonl")[0]["reason"] == "address"
        assert not inner.asked


def test_answers_that_are_no_pages(site: Site, out: Path, reasons: Reasons) -> None:
    bomb = gzip.compress(bytes(5_000_000))
    site.routes |= {
        "/slow": trickle,
        "/huge": (200, {"Content-Type": HTML}, b"x" * 300_000),
        "/bomb": (200, {"Content-Type": HTML, "Content-Encoding": "gzip"}, bomb),
        "/pdf": (200, {"Content-Type": "application/pdf"}, b"%PDF"),
        "/png": (200, {"Content-Type": HTML}, b"\x89PNG\r\n\x1a\n\xff\xfe"),
        "/empty": (200, {"Content-Type": HTML}, b""),
    }
    for path, to in {"/loop": "/loop2", "/loop2": "/loop", "/self": "/self"}.items():
        site.redirect(path, to)
    for n in range(8):
        site.redirect(f"/hop{n}", f"/hop{n + 1}")
    site.page("/noindex", "Not kept.", "/behind", head='<meta name="robots" content="noindex">')
    site.page("/behind", "Behind it.")
    site.page("/noai", "Not learned from.", X_Robots_Tag="noai")
    site.page("/alone", "Links are not followed.", "/never", X_Robots_Tag="nofollow")
    site.page("/never", "Never.")
    expected = {
        **{"slow": "slow", "huge": "too-large", "bomb": "too-large", "pdf": "content-type", "png": "content-type"},
        **{"empty": "no-text", "self": "redirect-loop", "noindex": "noindex", "noai": "reserved", "never": "nofollow"},
        **{"loop": "redirected", "loop2": "redirect-loop", "gone": "status", "hop5": "redirects"},
    }
    site.page("/", "Home.", *(f"/{p}" for p in expected if p not in ("never", "loop2", "hop5")), "/hop0", "/alone")
    made = crawled(site, out, limits={"seconds": 0.8}, pace={"retries": 0})
    found = reasons()
    assert expected.items() <= found.items()
    assert made.manifest["pages"] == 3
    assert "/never" not in site.asked
    assert "/hop6" not in site.asked
    assert site.asked["/behind"] == 1


def test_retries_pauses_and_unreachable_robots(site: Site, out: Path, rows: Rows, reasons: Reasons) -> None:
    calls = {"/busy": iter([429, 200]), "/broken": iter([500, 503, 200])}

    def flaky(request: Request) -> None:
        status = next(calls[request.path])
        extra = {"Retry-After": "1"} if status == 429 else {}
        request.send(status, {"Content-Type": HTML} | extra, f"<p>{request.path} at last.</p>".encode())

    site.routes |= dict.fromkeys(calls, flaky)
    site.page("/", "Home.", "/busy", "/broken", "/down")
    site.routes["/down"] = (503, {}, b"")
    begun = time.monotonic()
    crawled(site, out, pace={"retries": 2, "delay": 0.05})
    assert time.monotonic() - begun > 1
    assert (site.asked["/busy"], site.asked["/broken"], site.asked["/down"]) == (2, 3, 3)
    assert len(rows("pages.jsonl")) == 3
    assert reasons() == {"down": "status"}
    gaps = [later - earlier for earlier, later in itertools.pairwise(site.times)]
    assert min(gaps) >= 0.05
    # Asked again only when told to.
    site.page("/down", "Up again.")
    assert crawled(site, out, retry=True).manifest["pages"] == 4
    site.routes["/robots.txt"] = (500, {}, b"")
    with pytest.raises(UserError, match="robots-unreachable"):
        crawled(site, out.with_name("other"), "/x", pace={"retries": 1})
    assert "/x" not in site.asked


def test_wrong_orders_leave_no_folder(site: Site, out: Path, tmp_path: Path) -> None:
    for wrong, told in [
        ({"seeds": ["ftp://a.org"]}, "not http"),
        ({"seeds": ["http://a:b@a.org"]}, "user name"),
        ({"include": ["docs"]}, "no prefix"),
        ({"hosts": ["http://a/"]}, "no host"),
        ({"allow_private": ["intranet"]}, "no address or network"),
        ({"pace": {"delay": -1.0}}, "too little"),
    ]:
        with pytest.raises(UserError, match=told):
            crawled(site, out, **wrong)  # type: ignore[arg-type]
    assert not out.exists()
    site.page("/", "Home.")
    crawled(site, out)
    with pytest.raises(UserError, match="another choice of exclude"):
        crawled(site, out, exclude=["/x"])
    # Nor is it passed over where no address is named.
    with pytest.raises(UserError, match="another choice of exclude"):
        crawl(Territory(exclude=("/x",)), out=out, console=Console(quiet=True))


_KILLED = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from hostile_site import Site, crawled, trickle
site = Site(port=int(sys.argv[2]))
crawled(site, Path(sys.argv[3]), pace={"delay": 0.03})
"""


def test_killed_half_way_it_goes_on_without_loss_or_repeats(site: Site, out: Path, rows: Rows) -> None:
    count = 24
    site.page("/", "Home.", *(f"/{n}" for n in range(count)))
    for n in range(count):
        site.page(f"/{n}", f"This is page number {n}.")
    command = [sys.executable, "-c", _KILLED, str(Path(__file__).parent), str(site.port), str(out)]
    process = subprocess.Popen(command, start_new_session=True)
    while site.asked.total() < count // 2:
        time.sleep(0.005)
        assert process.poll() is None
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert site.asked.total() < count
    crawled(site, out)
    texts = [row["text"] for row in rows("pages.jsonl")]
    assert sorted(texts) == sorted(["Home.", *(f"This is page number {n}." for n in range(count))])
    # What was being asked for at that instant is asked for again, and nothing else.
    assert site.asked.total() - len(site.asked) <= 1


def test_budgets_and_interruption(site: Site, out: Path) -> None:
    site.page("/", "Home.", *(f"/{n}" for n in range(6)))
    for n in range(6):
        site.page(f"/{n}", f"This is page number {n}.")
    first = crawled(site, out, pace={"pages": 3})
    assert (first.ending, first.manifest["pages"]) == ("pages", 3)
    assert first.manifest["not_written"] == {"waiting": {"not-yet": 4}}
    assert crawled(site, out).manifest["pages"] == 7
    assert set(site.asked.values()) == {1}
    assert at_home("x", 1) == ["127.0.0.1"]
