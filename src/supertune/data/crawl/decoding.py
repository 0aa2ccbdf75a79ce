"""What encoding a page is in: by its mark, its header, its meta element, or by what reads well; damage is counted."""

from __future__ import annotations

import codecs
import io
import re
from dataclasses import dataclass

from supertune.data.crawl.problems import Problem
from supertune.data.sources.encoding import detect
from supertune.errors import UserError

_PRESCAN = 2048
"""Bytes in which a page has to name its encoding (WHATWG: 1,024; real pages are later now and then)."""
_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_META = re.compile(rb"<meta[^>]{0,400}?charset\s*=\s*[\"']?\s*([\w.:-]{2,40})", re.I)
_PROLOG = re.compile(rb"^\s*<\?xml[^>]{0,200}?encoding\s*=\s*[\"']([\w.:-]{2,40})", re.I)
_CHARSET = re.compile(r"charset\s*=\s*[\"']?\s*([\w.:-]{2,40})", re.I)
# Browsers read these names as their larger relatives (WHATWG Encoding, "names and labels"); pages count on it.
_RELATIVES = {
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "ascii": "cp1252",
    "iso8859-1": "cp1252",
    "iso8859-9": "cp1254",
    "iso8859-11": "cp874",
    "tis-620": "cp874",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
    "big5": "big5hkscs",
}
# Names that the web knows and Python does not.
_ALIASES = {
    "x-gbk": "gb18030",
    "gb_2312-80": "gb18030",
    "euc-cn": "gb18030",
    "x-sjis": "cp932",
    "x-x-big5": "big5hkscs",
}
_OF_PAGES = re.compile(
    r"utf-(8|16|16-le|16-be|32)|gb18030|gbk|gb2312|big5(hkscs)?|hz|cp\d+|ascii|iso8859-\d+|koi8-[rtu]|mac-\w+|tis-620"
    r"|shift_jis\w*|euc_\w+|iso2022_\w+|johab"
)
_SINGLE_BYTES = re.compile(r"cp125\d|cp874|iso8859-\d+|koi8-[ru]|mac-\w+")
_NOT_ASCII = re.compile(r"[^\x00-\x7f]")
_MANY = 8
"""Characters beyond ASCII that are valid UTF-8 by chance in one text of another encoding in a million, or fewer."""
# What no text holds, and what parsers of XML choke on.
_NO_TEXT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")


@dataclass(frozen=True)
class Decoded:
    """A page as text.

    Attributes:
        text: Without control characters.
        encoding: Python's name of what it was read as.
        damaged: Places that could not be read, each now U+FFFD.
    """

    text: str
    encoding: str
    damaged: int


def decode(body: bytes, content_type: str) -> Decoded:
    """A page as text.

    The mark at its beginning decides, then the header, then what the page says of itself, as in browsers. A page that
    is valid UTF-8 beyond doubt is that, whatever it says; one that cannot be read as what it says is read as
    what it looks like.

    Args:
        body: The bytes.
        content_type: The Content-Type header.

    Raises:
        Problem: ``content-type``: it is not text.
    """
    for mark, marked in _MARKS:
        if body.startswith(mark):
            return _read(body[len(mark) :], marked)
    codec = _named(_CHARSET.findall(content_type)) or _named(_in_page(body), in_page=True)
    utf8 = _strict(body, "utf-8")
    if utf8 is not None and (codec is None or _surely(utf8, codec)):
        return _tidy(utf8, "utf-8", 0)
    if codec and (text := _strict(body, codec)) is not None:
        return _tidy(text, codec, 0)
    if utf8 is not None:
        return _tidy(utf8, "utf-8", 0)
    if codec:
        # Of Chinese reviews in GB18030 that are read as UTF-8, 76 % are damaged; other encodings notice less.
        declared = _read(body, codec)
        if declared.damaged * (2 if codec == "utf-8" else 10) <= len(_NOT_ASCII.findall(declared.text)):
            return declared
    try:
        found = detect(lambda: io.BytesIO(body), "page")
    except UserError as error:
        raise Problem("content-type", error.what) from error
    return _read(body, found.codec)


def _in_page(body: bytes) -> list[str]:
    start = body[:_PRESCAN]
    return [name.decode("ascii") for name in (*_PROLOG.findall(start), *_META.findall(start))]


def _named(names: list[str], *, in_page: bool = False) -> str | None:
    """The codec of the first name that is known."""
    for name in names:
        name = name.lower()
        try:
            codec = _ALIASES.get(name) or codecs.lookup(name).name
        except (LookupError, ValueError):
            continue
        # Python has codecs that no page is in: of escapes, host names, archives.
        if not _OF_PAGES.fullmatch(codec):
            continue
        codec = _RELATIVES.get(codec, codec)
        # Who reads this name in ASCII is not in UTF-16.
        return "utf-8" if in_page and codec.startswith(("utf-16", "utf-32")) else codec
    return None


def _surely(text: str, declared: str) -> bool:
    """Whether text that is valid UTF-8 is UTF-8 although something else is declared."""
    beyond = len(_NOT_ASCII.findall(text))
    return declared == "utf-8" or beyond >= _MANY or (beyond > 0 and _SINGLE_BYTES.fullmatch(declared) is not None)


def _strict(body: bytes, codec: str) -> str | None:
    try:
        return body.decode(codec)
    except (UnicodeDecodeError, UnicodeError):
        return None


def _read(body: bytes, codec: str) -> Decoded:
    text = body.decode(codec, "replace")
    return _tidy(text, codec, text.count("\ufffd"))


def _tidy(text: str, codec: str, damaged: int) -> Decoded:
    return Decoded(_NO_TEXT.sub("", text).removeprefix("\ufeff"), codec, damaged)
