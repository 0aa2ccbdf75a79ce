"""Which URLs are one and the same, and which addresses may be connected to."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from supertune.data.crawl.addresses import checked_addresses, parse_permission, unfit
from supertune.data.crawl.problems import Problem
from supertune.data.crawl.scope import Scope
from supertune.data.crawl.settings import Territory
from supertune.data.crawl.urls import parse_url
from supertune.errors import UserError


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("HTTP://Example.ORG:80", "http://example.org/"),
        ("https://example.org:443/a/./b/../c/%7Ed?x=%e4#top", "https://example.org/a/c/~d?x=%E4"),
        ("http://例え.jp/猫", "http://xn--r8jz45g.jp/%E7%8C%AB"),
        ("http://example.org/?utm_source=x&b=2&gclid=1&a=1", "http://example.org/?b=2&a=1"),
        (" http:\\\\example.org\\a ", "http://example.org/a"),
        ("http://example.org./%2e%2E/a", "http://example.org/a"),
        ("http://2130706433/", "http://127.0.0.1/"),
        ("http://0177.0.0.1/", "http://127.0.0.1/"),
        ("http://0x7f.1/", "http://127.0.0.1/"),
        ("http://１２７。０。０。１/", "http://127.0.0.1/"),
        ("http://127.1/", "http://127.0.0.1/"),
        ("http://[0:0:0:0:0:0:0:1]:8080/", "http://[::1]:8080/"),
        # To a browser the back slash ends the host.
        ("http://good.org\\@evil.org/", "http://good.org/@evil.org/"),
        ("http://example.org/100%", "http://example.org/100%25"),
    ],
)
def test_urls_have_one_spelling(written: str, meant: str) -> None:
    assert parse_url(written).text == meant


def test_the_order_of_parameters_makes_no_other_page() -> None:
    assert parse_url("http://a.org/?b=2&a=1").key == parse_url("http://a.org/?a=1&b=2").key
    gbk = parse_url("?q=猫", base=parse_url("http://a.org/"), encoding="gb18030")
    assert gbk.text == "http://a.org/?q=%C3%A8"


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ("ftp://example.org/", "scheme"),
        ("javascript:alert(1)", "scheme"),
        ("file:///etc/passwd", "scheme"),
        ("http://user:pass@example.org/", "userinfo"),
        ("http://good.org@evil.org/", "userinfo"),
        ("http://example.org:99999/", "url"),
        ("http://[fe80::1%25eth0]/", "url"),
        ("http://exa mple.org/", "url"),
        ("http://256.256.256.256/", "url"),
        ("http:///a", "url"),
        ("http://example.org/" + "a" * 3000, "url"),
    ],
)
def test_urls_that_are_refused(written: str, reason: str) -> None:
    with pytest.raises(Problem) as problem:
        parse_url(written)
    assert problem.value.reason == reason


@settings(max_examples=50)
@given(st.text(max_size=80), st.sampled_from(["http://a.org/", "http://a.org/x?y=", "//", "http://", ""]))
def test_no_text_breaks_the_parser_and_its_spelling_is_final(text: str, start: str) -> None:
    try:
        url = parse_url(start + text, base=parse_url("http://base.org/dir/"))
    except Problem:
        return
    assert parse_url(url.text) == url
    assert url.text.isascii()
    assert not set(" \r\n\t#\\") & set(url.text)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.100.100.200",
        "0.0.0.0",
        "224.0.0.1",
        "255.255.255.255",
        "240.0.0.1",
        "192.0.2.1",
        "198.18.0.1",
        "168.63.129.16",
        "::1",
        "::",
        "fe80::1",
        "fd00:ec2::254",
        "ff02::1",
        "::ffff:127.0.0.1",
        "::127.0.0.1",
        "::ffff:169.254.169.254",
        "2002:7f00:1::",
        "64:ff9b::7f00:1",
        "64:ff9b:1::1",
        "fec0::1",
        "2001:db8::1",
        "100::1",
        "2001:0:0a00:0001::8000",
    ],
)
def test_addresses_that_are_not_public_are_unfit(address: str) -> None:
    assert unfit(ipaddress.ip_address(address), 80)


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "1.1.1.1", "2606:4700:4700::1111", "64:ff9b::808:808", "::ffff:8.8.8.8"]
)
def test_public_addresses_are_fit(address: str) -> None:
    assert unfit(ipaddress.ip_address(address), 80) is None


def test_permissions_are_for_addresses_and_ports() -> None:
    allowed = [parse_permission("127.0.0.1:8080"), parse_permission("10.1.0.0/16"), parse_permission("[::1]:80")]
    for address, port, fit in [
        ("127.0.0.1", 8080, True),
        ("127.0.0.1", 8081, False),
        ("::ffff:127.0.0.1", 8080, True),
        ("127.0.0.2", 8080, False),
        ("10.1.9.9", 5, True),
        ("10.2.0.1", 5, False),
        ("::1", 80, True),
    ]:
        assert (unfit(ipaddress.ip_address(address), port, allowed) is None) == fit, address
    for wrong in ("intranet.corp", "10.1.0.0/33", "127.0.0.1:0", "10.1.2.3/16", ""):
        with pytest.raises(UserError, match="no address or network"):
            parse_permission(wrong)


def test_one_unfit_answer_refuses_the_name() -> None:
    with pytest.raises(Problem, match=r"10\.0\.0\.1 is private"):
        checked_addresses("mixed.test", 80, lambda *_: ["8.8.8.8", "10.0.0.1"])
    with pytest.raises(Problem, match="one link"):
        checked_addresses("scoped.test", 80, lambda *_: ["2606:4700::1%eth0"])
    # Numbers are never looked up.
    assert checked_addresses("8.8.8.8", 80, lambda *_: ["127.0.0.1"]) == ("8.8.8.8",)


@pytest.mark.parametrize(
    ("prefix", "inside"),
    [
        ("/文档/", True),
        ("/%e6%96%87%e6%a1%a3/", True),
        ("https://a.example/文档/", True),
        ("/文", True),
        ("/书/", False),
    ],
)
def test_prefixes_are_spelled_as_addresses_are(prefix: str, inside: bool) -> None:
    scope = Scope(Territory(seeds=("https://a.example/",), include=(prefix,)))
    page = parse_url("https://a.example/文档/1.html")
    if inside:
        scope.check(page, 1)
    else:
        with pytest.raises(Problem):
            scope.check(page, 1)
