"""How rows came to be what they are, and how two sets of rows differ."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from supertune.console import Console
from supertune.data import Difference, Step, Table, difference, infer_columns, read_splits
from supertune.errors import UserError
from supertune.language import shorten

_SHOWN_ROWS = 3
_SHOWN_CHANGES = 5
_WIDTH = 76


@dataclass(frozen=True)
class History:
    """How the rows of a source came to be.

    Attributes:
        steps: Split → steps, the oldest first.
        rows: Split → rows there are now.
        fingerprints: Split → fingerprint of the rows.
    """

    steps: Mapping[str, tuple[Step, ...]]
    rows: Mapping[str, int]
    fingerprints: Mapping[str, str]

    def as_dict(self) -> dict[str, Any]:
        """The shape of ``data log --json``."""
        return {
            split: {
                "rows": self.rows[split],
                "fingerprint": self.fingerprints[split],
                "steps": [asdict(step) for step in steps],
            }
            for split, steps in self.steps.items()
        }


def log(source: object, *, console: Console) -> History:
    """Tell what was done to rows, from the file they first were in.

    Raises:
        UserError: The source cannot be read.
    """
    tables = read_splits(source)
    for split, table in tables.items():
        console.heading(f"{table.source} ({split}): {len(table):,} rows, fingerprint {table.fingerprint[:12]}")
        for note in table.notes:
            console.say(f"  {note}")
        rows = [[step.name, f"{step.rows_in:,}", f"{step.rows_out:,}", _parameters(step)] for step in table.lineage]
        console.table(["step", "rows before", "after", "how"], rows, right=(1, 2))
    return History(
        {split: table.lineage for split, table in tables.items()},
        {split: len(table) for split, table in tables.items()},
        {split: table.fingerprint for split, table in tables.items()},
    )


def _parameters(step: Step) -> str:
    told = ", ".join(f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in step.parameters.items())
    return shorten(told + (f" ({step.reason})" if step.reason else ""), _WIDTH)


def diff(before: object, after: object, *, text: list[str] | None, console: Console) -> dict[str, Difference]:
    """Tell how two sources differ, split by split; where only one side has splits, all of its rows together.

    Raises:
        UserError: A source cannot be read, or they have no split in common.
    """
    old, new = read_splits(before), read_splits(after)
    if set(old) != set(new) and len(old) == len(new) == 1:
        old, new = {"all": next(iter(old.values()))}, {"all": next(iter(new.values()))}
    shared = [split for split in old if split in new]
    if not shared:
        what = f"have no split in common: {', '.join(old)} and {', '.join(new)}"
        raise UserError(what, where=f"{before} and {after}", fix="name two files")
    found: dict[str, Difference] = {}
    for split in shared:
        one, other = old[split], new[split]
        found[split] = difference(one, other, text or _text(one))
        _show(split, one, other, found[split], console)
    for split in {*old, *new} - set(shared):
        console.say(f"  {split} is only in {before if split in old else after}")
    return found


def _text(table: Table) -> tuple[str, ...]:
    """The columns by which a row is known again: its texts, as far as they can be told."""
    for answers in ("classes", "generated"):
        try:
            if texts := infer_columns(table, need_label=False, answers=answers).text:
                return texts
        except UserError:
            continue
    return ()


def _show(split: str, before: Table, after: Table, found: Difference, console: Console) -> None:
    console.heading(f"{split}: {len(before):,} rows → {len(after):,}")
    moved = ", in another order" if found.moved else ""
    console.say(
        f"  {found.same:,} the same{moved}, {len(found.changed):,} changed, {len(found.removed):,} removed, "
        f"{len(found.added):,} added"
    )
    for names, what in ((found.columns_removed, "only before"), (found.columns_added, "only after")):
        if names:
            console.say(f"  columns {what}: {', '.join(names)}")
    for name, changes in found.values.items():
        told = [f"{old} → {new} ({count:,})" for (old, new), count in list(changes.items())[:_SHOWN_CHANGES]]
        more = f" and {len(changes) - _SHOWN_CHANGES:,} more" if len(changes) > _SHOWN_CHANGES else ""
        console.say(f"  {name}: {'; '.join(shorten(one, _WIDTH) for one in told)}{more}")
    for table, rows, sign in ((before, found.removed, "-"), (after, found.added, "+")):
        for place in rows[:_SHOWN_ROWS]:
            row = json.dumps(table.row(place), ensure_ascii=False, default=repr)
            console.say(f"  {sign} row {int(table.row_ids[place])}: {shorten(row, _WIDTH)}")


def as_dict(found: Mapping[str, Difference]) -> dict[str, Any]:
    """The shape of ``data diff --json``: rows are 0-based rows of the two files."""
    return {
        split: {
            "same": one.same,
            "changed": [list(pair) for pair in one.changed],
            "removed": list(one.removed),
            "added": list(one.added),
            "values": {
                name: [
                    {"before": json.loads(old), "after": json.loads(new), "rows": count}
                    for (old, new), count in changes.items()
                ]
                for name, changes in one.values.items()
            },
            "columns_removed": list(one.columns_removed),
            "columns_added": list(one.columns_added),
            "moved": one.moved,
        }
        for split, one in found.items()
    }
