"""Under which licence a page says that it stands."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lxml.html import HtmlElement

_METAS = frozenset(
    {"license", "licence", "dc.license", "dcterms.license", "dc.rights.license", "dcterms.rights.license"}
)
_LARGEST = 1024**2
_LONGEST = 500


def licence_of(tree: HtmlElement) -> str | None:
    """The first of: ``rel=license``, ``itemprop=license``, schema.org's ``license`` in JSON-LD, a meta element.

    Usually the address of a licence; None where the page names none, which does not mean that it may be used.
    """
    found = (*_linked(tree), *_in_json(tree), *_in_metas(tree))
    return next((text[:_LONGEST] for one in found if (text := " ".join(one.split()))), None)


def _linked(tree: HtmlElement) -> Iterator[str]:
    for element in tree.iter("a", "link", "area"):
        if "license" in (element.get("rel") or "").lower().split():
            yield element.get("href") or element.text_content()
    for element in tree.xpath("//*[@itemprop='license']"):
        yield element.get("href") or element.get("content") or element.text_content()


def _in_json(tree: HtmlElement) -> Iterator[str]:
    for element in tree.xpath("//script[@type='application/ld+json']"):
        content = element.text or ""
        if "license" not in content or len(content) > _LARGEST:
            continue
        try:
            yield from _licences(json.loads(content))
        except (ValueError, RecursionError):
            continue


def _licences(value: Any) -> Iterator[str]:
    if isinstance(value, list):
        for item in value:
            yield from _licences(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            if key == "license":
                yield from _names(item)
            # What a picture or a comment inside is licensed under says nothing of the page.
            elif key in ("@graph", "mainEntity", "mainEntityOfPage"):
                yield from _licences(item)


def _names(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _names(item)
    elif isinstance(value, dict):
        yield from (name for key in ("@id", "url", "name") if isinstance(name := value.get(key), str))


def _in_metas(tree: HtmlElement) -> Iterator[str]:
    for element in tree.iter("meta"):
        if (element.get("name") or element.get("property") or "").lower() in _METAS:
            yield element.get("content") or ""
