"""Pages become what they say: in their encoding, without what is around the text, and whatever they look like."""

from __future__ import annotations

import codecs
import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from supertune.data.html_text import html_text
from supertune.errors import UserError

_PARAGRAPHS = [
    f"Paragraph {n} tells of parcels that never arrive and of the people who wait for them." for n in range(8)
]
_ARTICLE = (
    "<html><head><title>On parcels</title><style>p {color: red}</style></head><body>"
    "<ul><li><a href=/>Home</a></li><li><a href=/news>News</a></li></ul>"
    f"<article><h1>On parcels</h1><p>{'</p><p>'.join(_PARAGRAPHS)}</p></article>"
    "<footer>Copyright, all rights reserved</footer><script>track()</script></body></html>"
)


def test_the_main_text_of_an_article() -> None:
    page = html_text(_ARTICLE.encode(), "page")
    assert page.title == "On parcels"
    assert page.text.split("\n") == _PARAGRAPHS


def test_all_of_a_short_page_but_its_menus() -> None:
    body = "<nav>Home News</nav><div role=search>Find</div><h1>Closed</h1><p>We are <b>closed</b> on\nSunday.</p>Bye"
    page = html_text(f"<title>Closed</title>{body}<footer>Copyright</footer>".encode(), "page")
    assert page.text == "We are closed on Sunday.\nBye"
    assert page.title == "Closed"


@pytest.mark.parametrize(
    ("page", "encoding"),
    [
        ("<meta charset=gb2312><p>朱镕基说：你好，世界".encode("gb18030"), "gb18030"),
        (
            '<meta http-equiv="Content-Type" content="text/html; charset=GBK"><p>朱镕基说：你好，世界'.encode("gbk"),
            "gb18030",
        ),
        ("<?xml version='1.0' encoding='Big5'?><p>朱鎔基說：你好，世界".encode("big5hkscs"), "big5hkscs"),
        ("<meta charset=gb2312><p>朱镕基说：你好，世界".encode(), "utf-8"),
        (codecs.BOM_UTF8 + "<meta charset=gbk><p>朱镕基说：你好，世界".encode(), "utf-8"),
        (codecs.BOM_UTF16_LE + "<p>朱镕基说：你好，世界".encode("utf-16-le"), "utf-16-le"),
        ("<p>朱镕基说：你好，世界，这里没有声明编码，也能读出来".encode("gb18030"), "gb18030"),
    ],
)
def test_encodings(page: bytes, encoding: str) -> None:
    found = html_text(page, "page")
    assert found.encoding == encoding
    assert found.text.replace("鎔", "镕").replace("說", "说").startswith("朱镕基说：你好，世界")


@given(st.binary(max_size=200))
@settings(max_examples=60)
def test_any_bytes_are_a_page_or_refused(page: bytes) -> None:
    with contextlib.suppress(UserError):
        html_text(b"<p>" + page, "page").text.encode()


def test_deep_and_empty_pages() -> None:
    assert html_text(b"<div>" * 3000 + b"x", "page").text in ("", "x")
    for empty in (b"", b" ", b"<!-- nothing -->", b"<html></html>"):
        assert html_text(empty, "page").text == ""
