"""Rows as a model sees them, as one HTML file: what carries loss in colour, with each token's facts at hand."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from markupsafe import Markup, escape

from supertune.contracts import InspectedRow, InspectedTotals, Piece
from supertune.runs.report.inspection_words import INSPECTION_WORDS, InspectionWords
from supertune.runs.report.page import LONGEST_TEXT, page_environment, resource
from supertune.runs.report.text import clean, cut
from supertune.runs.report.words import WORDS, Language

MOST_CUT = 400
"""Pieces that are shown of what is cut off in a row; the others are counted."""

_BREAK = re.compile(r"\n|\t")
_SIGNS = {"\n": Markup('<i class="break"></i>\n'), "\t": Markup('<i class="tab"></i>\t')}


@dataclass(frozen=True)
class InspectionPage:
    """Everything the page says. Texts may come from anywhere: nothing in them can leave its place.

    Attributes:
        title: Where the rows come from.
        facts: What was used: ``model``, ``task``, ``max_length`` → value.
        rows: The rows.
        announcements: What is done with all rows, a sentence each.
        remarks: What became of those that were looked at.
        joined: Whether the pieces of a row, one behind the other, are its text.
        language: Language of the fixed words.
    """

    title: str
    facts: Mapping[str, str]
    rows: tuple[InspectedRow, ...]
    announcements: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    joined: bool = False
    language: Language = "en"


@dataclass(frozen=True)
class _Shown:
    """A piece ready for the template: its text as HTML, its classes, and what is told when it is pointed at."""

    text: Markup
    kind: str
    title: str
    weight: str = ""
    tag: str = ""


@dataclass(frozen=True)
class _Row:
    row: InspectedRow
    counted: str
    pieces: tuple[_Shown, ...]
    cut: tuple[_Shown, ...]
    more: str = field(default="")


def render_inspection(page: InspectionPage) -> str:
    """The page as one HTML file: no script, nothing to load, the same bytes for the same contents."""
    words = INSPECTION_WORDS[page.language]
    found = InspectedTotals.of(page.rows)
    told = words.summary if found.learned or page.joined else words.without_loss
    summary = told.format(
        rows=f"{found.rows:,}",
        learned_rows=f"{found.learned_rows:,}",
        learned=f"{found.learned:,}",
        tokens=f"{found.tokens:,}",
        share=f"{found.learned / found.tokens:.1%}" if found.tokens else "–",
    )
    return (
        page_environment(page.language)
        .get_template("inspection.html.jinja")
        .render(
            page=page,
            words=words,
            style=Markup(resource("report.css") + resource("inspection.css")),
            summary=summary,
            facts={words.facts.get(name, name): value for name, value in page.facts.items() if value},
            rows=[_row(row, page, words) for row in page.rows],
            has=_kinds(page),
        )
    )


def _kinds(page: InspectionPage) -> Mapping[str, bool]:
    """What there is to be told in the legend."""
    seen = [piece for row in page.rows for piece in row.seen]
    return {
        "learned": any(piece.learned for piece in seen),
        "stop": any(piece.stop for piece in seen),
        "tag": any(piece.tag not in ("", "O") for piece in seen),
        "weight": any(piece.weight not in (0, 1) for piece in seen),
        "cut": any(row.unseen for row in page.rows),
    }


def _row(row: InspectedRow, page: InspectionPage, words: InspectionWords) -> _Row:
    counted = ""
    if any(piece.ids for piece in row.pieces):
        form = words.row if page.joined or row.learned else words.row_without_loss
        counted = form.format(tokens=f"{row.tokens:,}", learned=f"{row.learned:,}")
    hidden = len(row.unseen) - MOST_CUT
    return _Row(
        row,
        counted,
        tuple(_shown_all(row.seen, words)),
        tuple(_shown(piece, place, words, cut_off=True) for place, piece in enumerate(row.unseen[:MOST_CUT])),
        words.more_cut.format(count=f"{hidden:,}") if hidden > 0 else "",
    )


def _shown_all(pieces: tuple[Piece, ...], words: InspectionWords) -> Iterator[_Shown]:
    before = 0.0
    for place, piece in enumerate(pieces):
        yield _shown(piece, place, words, begins=piece.weight != before)
        before = piece.weight


def _shown(piece: Piece, place: int, words: InspectionWords, *, begins: bool = False, cut_off: bool = False) -> _Shown:
    tagged = piece.tag not in ("", "O")
    kinds = ["cut" if cut_off else "learned" if piece.learned else "masked", "odd" if place % 2 else "even"]
    if (piece.stop or tagged) and not cut_off:
        kinds.append("strong")
    said = [repr(piece.text), *([piece.tag] if piece.tag else [])]
    for name, token_id, weight in zip(piece.names, piece.ids, piece.weights, strict=True):
        said.append(words.token.format(name=name, id=token_id, weight=f"{weight:g}"))
    if piece.stop and not cut_off:
        said.append(words.stop)
    return _Shown(
        text=_spelled(piece.text, words),
        kind=" ".join(kinds),
        title="\n".join(said),
        weight=f"×{piece.weight:g}" if begins and piece.weight not in (0, 1) and not cut_off else "",
        tag=piece.tag if tagged else "",
    )


def _spelled(text: str, words: InspectionWords) -> Markup:
    """The text as HTML, with line breaks and tabs that can be seen and are not copied with it."""
    parts, reached = [], 0
    shown = clean(text) if len(text) <= LONGEST_TEXT else cut(text, LONGEST_TEXT, WORDS[words.code].more_characters)
    for match in _BREAK.finditer(shown):
        parts += [escape(shown[reached : match.start()]), _SIGNS[match.group()]]
        reached = match.end()
    return Markup("").join([*parts, escape(shown[reached:])])
