"""Pieces of text on a terminal, in colour; in a pipe or a file with marks that can be read."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import IO, TYPE_CHECKING

from supertune.contracts import InspectedRow, Piece

if TYPE_CHECKING:
    from rich.text import Text


@dataclass(frozen=True)
class Palette:
    """Styles: two shades of each, so that pieces can be told apart; strong is what ends an answer, and entities."""

    learned: tuple[str, str]
    unlearned: tuple[str, str]
    strong: str
    cut: str = "red strike"
    note: str = "bold magenta"


FULL = Palette(
    ("black on #9fe3ab", "black on #86d595"), ("#d4d4d4 on #333333", "#d4d4d4 on #262626"), "bold white on #14683a"
)
FEW = Palette(
    ("black on green", "black on bright_green"), ("white on black", "white on bright_black"), "bold black on yellow"
)
"""For terminals of 16 colours."""

OPEN, CLOSE = "⟦", "⟧"
CUT_OPEN, CUT_CLOSE = "⟪", "⟫"
STOP = "■"
"""Marks where there are no colours."""

_MOST_CUT = 200
"""Pieces that are shown of what is cut off."""
_UNSEEN = re.compile("[\x80-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")
"""Would repaint the terminal, or turn around what follows."""
_MARK = re.compile("[⟦⟧⟪⟫■]")
_PICTURES = {code: chr(0x2400 + code) for code in range(32)} | {0x09: "⇥", 0x0A: "⏎\n", 0x7F: "␡"}


def visible(text: str) -> str:
    """The text with line breaks and tabs that can be seen, and nothing that steers a terminal."""
    return _UNSEEN.sub("\ufffd", text.translate(_PICTURES))


def print_rows(
    rows: Sequence[InspectedRow],
    *,
    title: str,
    announcements: Sequence[str],
    remarks: Sequence[str],
    joined: bool,
    file: IO[str],
) -> None:
    """Print rows in colour, or with marks where the file takes none (`FORCE_COLOR` and `NO_COLOR` are heeded).

    Args:
        rows: What to show.
        title: The first line.
        announcements: Shown above them.
        remarks: Shown below them.
        joined: Whether the pieces of a row are its text; else they stand apart.
        file: Where to.
    """
    from rich.console import Console
    from rich.text import Text

    # Lines are not cut or filled: what is shown is the text, and a terminal wraps it.
    screen = Console(file=file, highlight=False, markup=False, emoji=False, soft_wrap=True)
    palette = (
        None if screen.color_system is None or screen.no_color else FEW if screen.color_system == "standard" else FULL
    )
    screen.print(Text(visible(title), style="bold"))
    for announcement in announcements:
        screen.print(Text(f"  {_line(announcement)}"))
    screen.print(_legend(rows, palette))
    for row in rows:
        screen.print(Text(_head(row, joined=joined), style="bold"))
        if row.problem is not None:
            screen.print(Text(f"  {_line(row.problem.what)}", style="red"))
            screen.print(Text(f"  → {_line(row.problem.fix)}", style="yellow"))
        parts = _marked(row, joined=joined) if palette is None else _in_colour(row, palette, joined=joined)
        text = Text.assemble(*parts)
        screen.print(text, end="\n" if text.plain.endswith("\n") else "\n\n")
    for remark in remarks:
        screen.print(Text(_line(remark)))


def _line(text: str) -> str:
    return visible(text).replace("⏎\n", "⏎ ")


def _legend(rows: Sequence[InspectedRow], palette: Palette | None) -> Text:
    """What colours or marks mean, of those that there are."""
    from rich.text import Text

    pieces = [piece for row in rows for piece in row.seen]
    found: list[tuple[str, str]] = []
    if any(piece.learned for piece in pieces):
        found.append((" carries loss ", palette.learned[0]) if palette else (f"{OPEN}carries loss{CLOSE}", ""))
        found += [(" does not ", palette.unlearned[0])] if palette else []
    if any(piece.stop for piece in pieces):
        found.append((" ends an answer ", palette.strong) if palette else (f"{STOP}ends an answer", ""))
    if any(row.unseen for row in rows):
        found.append((" is cut off ", palette.cut) if palette else (f"{CUT_OPEN}is cut off{CUT_CLOSE}", ""))
    if any("\n" in piece.text for row in rows for piece in row.pieces):
        found.append(("⏎ line break", ""))
    if palette is None and any(_MARK.search(piece.text) for row in rows for piece in row.pieces):
        found.append((f"\\{OPEN} \\{CLOSE} \\{STOP} are of the text itself", ""))
    text = Text("\n")
    for place, (said, style) in enumerate(found):
        text.append("  " if place else "").append(said, style=style)
    return text.append("\n") if found else Text()


def _head(row: InspectedRow, *, joined: bool) -> str:
    said = [f"row {row.row}" + ("" if row.label is None else f", label {visible(repr(row.label))}")]
    if any(piece.ids for piece in row.pieces):
        count = f"{row.tokens} {'token' if row.tokens == 1 else 'tokens'}"
        said.append(f": {count}" + (f", {row.learned} with loss" if joined or row.learned else ""))
    if row.cut and (row.problem is not None or not joined):
        said.append(f", {row.cut} cut off")
    return "".join([*said, *(f", {note}" for note in row.notes)])


def _weighed(weight: float) -> str:
    return "" if weight in (0, 1) else f"×{weight:g} "


def _in_colour(row: InspectedRow, palette: Palette, *, joined: bool) -> Iterator[tuple[str, str]]:
    place = 0
    for weight, pieces in groupby(row.seen, key=lambda piece: piece.weight):
        if told := _weighed(weight):
            yield told, palette.note
        for piece in pieces:
            shades = palette.learned if piece.learned else palette.unlearned
            strong = piece.stop or piece.tag not in ("", "O")
            yield _named(piece), palette.strong if strong else shades[place % 2]
            if not joined:
                yield " ", ""
            place += 1
    if row.unseen:
        yield _cut_text(row, joined=joined), palette.cut


def _marked(row: InspectedRow, *, joined: bool) -> Iterator[tuple[str, str]]:
    between = "" if joined else " "
    for learned, run in groupby(row.seen, key=lambda piece: (piece.learned, piece.weight if piece.learned else 0)):
        said = between.join(f"{STOP if piece.stop else ''}{_own(_named(piece))}" for piece in run)
        yield (f"{OPEN}{_weighed(learned[1])}{said}{CLOSE}" if learned[0] else said) + between, ""
    if row.unseen:
        yield f"{CUT_OPEN}{_own(_cut_text(row, joined=joined))}{CUT_CLOSE}", ""


def _own(text: str) -> str:
    """The text with a backslash before what would be taken for a mark of ours."""
    return _MARK.sub(r"\\\g<0>", text)


def _named(piece: Piece) -> str:
    said = visible(piece.text)
    return f"{said}/{visible(piece.tag)}" if piece.tag not in ("", "O") else said


def _cut_text(row: InspectedRow, *, joined: bool) -> str:
    shown = ("" if joined else " ").join(visible(piece.text) for piece in row.unseen[:_MOST_CUT])
    more = len(row.unseen) - _MOST_CUT
    return shown if more <= 0 else f"{shown} … ({more:,} more tokens)"
