"""Numbers so far from the others that they look like slips of the pen."""

from __future__ import annotations

import numpy as np

from supertune.contracts import Finding
from supertune.data.check.input import CheckInput
from supertune.data.check.numbers import numbers_of
from supertune.data.check.wording import counted, listed, within

_FAR = 10.0
"""Quartile distances from the median: of normal numbers none in 10^40, of exponential ones eight in a million, of
log-normal ones (prices, incomes; σ = 1) two in a thousand."""


def check_outliers(check_input: CheckInput) -> list[Finding]:
    """Find numbers farther from the median of the training rows than ten times the distance between the quartiles."""
    if check_input.columns.answers != "numbers":
        return []
    names = check_input.columns.labels
    learned = numbers_of(check_input.splits[check_input.training_split], names)
    findings = []
    for index, name in enumerate(names):
        known = learned[~np.isnan(learned[:, index]), index]
        if not len(known):
            continue
        low, median, high = np.quantile(known, (0.25, 0.5, 0.75))
        if high <= low:
            continue
        for split, table in check_input.splits.items():
            values = numbers_of(table, (name,))[:, 0]
            rows = np.flatnonzero(np.abs(values - median) > _FAR * (high - low))
            if not len(rows):
                continue
            shown = listed([f"{value:g}" for value in values[rows]])
            lies = "lies" if len(rows) == 1 else "lie"
            findings.append(
                Finding(
                    check="outliers",
                    severity="info",
                    split=split,
                    rows=check_input.row_numbers(split, rows),
                    message=f"{counted(len(rows), 'number')} of {name!r}{within(split)} {lies} far from the others "
                    f"({shown}; half are between {low:g} and {high:g})",
                    fix="correct slips; if the numbers are right, --set train.loss=huber learns less from them",
                )
            )
    return findings
