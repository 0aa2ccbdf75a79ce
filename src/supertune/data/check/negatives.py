"""Passages that are said not to be asked for, and are."""

from __future__ import annotations

import numpy as np

from supertune.contracts import Finding
from supertune.data.check.input import CheckInput
from supertune.data.check.wording import counted, more_than_one_in_twenty, percent, within
from supertune.data.ranking_columns import ranked_rows
from supertune.language import fold


def check_negatives(check_input: CheckInput) -> list[Finding]:
    """Find rows whose further passages hold one that the same query asks for, there or in another row.

    Training would push away what it draws near. Queries that are their own passage teach nothing, and are told too.
    """
    columns = check_input.columns
    if columns.answers != "ranking":
        return []
    wanted: dict[str, set[str]] = {}
    for table in check_input.splits.values():
        for ranked in ranked_rows(table, columns):
            if (ranked.relevance or 0) > 0:
                wanted.setdefault(fold(ranked.query), set()).add(fold(ranked.passage))
    findings = []
    for split, table in check_input.splits.items():
        against, same = [], []
        for row, ranked in enumerate(ranked_rows(table, columns)):
            query = fold(ranked.query)
            if any(fold(text) in wanted.get(query, ()) for text in ranked.negatives):
                against.append(row)
            if query and query == fold(ranked.passage):
                same.append(row)
        for rows, what, fix in (
            (against, "names a passage as not asked for that its query does ask for", "remove it from one of the two"),
            (same, "has the same text as query and passage", "remove it: there is nothing to learn from it"),
        ):
            if rows:
                several = what if len(rows) == 1 else what.replace("names", "name", 1).replace("has", "have", 1)
                findings.append(
                    Finding(
                        check="negatives",
                        severity="error" if more_than_one_in_twenty(len(rows), len(table)) else "warning",
                        split=split,
                        rows=check_input.row_numbers(split, np.array(rows, np.int64)),
                        message=f"{counted(len(rows), 'row')}{within(split)} {several} "
                        f"({percent(len(rows), len(table))})",
                        fix=fix,
                    )
                )
    return findings
