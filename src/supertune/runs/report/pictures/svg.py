"""SVG elements as a tree, so that escaping is the serialiser's work and never ours."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from xml.etree.ElementTree import Element, tostring

from markupsafe import Markup

from supertune.language import display_width, shorten
from supertune.runs.report.text import clean

COLUMN = 6.8
"""Width of one terminal column at the pictures' text size, in units of the picture (a little generous)."""

SMALLEST, LARGEST = 0.8, 1.3
"""How far a picture may be scaled from its natural size."""

_TOOLTIP = 300
_DESCRIPTION = 3000
# No label shows more; measuring a million characters to find that out takes a second.
_LABEL = 500


def number(value: float) -> str:
    """A coordinate with at most two decimals."""
    shown = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if shown == "-0" else shown


def element(tag: str, *children: Element, text: str | None = None, **attributes: str | float) -> Element:
    """One element. Attribute names: ``stroke_width`` is ``stroke-width``, ``class_`` is ``class``."""
    made = Element(tag)
    for name, value in attributes.items():
        key = name.rstrip("_").replace("_", "-")
        made.set(key, clean(value) if isinstance(value, str) else number(value))
    if text is not None:
        made.text = clean(text)
    made.extend(children)
    return made


def tooltip(text: str) -> Element:
    """What a browser shows when the pointer rests on the parent."""
    return element("title", text=_clipped(text, _TOOLTIP))


def _clipped(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[:limit] + "…"


def width_of(text: str) -> float:
    """Estimated width of a label, in units of the picture."""
    return display_width(text[:_LABEL]) * COLUMN


def label(
    text: str,
    x: float,
    y: float,
    *,
    room: float,
    anchor: str = "start",
    class_: str = "label",
    transform: str = "",
) -> Element:
    """A label shortened to ``room``; the whole text is its tooltip then."""
    shown = shorten(clean(text[:_LABEL]), max(2, int(room / COLUMN)))
    made = element("text", x=x, y=y, class_=class_, text_anchor=anchor)
    if transform:
        made.set("transform", transform)
    made.text = shown
    if shown.endswith("…") and not text.endswith("…"):
        made.append(tooltip(text))
    return made


def path(points: Iterable[tuple[float, float]], *, close: bool = False) -> str:
    """Path data through the points."""
    steps = (f"{'M' if first else 'L'}{number(x)} {number(y)}" for first, (x, y) in _marked(points))
    return "".join(steps) + ("Z" if close else "")


def _marked(points: Iterable[tuple[float, float]]) -> Iterable[tuple[bool, tuple[float, float]]]:
    return zip(itertools.chain([True], itertools.repeat(False)), points, strict=False)


def picture(width: float, height: float, title: str, description: str, children: Sequence[Element]) -> Markup:
    """A whole SVG, named and described for those who cannot see it."""
    root = element(
        "svg",
        tooltip(title),
        element("desc", text=_clipped(description, _DESCRIPTION)),
        *children,
        viewBox=f"0 0 {number(width)} {number(height)}",
        width=width,
        height=height,
        role="img",
    )
    # As wide as its place, but not so narrow that its text cannot be read: then its box scrolls.
    root.set("style", f"max-width:{number(LARGEST * width)}px;min-width:{number(SMALLEST * width)}px")
    # The serialiser escaped every text and attribute.
    return Markup(tostring(root, encoding="unicode"))
