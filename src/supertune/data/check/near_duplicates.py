"""Rows that say nearly the same as another one, in their split or, where a score would reward remembering, across."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from supertune.contracts import Finding, IntArray, Severity
from supertune.data.augmented_rows import added_rows
from supertune.data.check.input import CheckInput
from supertune.data.check.leakage import leaked_groups
from supertune.data.check.wording import counted, more_than_one_in_twenty, percent, within
from supertune.data.near_duplicates import ALONE, THRESHOLD, disputed_clusters

_SEEN_BEFORE: Mapping[str, tuple[str, ...]] = {"validation": ("train",), "test": ("train", "validation")}
_ALIKE = f"(Jaccard similarity {THRESHOLD} or more)"


def check_near_duplicates(check_input: CheckInput) -> list[Finding]:
    """Find rows that are nearly the same as others, beside those with equal texts, which other checks tell.

    Within a split that is an information: such rows are often different cases. Across splits that the user gave it is
    a warning, and an error above one held-out row in twenty; in conversations, where one long instruction may stand
    before many short questions, it stays a warning. Of more than 200 million characters some rows are compared, all
    held-out ones if they can be, and the message says how many.
    """
    findings = [_within(check_input, split) for split in check_input.splits]
    if check_input.given_splits:
        findings += [_across(check_input, split) for split in _SEEN_BEFORE if split in check_input.splits]
    return [finding for finding in findings if finding is not None]


def _within(check_input: CheckInput, split: str) -> Finding | None:
    clusters = check_input.near.of[split]
    # Rows that were made of others are meant to be like them.
    own = ~added_rows(check_input.splits[split])
    rows = _without_repeats(check_input, split, np.flatnonzero((clusters != ALONE) & own))
    _, first, member, counts = np.unique(clusters[rows], return_index=True, return_inverse=True, return_counts=True)
    surplus = np.delete(rows, first)
    if not len(surplus):
        return None
    several = int(np.count_nonzero(counts > 1))
    example = int(np.argmax(counts > 1))
    one, other = rows[member == example][:2]
    ids = check_input.splits[split].row_ids
    be = "is" if len(surplus) == 1 else "are"
    message = (
        f"{counted(len(surplus), 'row')}{within(split)} ({percent(len(surplus), len(clusters))}) {be} nearly the same "
        f"as an earlier one {_ALIKE}, in {counted(several, 'cluster')} of up to {int(counts.max()):,} different texts; "
        f"e.g. rows {ids[one]} and {ids[other]}"
    )
    if differing := _differing(check_input, split, rows, member):
        have = "has" if differing == 1 else "have"
        message += f"; {counted(differing, 'cluster')} {have} different labels"
    return Finding(
        check="near-duplicates",
        severity="info",
        split=split,
        rows=check_input.row_numbers(split, surplus),
        message=message + _some(check_input, [split]),
        fix="nothing, if they are different cases (a split keeps them together); else keep one of each: "
        "supertune clean DATA --step near-duplicates --out cleaned",
    )


def _across(check_input: CheckInput, split: str) -> Finding | None:
    clusters = check_input.near.of[split]
    earlier = [source for source in _SEEN_BEFORE[split] if source in check_input.splits]
    inside = {source: np.isin(clusters, _known(check_input.near.of[source])) for source in earlier}
    anywhere: NDArray[np.bool_] = np.logical_or.reduce([np.zeros(len(clusters), bool), *inside.values()])
    anywhere[leaked_groups(check_input.texts)[split][0]] = False
    rows = np.flatnonzero(anywhere)
    if not len(rows):
        return None
    where = " and ".join(
        f"{int(inside[source][rows].sum()):,} to {source}" for source in earlier if inside[source][rows].any()
    )
    be = "is" if len(rows) == 1 else "are"
    return Finding(
        check="near-duplicates",
        severity=_severity(check_input, len(rows), check_input.near.compared[split]),
        split=split,
        rows=check_input.row_numbers(split, rows),
        message=f"{counted(len(rows), f'{split} row')} ({percent(len(rows), len(clusters))}) {be} nearly the same as "
        f"others that are looked at before {_ALIKE}: {where}; e.g. {_example(check_input, split, rows[0], earlier)}"
        + _some(check_input, [split, *earlier]),
        fix=f"supertune clean TRAIN --{split} FILE --step near-duplicates --out cleaned takes their like out of the "
        "other file; or give one file and let it be split: a split keeps them together",
    )


def _severity(check_input: CheckInput, count: int, compared: int) -> Severity:
    if check_input.columns.answers == "generated":
        return "warning"
    return "error" if more_than_one_in_twenty(count, compared) else "warning"


def _known(clusters: IntArray) -> IntArray:
    return np.unique(clusters[clusters != ALONE])


def _example(check_input: CheckInput, split: str, row: int, earlier: list[str]) -> str:
    """Two rows of one cluster, by their numbers in their files."""
    cluster = check_input.near.of[split][row]
    source = next(name for name in earlier if (check_input.near.of[name] == cluster).any())
    other = int(np.argmax(check_input.near.of[source] == cluster))
    return (
        f"row {check_input.splits[split].row_ids[row]} and row {check_input.splits[source].row_ids[other]} of {source}"
    )


def _without_repeats(check_input: CheckInput, split: str, rows: IntArray) -> IntArray:
    """The rows without those whose text, folded, an earlier one of them has."""
    texts = check_input.texts.of[split][rows].astype(np.int64)
    # A text that no other row has gets a number of its own.
    texts = np.where(texts < 0, check_input.texts.count + np.arange(len(rows)), texts)
    _, first = np.unique(texts, return_index=True)
    return rows[np.sort(first)]


def _differing(check_input: CheckInput, split: str, rows: IntArray, member: IntArray) -> int:
    """How many clusters have rows of different classes."""
    if check_input.columns.answers != "classes":
        return 0
    return len(disputed_clusters(member, check_input.labels.of[split][rows].astype(np.int64)))


def _some(check_input: CheckInput, splits: list[str]) -> str:
    """What to add where not all rows were compared."""
    near = check_input.near
    parts = [
        f"{near.compared[split]:,} of the {len(near.of[split]):,} rows{within(split)}"
        for split in splits
        if near.compared[split] < len(near.of[split])
    ]
    return f" (only {' and '.join(parts)} were compared)" if parts else ""
