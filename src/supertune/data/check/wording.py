"""Numbers and lists in the sentences that checks write."""

from __future__ import annotations

from collections.abc import Sequence

_SHOWN = 8


def counted(count: int, noun: str, plural: str | None = None) -> str:
    """``1 row``, ``1,200 rows``."""
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"


def percent(part: int, whole: int) -> str:
    """``2.5 %``; a share that is not nothing never reads 0, one that is not all never reads 100."""
    if 0 < part < whole:
        if part * 1000 < whole:
            return "less than 0.1 %"
        if part * 1000 > whole * 999:
            return "more than 99.9 %"
    return f"{100 * part / whole:.1f} %".replace(".0 %", " %")


def listed(items: Sequence[str], most: int = _SHOWN) -> str:
    """``a, b, c``; after ``most``, how many more there are."""
    more = len(items) - most
    return ", ".join(items[:most]) + (f" and {more:,} more" if more > 0 else "")


def within(split: str) -> str:
    """The words after "rows" that say in which split: nothing when there is only one."""
    return "" if split == "all" else f" in {split}"


def more_than_one_in_twenty(part: int, whole: int) -> bool:
    """True above 5 %, the share of leaked or contradictory rows that stops training; exact at the border."""
    return part * 20 > whole
