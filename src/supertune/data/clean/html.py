"""Takes HTML out of texts."""

from __future__ import annotations

import html
import re
from typing import ClassVar

from supertune.data.clean.operator import TextEdit

_BLOCKS = [
    "address",
    "article",
    "aside",
    "blockquote",
    "br",
    "center",
    "dd",
    "div",
    "dl",
    "dt",
    "fieldset",
    "figcaption",
    "figure",
    "footer",
    "form",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "header",
    "hr",
    "li",
    "main",
    "nav",
    "ol",
    "p",
    "pre",
    "section",
    "table",
    "tbody",
    "td",
    "tfoot",
    "th",
    "thead",
    "title",
    "tr",
    "ul",
]
_INLINE = [
    "a",
    "abbr",
    "acronym",
    "b",
    "bdi",
    "bdo",
    "big",
    "body",
    "button",
    "caption",
    "cite",
    "code",
    "col",
    "colgroup",
    "data",
    "del",
    "dfn",
    "em",
    "embed",
    "font",
    "frame",
    "head",
    "html",
    "i",
    "iframe",
    "img",
    "input",
    "ins",
    "kbd",
    "label",
    "legend",
    "link",
    "map",
    "mark",
    "meta",
    "noscript",
    "object",
    "option",
    "param",
    "picture",
    "q",
    "rp",
    "rt",
    "ruby",
    "s",
    "samp",
    "select",
    "small",
    "source",
    "span",
    "strike",
    "strong",
    "sub",
    "sup",
    "svg",
    "textarea",
    "time",
    "track",
    "tt",
    "u",
    "var",
    "video",
    "audio",
    "wbr",
]
# Attributes are name="value"; a comparison (a < b and c > d) has none, so it stays.
_ATTRIBUTES = r"""(?:\s+[\w:.@-]+(?:\s*=\s*(?:"[^"<>]*"|'[^'<>]*'|[^\s"'<>]+))?)*"""
_HIDDEN = re.compile(
    r"<(script|style)\b[^<>]*>.*?</\1\s*>|<!--.*?-->|<!doctype\b[^<>]*>|<\?xml\b[^<>]*\?>", re.I | re.S
)
_BLOCK_TAG = rf"</?(?:{'|'.join(_BLOCKS)}){_ATTRIBUTES}\s*/?>"
_BLOCK = re.compile(rf"\s*{_BLOCK_TAG}(?:\s*{_BLOCK_TAG})*\s*", re.I)
_TAG = re.compile(rf"</?(?:{'|'.join(_INLINE)}){_ATTRIBUTES}\s*/?>", re.I)
_ENTITY = re.compile(r"&(?:#\d{1,7}|#x[0-9a-f]{1,6}|[a-z][a-z0-9]{1,30});", re.I)
_MANY_LINES = re.compile(r"\n{3,}")


class Html(TextEdit):
    """HTML as a reader of the page sees it: no tags, no scripts, entities as their characters.

    Only elements that HTML knows count as tags, and only entities with their semicolon: ``a < b``, ``<unk>``,
    ``<3`` and ``AT&T`` stay. Where a block ends a new line begins. For whole pages use a source that finds the main
    text; this is for snippets.
    """

    name: ClassVar[str] = "html"

    def edit(self, text: str) -> str:
        """See `TextEdit`."""
        # Text that was escaped twice takes two rounds; each one makes it shorter.
        while (cleaned := self._once(text)) != text:
            text = cleaned
        return text

    def _once(self, text: str) -> str:
        if "<" in text:
            before = text
            text = _TAG.sub("", _BLOCK.sub("\n", _HIDDEN.sub("", text)))
            if text != before:
                text = _MANY_LINES.sub("\n\n", text).strip()
        return _ENTITY.sub(_character, text) if "&" in text else text


def _character(entity: re.Match[str]) -> str:
    character = html.unescape(entity.group())
    # What stands for no character, half of a surrogate pair for one, stays as it was written.
    return entity.group() if "\ufffd" in character else character
