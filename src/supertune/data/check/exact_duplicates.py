"""Rows that repeat an earlier row of their split."""

from __future__ import annotations

import numpy as np

from supertune.contracts import Finding, IntArray
from supertune.data.check.input import CheckInput
from supertune.data.check.wording import counted, within


def check_exact_duplicates(check_input: CheckInput) -> list[Finding]:
    """Find rows with the same folded text and the same label as an earlier row of the same split."""
    findings = []
    for split in check_input.splits:
        surplus, groups = surplus_rows(check_input, split)
        if not len(surplus):
            continue
        repeat = "repeats" if len(surplus) == 1 else "repeat"
        findings.append(
            Finding(
                check="exact-duplicates",
                severity="warning",
                split=split,
                rows=check_input.row_numbers(split, surplus),
                message=f"{counted(len(surplus), 'surplus row')}{within(split)} {repeat} "
                f"the text and label of {counted(groups, 'other row')}",
                fix="nothing, if texts really come that often (a split keeps repeats together); else "
                "supertune clean DATA --step exact-duplicates --out cleaned",
            )
        )
    return findings


def surplus_rows(check_input: CheckInput, split: str) -> tuple[IntArray, int]:
    """Ascending indices of the rows that repeat an earlier one, and how many different rows are repeated."""
    rows = check_input.texts.shared(split)
    texts = check_input.texts.of[split][rows].astype(np.int64)
    labels = check_input.labels.of[split][rows]
    kinds = texts * (len(check_input.labels.labels) + 1) + labels + 1
    _, first, counts = np.unique(kinds, return_index=True, return_counts=True)
    return np.delete(rows, first), int(np.count_nonzero(counts > 1))
