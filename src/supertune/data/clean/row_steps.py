"""Steps that look at single rows, done to a batch of them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from supertune.contracts import IntArray
from supertune.data.arrays import JSON_TYPE, ColumnKinds, Places, kind_of_type, python_values
from supertune.data.clean.leaves import texts_in
from supertune.data.clean.operator import Addition, Batch, Edit, Filter, LabelEdit, Operator, Roles
from supertune.data.clean.results import SAMPLES, Change, Tally, lots

_Values = dict[str, list[Any]]


@dataclass(frozen=True)
class Piece:
    """Rows before the steps: a ``pyarrow.Table``, their row ids, and what their source is called."""

    rows: Any
    row_ids: IntArray
    source: str


@dataclass(frozen=True)
class PieceDone:
    """Rows after the steps: those that stayed, how many there were, and what each step did."""

    rows: Any
    row_ids: IntArray
    seen: int
    tallies: tuple[Tally, ...]


@dataclass(frozen=True)
class RowSteps:
    """The steps, each with its columns. Can be called, so that another process can be given it.

    Attributes:
        steps: Operators in order, filters and edits.
        text_columns: Columns of text that only hold texts afterwards too.
    """

    steps: tuple[tuple[Operator, Roles], ...]

    def __call__(self, piece: Piece) -> PieceDone:
        """Do all steps to some rows."""
        ids = piece.row_ids
        kept = np.arange(len(ids))
        touched = {name for _, roles in self.steps for name in (*roles.text, *roles.labels)}
        values = {name: python_values(piece.rows.column(name)) for name in piece.rows.column_names if name in touched}
        altered: dict[str, Edit] = {}
        added: list[str] = []
        tallies = []
        for operator, roles in self.steps:
            if isinstance(operator, Filter):
                reasons = operator.reasons(Batch(values, roles, len(kept)))
                stays = np.fromiter((not reason for reason in reasons), bool, len(kept))
                removed = {row: reason for row, reason in zip(ids[kept].tolist(), reasons, strict=True) if reason}
                tallies.append(Tally(len(kept), 0, removed))
                if removed:
                    values = {name: _at(column, stays) for name, column in values.items()}
                    kept = kept[stays]
            elif isinstance(operator, Addition):
                made = operator.made(Batch(values, roles, len(kept)))
                tallies.append(_added(made, values, roles, ids[kept]))
                values |= made
                added += made
            elif isinstance(operator, Edit):
                tally, edited = _edit(operator, roles, values, ids[kept])
                tallies.append(tally)
                values |= edited
                altered |= dict.fromkeys(edited, operator)
        rows = piece.rows if len(kept) == len(ids) else piece.rows.take(pa.array(kept))
        for name, operator in altered.items():
            array = _array(operator, name, values[name], rows.schema.field(name).type, ids[kept], piece.source)
            rows = rows.set_column(rows.schema.get_field_index(name), name, array)
        for name in added:
            rows = rows.append_column(name, pa.array(values[name], pa.string()))
        return PieceDone(rows, ids[kept], len(ids), tuple(tallies))


def _at(column: Sequence[Any], stays: Any) -> list[Any]:
    return [value for value, stay in zip(column, stays, strict=True) if stay]


def _added(made: _Values, values: Mapping[str, Sequence[Any]], roles: Roles, ids: IntArray) -> Tally:
    """What came to stand in new columns: every row counts as changed in which it is something."""
    [(name, new), *_] = made.items()
    places = np.flatnonzero([bool(value) for value in new])
    sample = places[np.argsort(lots(ids[places]), kind="stable")[:SAMPLES]].tolist()
    samples = [Change(int(ids[at]), name, shown(values[roles.text[0]][at]), new[at]) for at in sample]
    return Tally(len(ids), len(places), {}, samples)


def _edit(operator: Edit, roles: Roles, values: Mapping[str, Sequence[Any]], ids: IntArray) -> tuple[Tally, _Values]:
    """What a step changed, and the new values of the columns in which it changed any."""
    changed: dict[int, tuple[str, Any, Any]] = {}
    edited: _Values = {}
    for name in operator.columns_of(roles):
        after = operator.values(values[name])
        different = [
            index
            for index, (old, new) in enumerate(zip(values[name], after, strict=True))
            if old is not new and (old != new or type(old) is not type(new))
        ]
        if different:
            edited[name] = after
            for index in different:
                changed.setdefault(index, (name, values[name][index], after[index]))
    places = np.fromiter(changed, np.int64, len(changed))
    sample = places[np.argsort(lots(ids[places]), kind="stable")[:SAMPLES]]
    samples = [_change(int(ids[index]), *changed[int(index)]) for index in sample]
    return Tally(len(ids), len(changed), {}, samples), edited


def _change(row: int, column: str, before: Any, after: Any) -> Change:
    """A change as it is shown: of nested values the first text that is another one."""
    if isinstance(before, list | dict) and isinstance(after, list | dict):
        pairs = zip(texts_in(before), texts_in(after), strict=False)
        before, after = next(((old, new) for old, new in pairs if old != new), (before, after))
    return Change(row, column, shown(before), shown(after))


def shown(value: Any) -> str:
    """A value as text: text as it is, anything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _array(operator: Edit, name: str, values: list[Any], before: Any, ids: IntArray, source: str) -> Any:
    """A changed column for Arrow, of the type it had; labels of any one type."""
    if before == JSON_TYPE or isinstance(operator, LabelEdit) or kind_of_type(before) == "empty":
        return ColumnKinds(source).array(name, values, Places(ids.tolist()))
    return pa.array(values, before)
