"""What a reader sees of a page besides its menus: the text of pages that are too short for finding their main part."""

from __future__ import annotations

import copy
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lxml.html import HtmlElement

_BLOCKS = frozenset(
    [
        "address",
        "article",
        "aside",
        "blockquote",
        "br",
        "caption",
        "dd",
        "details",
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
        "ol",
        "p",
        "pre",
        "section",
        "summary",
        "table",
        "tbody",
        "td",
        "tfoot",
        "th",
        "thead",
        "tr",
        "ul",
        "body",
    ]
)
_NEVER = (
    *("script", "style", "noscript", "template", "head", "title", "svg", "math", "canvas", "iframe", "object", "embed"),
    *("audio", "video", "nav", "footer", "aside", "form", "button", "select", "option", "textarea", "input", "dialog"),
    "menu",
)
_MENU_ROLES = frozenset({"navigation", "banner", "contentinfo", "search", "complementary", "menu", "menubar", "dialog"})
_MENU_NAMES = re.compile(
    r"(^|[\s_-])(nav(bar|igation)?|menu|breadcrumbs?|sidebar|footer|cookies?|consent|banner|share|social|pager"
    r"|pagination|copyright)([\s_-]|$)",
    re.I,
)
_HIDDEN = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.I)
_SPACE = re.compile(r"\s+")


def visible_text(tree: HtmlElement) -> str:
    """The text of a page as lines, one per block, without menus, forms, footers and blocks that are mostly links.

    The part named main or article is taken if there is one; a heading of the page counts, a header with nothing but
    links does not.
    """
    tree = copy.deepcopy(tree)
    for element in list(tree.iter()):
        if element.getparent() is not None and _is_left_out(element):
            element.drop_tree()
    parts = tree.xpath("//main | //*[@role='main']") or tree.xpath("//article") or tree.xpath("//body") or [tree]
    outer = [part for part in parts if not any(above in parts for above in part.iterancestors())]
    return "\n".join(text for part in outer for text in _lines(part))


def _is_left_out(element: HtmlElement) -> bool:
    if not isinstance(element.tag, str) or element.tag in _NEVER:
        return True
    if element.tag in ("html", "body", "main", "article"):
        return False
    if element.get("hidden") is not None or element.get("aria-hidden") == "true":
        return True
    if _HIDDEN.search(element.get("style") or "") or (element.get("role") or "").lower() in _MENU_ROLES:
        return True
    return bool(_MENU_NAMES.search(f"{element.get('class') or ''} {element.get('id') or ''}"))


def _lines(part: HtmlElement) -> list[str]:
    """Runs of text between block elements; a run of which more than half stands in links is a menu."""
    lines: list[str] = []
    run: list[tuple[str, bool]] = []

    def end() -> None:
        text = _SPACE.sub(" ", "".join(piece for piece, _ in run)).strip()
        linked = sum(len(_SPACE.sub("", piece)) for piece, inside in run if inside)
        if text and 2 * linked <= len(_SPACE.sub("", text)):
            lines.append(text)
        run.clear()

    # A stack instead of recursion: pages are nested as deep as their makers please.
    stack: list[tuple[HtmlElement, bool, bool]] = [(part, False, False)]
    while stack:
        element, linked, left = stack.pop()
        block = element.tag in _BLOCKS
        if left:
            if block:
                end()
            if element is not part and element.tail:
                run.append((element.tail, linked))
            continue
        if block:
            end()
        inside = linked or element.tag == "a"
        if element.text:
            run.append((element.text, inside))
        stack.append((element, linked, True))
        stack.extend((child, inside, False) for child in reversed(element))
    end()
    return lines
