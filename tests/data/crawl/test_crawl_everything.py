"""One site that does everything at once: the complete list of what is asked for, of whom, and what becomes of each."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hostile_site import HTML, Site, crawled, serving, trickle

Rows = Callable[[str], list[dict[str, Any]]]


def build(site: Site, inner: Site) -> tuple[dict[str, str], dict[str, str]]:
    """Routes; path → text of what is to be a page, and path → why it is to be none."""
    pages = {
        "/": "Home of everything.",
        "/plain": "A page that is fine.",
        "/中文": "本店周一休息，欢迎周二光临。",
        "/gb": "地址在人民路三号，朱镕基题字。",
        "/wrong": "这一页说自己是另一种编码。",
        "/listed": "Only the sitemap knows this.",
        "/target": "What was moved is here.",
        "/busy": "Not now, but then.",
        "/no/but-this": "Allowed by the longer rule.",
        "/behind-noindex": "Behind what is not kept.",
    }
    for path, text in pages.items():
        site.page(path, text)
    rules = f"User-agent: *\nDisallow: /no/\nAllow: /no/but\nDisallow: /*.cgi$\nSitemap: {site.url('/s.xml.gz')}"
    site.routes["/robots.txt"] = (200, {}, rules.encode())
    listed = f"<urlset><url><loc>{site.url('/listed')}</loc></url><url><loc>http://10.0.0.1/</loc></url></urlset>"
    site.routes["/s.xml.gz"] = (200, {"Content-Type": "application/gzip"}, gzip.compress(listed.encode()))
    site.page("/%E4%B8%AD%E6%96%87", pages["/中文"])
    site.routes["/gb"] = (
        200,
        {"Content-Type": "text/html"},
        f"<meta charset=gb2312><p>{pages['/gb']}</p>".encode("gb18030"),
    )
    site.routes["/wrong"] = (
        200,
        {"Content-Type": "text/html; charset=gb2312"},
        f"<p>{pages['/wrong']}</p>".encode(),
    )
    answers = iter([503, 429, 200])
    site.routes["/busy"] = lambda request: request.send(
        next(answers), {"Content-Type": HTML}, f"<p>{pages['/busy']}</p>".encode()
    )
    site.page("/noindex", "Not kept.", "/behind-noindex", head='<meta name="robots" content="noindex">')
    site.page("/reserved", "Not to be learned from.", TDM_Reservation="1")
    site.page("/alone", "Not written: the same as another.", "/never", X_Robots_Tag="nofollow")
    site.page("/copy", pages["/plain"])
    site.routes |= {
        "/slow": trickle,
        "/huge": (200, {"Content-Type": HTML}, b"x" * 300_000),
        "/bomb": (200, {"Content-Type": HTML, "Content-Encoding": "gzip"}, gzip.compress(bytes(5_000_000))),
        "/brotli": (200, {"Content-Type": HTML, "Content-Encoding": "br"}, b"\x0b\x02\x80<p>hi</p>\x03"),
        "/pdf": (200, {"Content-Type": "application/pdf"}, b"%PDF-1.7"),
        "/picture": (200, {"Content-Type": HTML}, b"\x89PNG\r\n\x1a\n\xff\xfe"),
        "/untold": (200, {"Content-Type": ""}, b"\x00\x01\x02"),
        "/empty": (200, {"Content-Type": HTML}, b""),
        "/down": (500, {}, b""),
        "/gone": (404, {"Content-Type": HTML}, b"<p>Gone, but with a text.</p>"),
        "/forbidden": (403, {"Content-Type": HTML}, b"<p>Forbidden, with a text.</p>"),
    }
    redirects = {
        "/moved": "/target",
        "/loop": "/loop-b",
        "/loop-b": "/loop",
        "/self": "/self",
        "/to-inside": inner.url("/secret", "127.0.0.1"),
        "/to-number": f"http://2130706433:{inner.port}/secret",
        "/to-metadata": "http://169.254.169.254/latest/meta-data/",
        "/to-name": "http://inside.test/secret",
        "/to-v6": "http://[::ffff:127.0.0.1]/secret",
        "/to-port": f"http://site.test:{inner.port}/secret",
        "/to-file": "file:///etc/passwd",
        "/to-user": f"http://me:me@site.test:{site.port}/secret",
        "/to-else": "http://elsewhere.test/",
        "/to-forbidden": "/no/entry",
        **{f"/hop{n}": f"/hop{n + 1}" for n in range(7)},
    }
    for path, location in redirects.items():
        site.redirect(path, location)
    reasons = {
        **{"/slow": "slow", "/huge": "too-large", "/bomb": "too-large", "/brotli": "content-encoding"},
        **{"/pdf": "content-type", "/picture": "content-type", "/untold": "content-type", "/empty": "no-text"},
        **{"/down": "status", "/gone": "status", "/forbidden": "status", "/copy": "duplicate"},
        **{"/noindex": "noindex", "/reserved": "reserved", "/moved": "redirected"},
        **{"/loop": "redirected", "/loop-b": "redirect-loop", "/self": "redirect-loop"},
        **{"/to-file": "scheme", "/to-user": "userinfo", "/to-port": "port", "/to-else": "off-site"},
        **dict.fromkeys(
            ("/to-inside", "/to-number", "/to-metadata", "/to-name", "/to-v6", "/to-forbidden"), "redirected"
        ),
        **{f"/hop{n}": "redirected" for n in range(5)},
        "/hop5": "redirects",
    }
    return pages | {"/alone": "Not written: the same as another."}, reasons


def test_nothing_is_fetched_that_should_not_be_and_everything_that_should(site: Site, out: Path, rows: Rows) -> None:
    with serving() as inner:
        inner.page("/secret", "A secret of this machine.")
        inner.page("/", "Another.")
        pages, reasons = build(site, inner)
        unasked = {
            **{"/no/entry": "robots", "/run.cgi": "robots", "/never": "nofollow"},
            "http://10.0.0.1/": "address",
            f"http://127.0.0.1:{inner.port}/secret": "address",
            "http://169.254.169.254/latest/meta-data/": "address",
            "http://inside.test/secret": "address",
            "http://[::ffff:7f00:1]/secret": "address",
            f"http://turns.test:{site.port}/": "address",
            "http://elsewhere.test/page": "off-site",
            "mailto:me@site.test": "scheme",
            "javascript:alert(1)": "scheme",
        }
        skipped_by = ("/loop-b", "/behind-noindex", "/listed", "/target")
        links = [path for path in (*pages, *reasons) if path not in skipped_by and path[:4] != "/hop"]
        links += ["/hop0", "/no/entry", "/run.cgi", f"http://turns.test:{site.port}/"]
        links += ["http://elsewhere.test/page", "mailto:me@site.test", "javascript:alert(1)"]
        # The same in other words: none is asked for again.
        links += ["/./plain", "/x/../plain#top", "/plain?utm_source=mail", f"//SITE.test:{site.port}/plain"]
        site.page("/", pages["/"], *links)
        turns = iter(["127.0.0.1"])

        def resolve(host: str, port: int) -> list[str]:
            # A name that is allowed when its robots.txt is asked for, and another address from then on.
            named = {
                "inside.test": "192.168.0.1",
                "turns.test": next(turns, "127.0.0.9") if host == "turns.test" else "",
            }
            return [named.get(host, "127.0.0.1")]

        made = crawled(
            site,
            out,
            resolve=resolve,
            hosts=[
                *("10.0.0.1", f"127.0.0.1:{inner.port}", "169.254.169.254", "inside.test", "[::ffff:127.0.0.1]"),
                f"turns.test:{site.port}",
            ],
            limits={"seconds": 1.0, "page": 200_000},
            pace={"retries": 2, "errors": 50},
        )
        assert not inner.asked
    quoted = {"/%E4%B8%AD%E6%96%87" if path == "/中文" else path: text for path, text in pages.items()}
    found = {row["final_url"].removeprefix(site.url("")): row["text"] for row in rows("pages.jsonl")}
    assert found == quoted
    why = {row["url"].removeprefix(site.url("")): row["reason"] for row in rows("skipped.jsonl")}
    assert why == reasons | unasked
    times = dict.fromkeys((*quoted, *reasons, "/s.xml.gz"), 1)
    # robots.txt once of each name; what passes was tried three times.
    assert dict(site.asked) == times | {"/robots.txt": 2, "/busy": 3, "/down": 3, "/slow": 3}
    assert set(site.hosts) == {f"site.test:{site.port}", f"turns.test:{site.port}"}
    assert made.ending == "done"
