"""Classes with too few rows to learn, or none at all."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from supertune.contracts import Finding, IntArray, Severity
from supertune.data.check.classes import rows_of, training_classes
from supertune.data.check.input import CheckInput
from supertune.data.check.labels import written
from supertune.data.check.wording import counted, listed

_LEAST, _FEW = 2, 8


def check_rare_classes(check_input: CheckInput) -> list[Finding]:
    """Find that there is nothing to tell apart, classes that are too small, and classes that train lacks."""
    without = ("numbers", "answers", "texts", "ranking", "generated")
    if check_input.columns.label is None or check_input.columns.answers in without:
        return []
    counts, present = training_classes(check_input)
    too_small = np.flatnonzero(present & (counts < _LEAST))
    small = np.flatnonzero((counts >= _LEAST) & (counts < _FEW))
    return [
        *_too_few_classes(check_input, counts),
        *_small(check_input, counts, too_small, "error", _LEAST),
        *_small(check_input, counts, small, "warning", _FEW),
        *_never_trained(check_input, present),
    ]


def _too_few_classes(check_input: CheckInput, counts: IntArray) -> list[Finding]:
    classes = np.flatnonzero(counts)
    # One label that some rows have and others lack is something to tell apart.
    several = check_input.columns.answers in ("sets", "spans")
    if len(classes) >= (1 if several else 2):
        return []
    only = (
        f"every training row has the same label, {written(check_input.classes.labels[classes[0]])}"
        if len(classes)
        else "no training row has both a text and a label"
    )
    return [
        Finding(
            check="rare-classes",
            severity="error",
            split=check_input.training_split,
            message=f"{only}: a classifier needs at least two classes",
            fix="add rows of another class, or name the right label column with --label",
        )
    ]


def _small(
    check_input: CheckInput, counts: IntArray, classes: IntArray, severity: Severity, least: int
) -> list[Finding]:
    if not len(classes):
        return []
    fewest_first = classes[np.argsort(counts[classes], kind="stable")]
    names = [f"{written(check_input.classes.labels[code])} ({counts[code]})" for code in fewest_first]
    have = "has" if len(classes) == 1 else "have"
    split = check_input.training_split
    return [
        Finding(
            check="rare-classes",
            severity=severity,
            split=split,
            rows=rows_of(check_input, split, classes),
            message=f"{counted(len(classes), 'class', 'classes')} {have} fewer than {least} training rows "
            f"with text: {listed(names)}",
            fix="add rows for each, merge it into a related class, or remove it",
        )
    ]


def _never_trained(check_input: CheckInput, present: NDArray[np.bool_]) -> list[Finding]:
    findings = []
    for split in check_input.splits:
        if split == check_input.training_split:
            continue
        here = check_input.classes.counts(split)
        classes = np.flatnonzero((here > 0) & ~present)
        if not len(classes):
            continue
        names = [f"{written(check_input.classes.labels[code])} ({here[code]})" for code in classes]
        are = "1 label is" if len(classes) == 1 else f"{len(classes):,} labels are"
        findings.append(
            Finding(
                check="rare-classes",
                severity="error",
                split=split,
                rows=rows_of(check_input, split, classes),
                message=f"{are} in {split} but not in train, so never learned: {listed(names)}",
                fix=f"spell the labels alike in all files, add such rows to train, or remove them from {split}",
            )
        )
    return findings
