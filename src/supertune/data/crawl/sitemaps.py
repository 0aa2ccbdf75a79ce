"""Sitemaps: XML and plain text, single ones and indexes, packed or not (sitemaps.org protocol 0.9)."""

from __future__ import annotations

import io
from dataclasses import dataclass

from supertune.data.crawl.problems import Problem
from supertune.data.crawl.unpack import Unpacker

MOST = 50_000
"""URLs in one sitemap, by the protocol."""


@dataclass(frozen=True)
class Sitemap:
    """What a sitemap lists.

    Attributes:
        pages: URLs as they are written.
        sitemaps: Further sitemaps.
    """

    pages: tuple[str, ...]
    sitemaps: tuple[str, ...]


def read_sitemap(body: bytes, largest: int) -> Sitemap:
    """What is listed in a sitemap.

    Args:
        body: As it came; ``.xml.gz`` files are unpacked.
        largest: Bytes, unpacked.

    Raises:
        Problem: ``sitemap``: it is none; ``too-large`` or ``content-encoding``: it cannot be unpacked.
    """
    if body.startswith(b"\x1f\x8b"):
        unpacker = Unpacker("gzip", largest)
        unpacker.feed(body)
        body = unpacker.body()
    start = body[:1024].lstrip(b"\xef\xbb\xbf \t\r\n")
    if not start.startswith(b"<"):
        return _lines(body)
    from lxml import etree

    pages: list[str] = []
    sitemaps: list[str] = []
    # Entities and outside files stay what they are: nothing grows and nothing is fetched.
    reading = etree.iterparse(
        io.BytesIO(body),
        events=("end",),
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        for _, element in reading:
            # What has been read is dropped whatever it is, or a large file of anything would stay as a tree.
            while element.getprevious() is not None:
                del element.getparent()[0]
            if etree.QName(element).localname != "loc":
                continue
            parent = element.getparent()
            kind = etree.QName(parent).localname if parent is not None else ""
            # Pictures and videos have a loc as well.
            if kind in ("url", "sitemap") and element.text:
                (sitemaps if kind == "sitemap" else pages).append(element.text.strip())
            element.clear()
            if len(pages) + len(sitemaps) >= MOST:
                break
    except etree.XMLSyntaxError as error:
        # A sitemap that is cut off lists what it lists.
        if not pages and not sitemaps:
            raise Problem("sitemap", f"is no sitemap ({error})") from error
    return Sitemap(tuple(pages), tuple(sitemaps))


def _lines(body: bytes) -> Sitemap:
    lines = [line.strip() for line in body.decode("utf-8-sig", "replace").splitlines()]
    pages = [line for line in lines if line.lower().startswith(("http://", "https://"))]
    if not pages and any(lines):
        raise Problem("sitemap", "is no sitemap: neither XML nor lines of URLs")
    return Sitemap(tuple(pages[:MOST]), ())
