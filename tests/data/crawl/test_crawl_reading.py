"""Encodings, packed bodies, robots.txt, sitemaps, directives, licences, and the text of short and long pages."""

from __future__ import annotations

import gzip
import subprocess
import sys
import zlib

import pytest

from supertune.data.crawl.decoding import decode
from supertune.data.crawl.directives import Directives, directives
from supertune.data.crawl.extract import Extracted, extract
from supertune.data.crawl.guarded import GuardedExtraction
from supertune.data.crawl.problems import Problem
from supertune.data.crawl.robots import Rules
from supertune.data.crawl.sitemaps import read_sitemap
from supertune.data.crawl.unpack import Unpacker
from supertune.data.crawl.urls import parse_url

CHINESE = "清晨的公园里，老人们在打太极拳，孩子们追着风筝奔跑，远处传来卖豆浆的吆喝声。"
# Of GBK but not of GB 2312, and of GB 18030 alone.
RARE = "镕𠮷㑇"


@pytest.mark.parametrize(
    ("body", "header", "encoding", "text"),
    [
        ((CHINESE + RARE).encode("gb18030"), "text/html; charset=gb2312", "gb18030", CHINESE + RARE),
        (b'<meta charset="GBK">' + CHINESE.encode("gbk"), "text/html", "gb18030", None),
        (CHINESE.encode("gb18030"), "text/html", "gb18030", CHINESE),
        (CHINESE.encode(), "text/html; charset=gb2312", "utf-8", CHINESE),
        (CHINESE.encode(), "text/html; charset=iso-8859-1", "utf-8", CHINESE),
        ("café".encode("latin-1"), "text/html; charset=ascii", "cp1252", "café"),
        ("\ufeff猫".encode("utf-16-le"), "text/html; charset=utf-8", "utf-16-le", "猫"),
        ("繁體中文".encode("big5"), "text/html; charset=big5", "big5hkscs", "繁體中文"),
        ("联通".encode("gbk"), "text/html; charset=gbk", "gb18030", "联通"),
        (b"plain", 'text/html; charset="no-such"', "utf-8", "plain"),
        (b"plain", "text/html; charset=unicode_escape", "utf-8", "plain"),
    ],
)
def test_encodings(body: bytes, header: str, encoding: str, text: str | None) -> None:
    found = decode(body, header)
    assert (found.encoding, found.damaged) == (encoding, 0)
    assert text is None or found.text == text


def test_damage_is_counted_and_what_is_not_text_refused() -> None:
    broken = CHINESE.encode() + b"\xff\xfe" + CHINESE.encode() + b"\0"
    found = decode(broken, "text/html; charset=utf-8")
    assert found.damaged == 2
    assert found.text == f"{CHINESE}\ufffd\ufffd{CHINESE}"
    with pytest.raises(Problem, match="picture"):
        decode(b"\x89PNG\r\n\x1a\n\xff\xfe\xfa", "text/html")


def test_packed_bodies() -> None:
    text = b"some text " * 1000
    bare = zlib.compressobj(wbits=-15)
    packings = {
        "gzip": gzip.compress(text[:50]) + gzip.compress(text[50:]) + b"\0\0",
        "deflate": zlib.compress(text),
        "DEFLATE": bare.compress(text) + bare.flush(),
        "identity": text,
    }
    for name, packed in packings.items():
        unpacker = Unpacker(name, len(text))
        for start in range(0, len(packed), 7):
            unpacker.feed(packed[start : start + 7])
        assert unpacker.body() == text
    bomb = gzip.compress(bytes(50_000_000))
    unpacker = Unpacker("gzip", 100_000)
    with pytest.raises(Problem, match="more than 100,000 bytes"):
        unpacker.feed(bomb)
    assert unpacker.size == 100_001
    for name in ("br", "gzip, gzip", "zstd"):
        with pytest.raises(Problem, match="not asked for"):
            Unpacker(name, 9)
    cut = Unpacker("gzip", 1_000_000)
    cut.feed(gzip.compress(text)[:-9])
    with pytest.raises(Problem, match="ends in the middle"):
        cut.body()


def test_robots_rules() -> None:
    rules = Rules(
        "User-agent: *\nDisallow: /\n\nUser-agent: supertune\nCrawl-delay: 3\nDisallow: /a\nAllow: /a/b\n"
        "Disallow: /*.php$\nDisallow: /猫\nSitemap: http://a.org/s.xml"
    )
    allowed = {
        path: rules.allow(parse_url(f"http://a.org{path}"))
        for path in ["/", "/a", "/a/b/c", "/x.php", "/x.php5", "/猫/x"]
    }
    assert allowed == {"/": True, "/a": False, "/a/b/c": True, "/x.php": False, "/x.php5": True, "/猫/x": False}
    assert rules.delay == 3
    assert rules.sitemaps == ["http://a.org/s.xml"]
    assert Rules("<html>no such page</html>").allow(parse_url("http://a.org/"))
    assert not Rules("User-agent: *\nDisallow: /").allow(parse_url("http://a.org/x"))


def test_sitemaps() -> None:
    listed = (
        b'<?xml version="1.0"?><urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9" xmlns:i="http://i">'
        b"<url><loc> http://a.org/1 </loc><i:image><i:loc>http://a.org/p.png</i:loc></i:image></url></urlset>"
    )
    assert read_sitemap(gzip.compress(listed), 10_000).pages == ("http://a.org/1",)
    index = b"<sitemapindex><sitemap><loc>http://a.org/s.xml</loc></sitemap></sitemapindex>"
    assert read_sitemap(index, 10_000).sitemaps == ("http://a.org/s.xml",)
    assert read_sitemap(b"\xef\xbb\xbfhttp://a.org/1\nhttp://a.org/2\n", 10_000).pages[1] == "http://a.org/2"
    laughs = b'<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]><urlset><url><loc>http://a/&b;</loc></url></urlset>'
    assert "haha" not in str(read_sitemap(laughs, 10_000))
    for wrong in (b"no sitemap", b"<urlset", b"<"):
        with pytest.raises(Problem, match="no sitemap"):
            read_sitemap(wrong, 10_000)
    with pytest.raises(Problem, match="more than"):
        read_sitemap(gzip.compress(bytes(1_000_000)), 10_000)


_GROWN = """
import resource
from supertune.data.crawl.sitemaps import read_sitemap
filler = b"<a/>" * 400_000 + b"<url>" + b"<b/>" * 400_000 + b"<loc>http://a.org/1</loc><c/></url><!-- x --><?y?>"
body = b"<urlset>" + filler + b"</urlset>"
read_sitemap(b"<urlset><url><loc>http://a.org/1</loc></url></urlset>", 1000)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
assert read_sitemap(body, 10_000_000).pages == ("http://a.org/1",)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


def test_of_a_large_sitemap_nothing_stays_that_was_read() -> None:
    grown = subprocess.run([sys.executable, "-c", _GROWN], check=True, capture_output=True, text=True).stdout
    # Megabytes; kept as a tree these elements take some hundred.
    assert int(grown) < 20


def test_directives() -> None:
    assert directives("noindex, nofollow", "", ()) == Directives(noindex=True, nofollow=True)
    assert directives("otherbot: noindex, nofollow", "", ()) == Directives()
    assert directives("otherbot: noindex, supertune: nofollow", "", ()) == Directives(nofollow=True)
    assert directives("unavailable_after: 25 Jun 2030 15:00:00 PST", "", [("robots", "None")]).noindex
    assert directives("", "1", ()).reserved == "tdm-reservation"
    assert directives("", "0", [("robots", "index, NoAI")]).reserved == "noai"


def taken(html: str, content_type: str = "text/html; charset=utf-8") -> Extracted:
    return extract(html.encode(), {"content-type": content_type}, "http://a.org/", 100)


MENU = "".join(f'<li><a href="/{n}">Menu entry number {n}</a></li>' for n in range(30))


def test_short_pages_give_their_text_and_not_the_menu() -> None:
    page = taken(f"<title>T</title><div><ul>{MENU}</ul></div><p>We are closed on Mondays.</p><footer>© 2020</footer>")
    assert (page.text, page.way, page.language) == ("We are closed on Mondays.", "visible", "en")
    chinese = taken(f"<div><ul>{MENU}</ul></div><div>本店周一休息。</div>")
    assert (chinese.text, chinese.language) == ("本店周一休息。", "zh")
    assert taken(f"<ul>{MENU}</ul>").text == ""
    assert taken("").text == ""
    assert taken("<p hidden>x</p><script>y</script><!-- z -->").text == ""


def test_long_pages_give_their_main_part() -> None:
    paragraphs = "".join(
        f"<p>Paragraph {n} tells of cats, of dogs, and of what they do all day long.</p>" for n in range(12)
    )
    head = '<title>Cats</title><meta property="article:published_time" content="2021-03-04">'
    page = taken(f"<head>{head}</head><ul>{MENU}</ul><article><h1>Cats</h1>{paragraphs}</article>")
    assert page.way == "main"
    assert page.text.count("Paragraph") == 12
    assert "Menu" not in page.text
    assert (page.title, page.date) == ("Cats", "2021-03-04")


def test_licences_and_links() -> None:
    by = "https://creativecommons.org/licenses/by/4.0/"
    for html in (
        f'<a rel="license" href="{by}">x</a>',
        f'<script type="application/ld+json">{{"@graph": [{{"license": {{"@id": "{by}"}}}}]}}</script>',
        f'<meta name="dcterms.license" content="{by}">',
        f'<span itemprop="license">{by}</span>',
    ):
        assert taken(html).licence == by
    assert taken('<script type="application/ld+json">{"image": {"license": "x"}} broken</script>').licence is None
    page = taken(
        '<base href="/b/"><link rel=canonical href=/c><a href=x>1</a><a href=y rel="nofollow ugc">2</a><a href=#z>3</a>'
        '<a href=y>4</a><a rel=nofollow href=w>5</a><meta http-equiv=refresh content="0; url=/r">'
    )
    assert {link.href: link.nofollow for link in page.links} == {
        "x": False,
        "y": False,
        "w": True,
        "/r": False,
        "/c": False,
    }
    assert (page.base, page.canonical) == ("/b/", "/c")


def test_a_page_that_hangs_is_ended_in_the_process_beside() -> None:
    html = {"content-type": "text/html; charset=utf-8"}
    with GuardedExtraction(20.0) as guarded:
        body = "<p>你好，世界。</p>".encode()
        assert guarded(body, html, "http://a.org/", 9) == extract(body, html, "http://a.org/", 9)
        with pytest.raises(Problem, match="PDF"):
            guarded(b"%PDF-1.7 \xff\xfe", html, "http://a.org/", 9)
        guarded._seconds = 0.001
        with pytest.raises(Problem, match="longer than"):
            guarded(b"<div>" * 200_000, html, "http://a.org/", 9)
        assert guarded._process is None


def test_half_a_character_that_an_escape_spells_is_kept_out_of_rows() -> None:
    said = b'<script type="application/ld+json">{"license": "\\ud83d CC"}</script>'
    page = b"<html><head><title>t</title>" + said + b"</head>x</html>"
    found = Extracted.from_dict(extract(page, {"content-type": "text/html"}, "http://a.example/", 5).as_dict())
    assert found.licence is not None
    assert found.licence.encode("utf-8").endswith(b"CC")
