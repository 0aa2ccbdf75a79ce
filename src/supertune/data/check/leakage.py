"""Rows of one split that stand in another, so that a score would reward remembering."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from supertune.contracts import Columns, Finding, IntArray
from supertune.data.check.input import CheckInput
from supertune.data.check.texts import UNIQUE, TextGroups, group_texts
from supertune.data.check.wording import counted, more_than_one_in_twenty, percent
from supertune.data.groups import group_codes
from supertune.data.table import Table

_SEEN_BEFORE = {"validation": ("train",), "test": ("train", "validation")}


def check_leakage(check_input: CheckInput) -> list[Finding]:
    """Find validation rows whose folded text is in train, and test rows whose text is in train or validation.

    Only where the user gave the splits: those that supertune cuts share nothing.
    """
    if not check_input.given_splits:
        return []
    findings = []
    for split, (rows, sources) in leaked_groups(check_input.texts).items():
        if not len(rows):
            continue
        total = len(check_input.splits[split])
        where = " and ".join(f"{count:,} in {source}" for source, count in sources.items() if count)
        findings.append(
            Finding(
                check="leakage",
                severity="error" if more_than_one_in_twenty(len(rows), total) else "warning",
                split=split,
                rows=check_input.row_numbers(split, rows),
                message=f"{counted(len(rows), f'{split} row')} ({percent(len(rows), total)}) can also be found "
                f"elsewhere: {where}",
                fix=f"supertune clean TRAIN --{split} FILE --step leakage --out cleaned takes them out of the other; "
                "scores without them stand beside the others",
            )
        )
    return findings + _shared_groups(check_input)


def _shared_groups(check_input: CheckInput) -> list[Finding]:
    """Held-out rows of a group (an article, a patient) that has rows in an earlier split as well."""
    name = check_input.columns.group
    if name is None or not all(name in table.column_names for table in check_input.splits.values()):
        return []
    known: dict[object, int] = {}
    codes = {split: group_codes(table, name, known) for split, table in check_input.splits.items()}
    findings = []
    for split, sources in _SEEN_BEFORE.items():
        seen = [codes[source] for source in sources if source in codes]
        if split not in codes or not seen:
            continue
        rows = np.flatnonzero((codes[split] != UNIQUE) & np.isin(codes[split], np.concatenate(seen)))
        if len(rows):
            have = "has" if len(rows) == 1 else "have"
            findings.append(
                Finding(
                    check="leakage",
                    severity="warning",
                    split=split,
                    rows=check_input.row_numbers(split, rows),
                    message=f"{counted(len(rows), f'{split} row')} ({percent(len(rows), len(codes[split]))}) {have} a "
                    f"{name!r} that rows learned from have as well",
                    fix=f"give every {name!r} to one of the files, if scores are to say how it goes with new ones",
                )
            )
    return findings


def leaked_rows(splits: Mapping[str, Table], columns: Columns) -> dict[str, IntArray]:
    """Which rows of validation and test can also be found in a split that was looked at before.

    For validation that is train; for test it is train and validation.

    Returns:
        ``validation`` and ``test``, as far as they are among the splits → int64, ascending indices into the table.
    """
    return {split: rows for split, (rows, _) in leaked_groups(group_texts(splits, columns)).items()}


def leaked_groups(texts: TextGroups) -> dict[str, tuple[IntArray, dict[str, int]]]:
    """Held-out split → indices of its leaked rows, and how many of them are in which earlier split."""
    present = {split: np.zeros(texts.count, bool) for split in texts.of}
    for split, found in present.items():
        found[texts.of[split][texts.shared(split)]] = True
    leaked = {}
    for split, earlier in _SEEN_BEFORE.items():
        if split not in texts.of:
            continue
        rows = texts.shared(split)
        groups = texts.of[split][rows]
        inside = {source: present[source][groups] for source in earlier if source in present}
        counts = {source: int(np.count_nonzero(found)) for source, found in inside.items()}
        anywhere = np.logical_or.reduce([np.zeros(len(rows), bool), *inside.values()])
        leaked[split] = rows[anywhere], counts
    return leaked
