"""What is odd about conversations as findings: one wording for all checks of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from supertune.contracts import Finding, Severity
from supertune.data.check.input import CheckInput
from supertune.data.check.wording import counted, more_than_one_in_twenty, percent, within


@dataclass(frozen=True)
class Kind:
    """A way of being odd.

    Attributes:
        name: What `turns_of` calls it.
        one: What one row does, to stand behind ``1 row``.
        several: What several do.
        severity: (rows, of how many, whether they are learned from) → how bad it is.
        fix: What to do.
    """

    name: str
    one: str
    several: str
    severity: Callable[[int, int, bool], Severity]
    fix: str


def info(count: int, rows: int, learned: bool) -> Severity:
    """Worth knowing."""
    return "info"


def warning(count: int, rows: int, learned: bool) -> Severity:
    """Worth a look."""
    return "warning"


def warning_of_many(count: int, rows: int, learned: bool) -> Severity:
    """Worth a look where it is more than a twentieth."""
    return "warning" if more_than_one_in_twenty(count, rows) else "info"


def error_of_many(count: int, rows: int, learned: bool) -> Severity:
    """Not to be trained on where it is more than a twentieth of what is learned."""
    return "error" if learned and more_than_one_in_twenty(count, rows) else "warning"


def findings_of(check_input: CheckInput, check: str, kinds: Sequence[Kind]) -> list[Finding]:
    """The findings of a check, by split; nothing where nothing is to be generated."""
    if check_input.columns.answers != "generated":
        return []
    findings = []
    for split, turns in check_input.turns.items():
        table = check_input.splits[split]
        for kind in kinds:
            if (found := turns.get(kind.name)) is None:
                continue
            count = len(found.rows)
            findings.append(
                Finding(
                    check=check,
                    severity=kind.severity(count, len(table), split == check_input.training_split),
                    split=split,
                    rows=check_input.row_numbers(split, found.rows),
                    message=f"{counted(count, 'row')}{within(split)} ({percent(count, len(table))}) "
                    f"{kind.one if count == 1 else kind.several} "
                    f"(row {table.row_ids[found.rows[0]]}: {found.shown})",
                    fix=kind.fix,
                )
            )
    return findings
