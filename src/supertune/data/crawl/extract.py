"""What is in a page: its text, where it links to, and what it says of itself."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from supertune.data.crawl.decoding import decode
from supertune.data.crawl.directives import directives
from supertune.data.crawl.licence import licence_of
from supertune.data.crawl.problems import Problem
from supertune.data.crawl.visible import visible_text
from supertune.language import fold, language_of, units

if TYPE_CHECKING:
    from lxml.html import HtmlElement

SHORT = 60
"""Units (words, Chinese characters) of visible text up to which a page is short: finders of main texts are made for
articles, and return nothing or the menu for less."""
_MOSTLY = 0.5
_TITLE = 500
_REFRESH = re.compile(r"^\s*\d+(?:\.\d+)?\s*[;,]\s*(?:url\s*=\s*)?[\"']?\s*([^\"'>\s]+)", re.I)
_LINKS = {"a": "href", "area": "href", "frame": "src", "iframe": "src"}
_NOT_FOLLOWED = frozenset({"nofollow", "ugc", "sponsored"})
_XML_PROLOG = re.compile(r"^\s*<\?xml[^>]*\?>")


@dataclass(frozen=True)
class Link:
    """A link as it is written.

    Attributes:
        href: Absolute or relative.
        nofollow: The page asks not to follow it.
    """

    href: str
    nofollow: bool


@dataclass(frozen=True)
class Extracted:
    """What was found.

    Attributes:
        text: The main text; empty if there is none.
        way: ``main``: found by trafilatura; ``visible``: all but menus, for short pages; ``plain``: plain text.
        title: None if there is none.
        date: ISO date of publication; None if the page tells none.
        language: ISO 639-1 code by the text.
        licence: See `licence_of`.
        canonical: URL that the page names as its own, as it is written.
        encoding: What it was read as.
        damaged: Places that could not be read.
        noindex: The page asks not to be kept.
        reserved: The page asks not to be learned from; how.
        base: URL that links are relative to, as it is written; None for the page's own.
        links: In order, without repeats.
        more_links: Links beyond the limit, which were not taken.
    """

    text: str
    way: str
    title: str | None
    date: str | None
    language: str
    licence: str | None
    canonical: str | None
    encoding: str
    damaged: int
    noindex: bool
    reserved: str | None
    base: str | None
    links: tuple[Link, ...]
    more_links: int

    def as_dict(self) -> dict[str, Any]:
        """As JSON takes it."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Extracted:
        """What `as_dict` wrote; halves of surrogate pairs, which escapes in a page can spell, become question marks."""
        said: dict[str, Any] = {
            name: _storable(value) if isinstance(value, str) else value for name, value in values.items()
        }
        links = tuple(Link(_storable(link["href"]), link["nofollow"]) for link in values["links"])
        return cls(**(said | {"links": links}))


def _storable(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8")


def extract(body: bytes, headers: dict[str, str], url: str, most_links: int) -> Extracted:
    """What is in a page.

    Args:
        body: As it came, unpacked.
        headers: Of the answer, names in lower case.
        url: Where it was.
        most_links: Links that are taken.

    Raises:
        Problem: ``content-type``: it is not text; ``extraction``: its structure cannot be read.
        MissingExtraError: The extra ``web`` is not installed.
    """
    content_type = headers.get("content-type", "")
    decoded = decode(body, content_type)
    asked = headers.get("x-robots-tag", ""), headers.get("tdm-reservation", "")
    if content_type.partition(";")[0].strip().lower() == "text/plain":
        said = directives(*asked, ())
        text = "\n".join(line.rstrip() for line in decoded.text.splitlines()).strip()
        return Extracted(
            text=text,
            way="plain",
            title=None,
            date=None,
            language=language_of(text),
            licence=None,
            canonical=None,
            encoding=decoded.encoding,
            damaged=decoded.damaged,
            noindex=said.noindex,
            reserved=said.reserved,
            base=None,
            links=(),
            more_links=0,
        )
    source = _XML_PROLOG.sub("", decoded.text)
    tree = _tree(source)
    if tree is None:
        text, way, title, date = "", "visible", None, None
        said = directives(*asked, ())
        links: dict[str, bool] = {}
    else:
        said = directives(*asked, _metas(tree))
        links = _links(tree, all_nofollow=said.nofollow)
        text, way, title, date = _main(source, tree, url)
    return Extracted(
        text=text,
        way=way,
        title=title,
        date=date,
        language=language_of(text),
        licence=None if tree is None else licence_of(tree),
        canonical=None if tree is None else _canonical(tree),
        encoding=decoded.encoding,
        damaged=decoded.damaged,
        noindex=said.noindex,
        reserved=said.reserved,
        base=None if tree is None else next((base.get("href") for base in tree.iter("base") if base.get("href")), None),
        links=tuple(Link(href, nofollow) for href, nofollow in list(links.items())[:most_links]),
        more_links=max(0, len(links) - most_links),
    )


def _tree(source: str) -> HtmlElement | None:
    from lxml import etree, html

    if not source.strip():
        return None
    # As bytes: what the page says of its encoding was settled before.
    parser = html.HTMLParser(encoding="utf-8", no_network=True, huge_tree=False)
    try:
        return html.document_fromstring(source.encode("utf-8"), parser=parser)
    except (etree.ParserError, etree.XMLSyntaxError) as error:
        if "empty" in str(error).lower():
            return None
        raise Problem("extraction", f"its structure cannot be read ({error})") from error


def _main(source: str, tree: HtmlElement, url: str) -> tuple[str, str, str | None, str | None]:
    """Text, the way it was found, title and date.

    The rule for short pages: where everything visible but menus has no more than `SHORT` units, that is the text.
    Of longer pages trafilatura finds the main part (Barbaresi 2021); where it finds nothing, or what it found is mostly
    links, the visible text is taken as well.
    """
    from trafilatura import bare_extraction

    # Not the extensive search for dates: it takes the year of a copyright notice for one.
    dates = {"extensive_search": False, "original_date": True}
    found = bare_extraction(source, url=url, include_comments=False, with_metadata=True, date_extraction_params=dates)
    title = fold(str(getattr(found, "title", None) or "")) or _title(tree)
    date = getattr(found, "date", None)
    visible = visible_text(tree)
    main = str(getattr(found, "text", None) or "").strip()
    if main and len(units(visible)) > SHORT and _share_of_links(main, tree) <= _MOSTLY:
        return main, "main", title, date
    return visible, "visible", title, date


def _share_of_links(text: str, tree: HtmlElement) -> float:
    """Part of a text's characters in lines that are the text of a link and nothing else, 0 to 1."""
    linked = {fold(link.text_content()) for link in tree.iter("a")}
    lines = [fold(line).removeprefix("- ") for line in text.splitlines()]
    return sum(len(line) for line in lines if line in linked) / max(1, sum(map(len, lines)))


def _title(tree: HtmlElement) -> str | None:
    for element in tree.iter("title", "h1"):
        if text := fold(element.text_content()):
            return text[:_TITLE]
    return None


def _metas(tree: HtmlElement) -> list[tuple[str, str]]:
    return [((meta.get("name") or "").strip().lower(), meta.get("content") or "") for meta in tree.iter("meta")]


def _links(tree: HtmlElement, *, all_nofollow: bool) -> dict[str, bool]:
    """Link → whether it is not to be followed; one that may be followed somewhere may be followed."""
    found: dict[str, bool] = {}
    for element in tree.iter(*_LINKS):
        href = (element.get(_LINKS[element.tag]) or "").strip()
        if not href or href.startswith("#"):
            continue
        nofollow = all_nofollow or not _NOT_FOLLOWED.isdisjoint((element.get("rel") or "").lower().split())
        found[href] = nofollow and found.get(href, True)
    for meta in tree.iter("meta"):
        if (meta.get("http-equiv") or "").lower() == "refresh" and (to := _REFRESH.match(meta.get("content") or "")):
            found.setdefault(to.group(1), all_nofollow)
    if canonical := _canonical(tree):
        found.setdefault(canonical, all_nofollow)
    return found


def _canonical(tree: HtmlElement) -> str | None:
    for link in tree.iter("link"):
        if "canonical" in (link.get("rel") or "").lower().split() and (link.get("href") or "").strip():
            return str(link.get("href")).strip()
    return None
