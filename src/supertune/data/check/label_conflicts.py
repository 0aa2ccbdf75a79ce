"""The same text with different labels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from supertune.contracts import Finding, Severity
from supertune.data.check.input import CheckInput
from supertune.data.check.labels import MISSING
from supertune.data.check.numbers import numbers_of
from supertune.data.check.wording import counted, more_than_one_in_twenty, percent, within

_WORDS = {
    "numbers": ("numbers more than a standard deviation apart", "number"),
    "answers": ("different answers", "list of answers"),
    "spans": ("different entities", "list of entities"),
    "generated": ("different answers", "answer"),
}


def check_label_conflicts(check_input: CheckInput) -> list[Finding]:
    """Find rows whose folded text has another label elsewhere, in their own split or in another.

    Numbers contradict each other where they are more than a standard deviation of the training rows apart: people who
    rate the same text hardly ever agree to the last digit. What is asked in a conversation may well be answered in
    several ways.
    """
    answers = check_input.columns.answers
    if answers == "texts":
        # No two people sum up the same text in the same words.
        return []
    numbers = answers == "numbers"
    contradictory = _texts_far_apart(check_input) if numbers else _contradictory_texts(check_input)
    kind, one = _WORDS.get(answers, ("contradictory labels", "label"))
    findings = []
    for split, table in check_input.splits.items():
        rows = check_input.texts.shared(split)
        rows = rows[check_input.labels.of[split][rows] != MISSING]
        texts = check_input.texts.of[split][rows]
        involved = contradictory[texts]
        rows, groups = rows[involved], len(np.unique(texts[involved]))
        if not len(rows):
            continue
        have = "has" if groups == 1 else "have"
        between = " within it or between splits" if len(check_input.splits) > 1 else ""
        findings.append(
            Finding(
                check="label-conflicts",
                severity=_severity(answers, len(rows), len(table)),
                split=split,
                rows=check_input.row_numbers(split, rows),
                message=f"{counted(groups, 'text')}{within(split)} {have} {kind}{between}, "
                f"in {counted(len(rows), 'row')} ({percent(len(rows), len(table))})",
                fix="nothing, if all of these answers are right; else keep one for each"
                if answers == "generated"
                else f"decide on one {one} for each of these texts, or remove their rows",
            )
        )
    return findings


def _severity(answers: str, count: int, rows: int) -> Severity:
    if answers == "generated":
        return "info"
    return "error" if more_than_one_in_twenty(count, rows) else "warning"


def _texts_far_apart(check_input: CheckInput) -> NDArray[np.bool_]:
    """Bool (text groups,): True where the rows of a text differ by more than a standard deviation in some column."""
    names, count = check_input.columns.labels, check_input.texts.count
    learned = numbers_of(check_input.splits[check_input.training_split], names)
    lowest, highest = np.full((count, len(names)), np.inf), np.full((count, len(names)), -np.inf)
    for split, table in check_input.splits.items():
        rows = check_input.texts.shared(split)
        values, texts = numbers_of(table, names)[rows], check_input.texts.of[split][rows]
        known = ~np.isnan(values).any(axis=1)
        np.minimum.at(lowest, texts[known], values[known])
        np.maximum.at(highest, texts[known], values[known])
    whole = learned[~np.isnan(learned).any(axis=1)]
    spread = whole.std(axis=0) if len(whole) else np.full(len(names), np.inf)
    far: NDArray[np.bool_] = (highest - lowest > spread).any(axis=1)
    return far


def _contradictory_texts(check_input: CheckInput) -> NDArray[np.bool_]:
    """Bool (text groups,): True where the rows of a text do not all have the same label."""
    count = check_input.texts.count
    lowest = np.full(count, np.iinfo(np.int32).max, np.int32)
    highest = np.full(count, MISSING, np.int32)
    for split in check_input.splits:
        rows = check_input.texts.shared(split)
        labels = check_input.labels.of[split][rows]
        labelled = labels != MISSING
        texts = check_input.texts.of[split][rows][labelled]
        np.minimum.at(lowest, texts, labels[labelled])
        np.maximum.at(highest, texts, labels[labelled])
    return lowest < highest
