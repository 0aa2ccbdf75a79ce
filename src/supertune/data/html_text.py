"""The main text of a web page that is there as bytes: decoded as browsers do, without menus, scripts and footers.

The main part is found by trafilatura (Barbaresi 2021, "Trafilatura: A Web Scraping Library and Command-Line Tool for
Text Discovery and Extraction", ACL). Finders of main texts are made for articles: of a page of a sentence or two they
return nothing or the menu, so of short pages all visible text is taken but for what the page itself marks as menus.
"""

from __future__ import annotations

import codecs
import io
import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from supertune.data.sources.encoding import detect
from supertune.errors import MissingExtraError, UserError
from supertune.language import fold, units

SHORT = 60
"""Units (words, Chinese characters) of visible text up to which a page is short."""
_PRESCAN = 2048
"""Bytes in which a page names its encoding; WHATWG asks for 1,024, and real pages do it later now and then."""
_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_CHARSET = re.compile(rb"(?:<meta[^>]{0,400}?charset|<\?xml[^>]{0,200}?encoding)\s*=\s*[\"']?\s*([\w.:-]{2,40})", re.I)
# Browsers read these names as their larger relatives (WHATWG Encoding Standard, "Names and labels").
_RELATIVES = {
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "ascii": "cp1252",
    "iso8859-1": "cp1252",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
    "big5": "big5hkscs",
}
_OF_PAGES = re.compile(
    r"utf-\d+.*|gb18030|gbk|gb2312|big5.*|hz|cp\d+|ascii|iso8859-\d+|koi8-[rtu]|shift_jis\w*|euc_\w+"
)
_PROLOG = re.compile(r"^\s*<\?xml[^>]*\?>")
# What no text holds, and what parsers of XML choke on.
_NO_TEXT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")
_NOT_ASCII = re.compile(r"[^\x00-\x7f]")
_MANY = 8
"""Characters beyond ASCII that are hardly ever valid UTF-8 by chance in a text of another encoding."""
_UNSEEN = frozenset({"script", "style", "template", "noscript", "head", "svg", "iframe", "select", "button"})
_ASIDE = frozenset({"nav", "footer", "aside", "menu"})
_ASIDE_ROLES = frozenset({"navigation", "banner", "contentinfo", "search", "menu"})
_INLINE = frozenset(
    {
        *("a", "abbr", "b", "bdi", "bdo", "big", "cite", "code", "data", "del", "dfn", "em", "font", "i", "img", "ins"),
        *("kbd", "label", "mark", "q", "rp", "rt", "ruby", "s", "samp", "small", "span", "strike", "strong", "sub"),
        *("sup", "time", "tt", "u", "var", "wbr"),
    }
)


@dataclass(frozen=True)
class PageText:
    """What a page says.

    Attributes:
        text: The main text, a paragraph a line; empty if there is none.
        title: None if there is none.
        encoding: Python's name of what the page was read as.
    """

    text: str
    title: str | None
    encoding: str


def html_text(page: bytes, name: str) -> PageText:
    """The main text and the title of a page.

    A headline that repeats the title stands in the title alone.

    Args:
        page: As it came.
        name: What it is called in messages.

    Raises:
        MissingExtraError: trafilatura is not installed.
        UserError: It is not text, or holds bytes that its encoding does not know.
    """
    try:
        from trafilatura import bare_extraction
    except ImportError as error:
        raise MissingExtraError("trafilatura", "web", purpose="reading HTML pages") from error
    # What it has to say of pages without a text; here that is told with the others.
    logging.getLogger("trafilatura").addHandler(logging.NullHandler())
    source, encoding = decoded(page, name)
    tree = _tree(source)
    if tree is None:
        return PageText("", None, encoding)
    found = bare_extraction(source, include_comments=False, with_metadata=True)
    title = fold(str(getattr(found, "title", None) or "")) or _title(tree)
    visible = _visible(tree)
    main = str(getattr(found, "text", None) or "").strip()
    text = main if main and len(units(visible)) > SHORT else visible
    first, _, rest = text.partition("\n")
    if title is not None and rest and fold(first) == title:
        text = rest.strip()
    return PageText(text, title, encoding)


def decoded(page: bytes, name: str) -> tuple[str, str]:
    """A page as text, and Python's name of its encoding: by its mark, by what it says of itself, or by how it reads.

    Raises:
        UserError: It is not text, or holds bytes that its encoding does not know.
    """
    for mark, codec in _MARKS:
        if page.startswith(mark):
            return _read(page[len(mark) :], codec, name), codec
    declared = next(filter(None, map(_codec, _CHARSET.findall(page[:_PRESCAN]))), None)
    utf8 = _strict(page, "utf-8")
    # Valid UTF-8 beyond chance is that whatever is declared; browsers believe the declaration and show nonsense.
    if utf8 is not None and (declared in (None, "utf-8") or len(_NOT_ASCII.findall(utf8)) >= _MANY):
        return utf8, "utf-8"
    if declared is not None and (text := _strict(page, declared)) is not None:
        return text, declared
    if utf8 is not None:
        return utf8, "utf-8"
    codec = detect(lambda: io.BytesIO(page), name).codec
    return _read(page, codec, name), codec


def _codec(written: bytes) -> str | None:
    try:
        codec = codecs.lookup(written.decode("ascii")).name
    except (LookupError, ValueError):
        return None
    # Python has codecs that no page is in; and what was read in ASCII to find this name is not in UTF-16.
    if not _OF_PAGES.fullmatch(codec):
        return None
    return "utf-8" if codec.startswith(("utf-16", "utf-32")) else _RELATIVES.get(codec, codec)


def _strict(page: bytes, codec: str) -> str | None:
    """The page as text; None if it is not in this encoding."""
    try:
        return _NO_TEXT.sub("", page.decode(codec)).removeprefix("\ufeff")
    except UnicodeError:
        return None


def _read(page: bytes, codec: str, name: str) -> str:
    text = _strict(page, codec)
    if text is None:
        raise UserError("holds bytes that its encoding does not know", where=name)
    return text


def _tree(source: str) -> Any:
    """The page as lxml's tree; None where there is nothing."""
    from lxml import etree, html

    source = _PROLOG.sub("", source)
    if not source.strip():
        return None
    # As bytes, so that what the page says of its encoding is not heeded twice.
    parser = html.HTMLParser(encoding="utf-8", no_network=True)
    try:
        return html.document_fromstring(source.encode("utf-8"), parser=parser)
    except etree.ParserError:
        return None


def _title(tree: Any) -> str | None:
    for element in tree.iter("title", "h1"):
        if text := fold(element.text_content()):
            return text
    return None


def _visible(tree: Any) -> str:
    """What a reader sees of a page but for menus and footers, a block a line."""
    lines = "".join(_pieces(tree)).split("\n")
    return "\n".join(line for line in (" ".join(line.split()) for line in lines) if line)


def _pieces(root: Any) -> Iterator[str]:
    """The texts in the order of the page, and a line feed around blocks. Without recursion: pages can be deep."""
    stack: list[Any] = [root]
    while stack:
        element = stack.pop()
        if isinstance(element, str):
            yield element
            continue
        stack.append("" if element is root else _one_line(element.tail))
        if not isinstance(element.tag, str) or _left_out(element):
            continue
        around = "" if element.tag in _INLINE else "\n"
        yield around + _one_line(element.text)
        stack.append(around)
        stack.extend(reversed(list(element)))


def _left_out(element: Any) -> bool:
    hidden = element.get("hidden") is not None or element.get("aria-hidden") == "true"
    return hidden or element.tag in _UNSEEN | _ASIDE or element.get("role") in _ASIDE_ROLES


def _one_line(text: str | None) -> str:
    return " ".join(text.split("\n")) if text else ""
