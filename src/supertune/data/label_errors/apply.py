"""What people decided about labels, done to the rows. Nothing is done that nobody decided."""

from __future__ import annotations

import difflib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from supertune.data.arrays import ColumnKinds, Places, kind_of_type
from supertune.data.label_errors.review import Decision, cell_text, row_key
from supertune.data.table import Step, Table
from supertune.errors import UserError

_MOST_LABELS = 1000
"""Different values up to which a column of text is one of labels, whose slips are found."""


@dataclass(frozen=True)
class Applied:
    """What was done, as row numbers of the file.

    Attributes:
        kept: Rows whose label a person confirmed.
        changed: (row, column, before, after) of every label that was changed.
        dropped: Rows that were left out.
    """

    kept: tuple[int, ...]
    changed: tuple[tuple[int, str, Any, Any], ...]
    dropped: tuple[int, ...]


def apply_review(
    table: Table, decisions: Sequence[Decision], *, split: str | None = None, new_labels: bool = False
) -> tuple[Table, Applied]:
    """Keep, change and drop as was decided.

    Args:
        table: The rows that were checked.
        decisions: What `read_review` gives.
        split: Only decisions about this split; None: about all there are.
        new_labels: Take labels that no row has; else they are refused as slips.

    Raises:
        UserError: A row is not what it was, two decisions contradict each other, or a value does not fit its column.
    """
    own = [each for each in decisions if split is None or each.split == split]
    _check_agreeing(own)
    places = {row: at for at, row in enumerate(table.row_ids.tolist())}
    rows: dict[int, dict[str, Any]] = {}
    for each in own:
        if each.row not in rows:
            if each.row not in places:
                raise UserError(f"row {each.row} is not in {table.source}", where=each.where, fix=_FIX)
            rows[each.row] = table.row(places[each.row])
            if row_key(rows[each.row]) != each.key:
                raise UserError(f"row {each.row} of {table.source} has changed since", where=each.where, fix=_FIX)
        if each.column not in table.column_names:
            raise UserError(f"{table.source} has no column {each.column!r}", where=each.where, fix=_FIX)
    dropped = {each.row for each in own if each.action == "drop"}
    changed = []
    columns: dict[str, list[Any]] = {}
    for each in own:
        if each.action == "change" and each.row not in dropped:
            values = columns.setdefault(each.column, table.column(each.column))
            value = _value(table, each, new_labels=new_labels)
            changed.append((each.row, each.column, rows[each.row][each.column], value))
            values[places[each.row]] = value
    result = _with_columns(table, columns, len(changed))
    if dropped:
        kept = np.flatnonzero(~np.isin(table.row_ids, sorted(dropped)))
        result = result.select(kept, step="review:drop", reason="a person decided so")
    confirmed = tuple(dict.fromkeys(each.row for each in own if each.action == "keep"))
    return result, Applied(confirmed, tuple(changed), tuple(sorted(dropped)))


_FIX = "apply the list to the file that it was made of, as it was then; or make a new one with supertune check --review"


def _check_agreeing(decisions: Sequence[Decision]) -> None:
    """Refuse two different decisions about one label; dropping a row goes with any about another of its labels."""
    seen: dict[tuple[str, int, str], Decision] = {}
    for each in decisions:
        before = seen.setdefault((each.split, each.row, each.column), each)
        if (before.action, before.value) != (each.action, each.value):
            raise UserError(
                f"row {each.row} is decided about twice, and differently ({before.where})",
                where=each.where,
                fix="leave one of the two",
            )


def _value(table: Table, decision: Decision, *, new_labels: bool) -> object:
    """What was decided, as the column has its values.

    Raises:
        UserError: It is none of the column's kind, or a label that no row has.
    """
    kind = kind_of_type(table.schema.field(decision.column).type)
    text = decision.value
    value: object = text
    if kind != "text":
        try:
            value = json.loads(text.lower() if kind == "boolean" else text)
        except ValueError:
            value = None
        fits = {"boolean": (bool,), "integer": (int,), "number": (int, float), "nested": (list, dict)}.get(kind, (str,))
        wrong = not isinstance(value, fits) or (isinstance(value, bool) and kind != "boolean")
        if isinstance(value, float) and value.is_integer() and kind == "integer":
            # What a spreadsheet makes of a whole number.
            value, wrong = int(value), False
        if wrong:
            raise UserError(
                f"{text!r} does not fit column {decision.column!r}, which holds {kind}s",
                where=decision.where,
                fix="write the label as the others are written",
            )
        return value
    known = {cell_text(each) for each in table.column(decision.column) if each is not None}
    if text not in known and not new_labels and len(known) <= _MOST_LABELS and not text.strip().startswith("["):
        close = difflib.get_close_matches(text, sorted(known), 1)
        raise UserError(
            f"no row has the label {text!r}",
            where=decision.where,
            fix=f"did you mean {close[0]!r}?" if close else f"labels are: {', '.join(sorted(known)[:8])}",
        )
    return value


def _with_columns(table: Table, columns: dict[str, list[Any]], changes: int) -> Table:
    """The table with these columns' values replaced, in memory, and a step in its lineage."""
    if not columns:
        return table
    import pyarrow as pa

    whole = pa.concat_tables(list(table.arrow_batches()))
    places = Places(table.row_ids.tolist())
    for name, values in columns.items():
        at = whole.column_names.index(name)
        whole = whole.set_column(at, name, ColumnKinds(table.source).array(name, values, places))
    step = Step("review:change", {"columns": sorted(columns), "labels": changes}, len(table), len(table))
    made = Table.from_arrow(whole, source=table.source, row_ids=table.row_ids)
    return replace(made, origin=table.origin, lineage=(*table.lineage, step))
