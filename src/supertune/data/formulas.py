"""Cells that a spreadsheet would take for formulas, written so that it does not, and read back as they were.

A cell that begins with = + - @, a tab or a line end, in full width too, gets an apostrophe before it, as spreadsheets
do themselves (OWASP, "CSV Injection"). One that has such apostrophes already gets one more, so that each text comes
back.
"""

from __future__ import annotations

import re

_FORMULA = re.compile(r"'*[=+\-@＝＋－＠\t\r\n]")
_ESCAPED = re.compile(r"'+[=+\-@＝＋－＠\t\r\n]")


def without_formula(cell: str) -> str:
    """The cell as a spreadsheet may be given it."""
    return f"'{cell}" if _FORMULA.match(cell) else cell


def with_formula(cell: str) -> str:
    """What `without_formula` was given."""
    return cell[1:] if _ESCAPED.match(cell) else cell
