"""Rows without visible text."""

from __future__ import annotations

from supertune.contracts import Finding
from supertune.data.check.input import CheckInput
from supertune.data.check.wording import counted, percent, within


def check_empty_rows(check_input: CheckInput) -> list[Finding]:
    """Find rows whose text is blank: spaces of any width, control and zero-width characters only."""
    findings = []
    for split, table in check_input.splits.items():
        blank = check_input.texts.blank(split)
        if not len(blank):
            continue
        be = "has" if len(blank) == 1 else "have"
        findings.append(
            Finding(
                check="empty-rows",
                severity="warning",
                split=split,
                rows=check_input.row_numbers(split, blank),
                message=f"{counted(len(blank), 'row')}{within(split)} ({percent(len(blank), len(table))}) {be} no text",
                fix="write the missing texts, or supertune clean DATA --step missing --out cleaned; "
                "training leaves them out",
            )
        )
    return findings
