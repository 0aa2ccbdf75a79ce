"""Texts with traces of how they came here: wrongly decoded characters, HTML, control characters.

A text counts as damaged where the step of `supertune clean` that repairs it would change it, so that what is told and
what is done are the same.
"""

from __future__ import annotations

import numpy as np

from supertune.contracts import Finding, IntArray
from supertune.data.check.input import CheckInput
from supertune.data.check.wording import counted, more_than_one_in_twenty, percent, within
from supertune.data.clean.control_characters import ControlCharacters
from supertune.data.clean.encoding import Encoding
from supertune.data.clean.html import Html
from supertune.data.clean.leaves import texts_in
from supertune.data.clean.operator import TextEdit
from supertune.language import is_blank

_DRAWN = 10_000
_CHARACTERS = 2_000
"""Rows of each split that are looked at, spread evenly, and characters of each text: four seconds' work where all are
as long and Chinese."""
_KINDS: tuple[tuple[type[TextEdit], str, str], ...] = (
    (Encoding, "holds wrongly decoded characters", "hold wrongly decoded characters"),
    (Html, "holds HTML", "hold HTML"),
    (ControlCharacters, "holds control or invisible characters", "hold control or invisible characters"),
)
_POINTED_AT = ("answers", "spans")


def check_damaged_texts(check_input: CheckInput) -> list[Finding]:
    """Find texts that would be repaired. HTML in conversations has a check of its own."""
    columns = check_input.columns
    findings = []
    for split, table in check_input.splits.items():
        count = min(len(table), _DRAWN)
        places = np.unique(np.linspace(0, len(table) - 1, count).round().astype(np.int64)) if count else _NONE
        sample = table.select(places, step="looked at for damage")
        texts = [
            [text[:_CHARACTERS] for value in row for text in texts_in(value)]
            for row in zip(*(sample.column(name) for name in columns.text), strict=True)
        ]
        for kind, one, several in _KINDS:
            if kind is Html and columns.answers == "generated":
                continue
            edit = kind().edit
            hit = np.flatnonzero([any(edit(text) != text for text in row if not is_blank(text)) for row in texts])
            if not len(hit):
                continue
            looked = "" if len(sample) == len(table) else f" of {len(sample):,} that were looked at"
            by_hand = columns.answers in _POINTED_AT
            findings.append(
                Finding(
                    check="damaged-texts",
                    severity="warning" if more_than_one_in_twenty(len(hit), len(sample)) else "info",
                    split=split,
                    rows=check_input.row_numbers(split, places[hit]),
                    message=f"{counted(len(hit), 'row')}{within(split)}{looked} ({percent(len(hit), len(sample))}) "
                    f"{one if len(hit) == 1 else several}",
                    fix="repair them where they come from: places in these texts are pointed at, and would move"
                    if by_hand
                    else f"supertune clean DATA --step {kind.name} --out cleaned",
                )
            )
    return findings


_NONE: IntArray = np.zeros(0, np.int64)
