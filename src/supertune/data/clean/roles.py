"""Which columns a step works on, and whether it may."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from supertune.contracts import Columns
from supertune.contracts.layout import Part
from supertune.data.clean.operator import Addition, Edit, LabelEdit, Operator, Roles, TextEdit
from supertune.data.table import Table
from supertune.errors import UserError
from supertune.prompts import field_of

_SAID: tuple[Part, ...] = ("messages", "system", "history", "answer", "reasoning")
"""What of a conversation somebody says; tools and weights are for programs."""
_POINTED_AT = {"answers": "answers that stand in the texts", "spans": "spans"}
"""Kinds of answers that are places in texts: a change of the text moves them."""


def roles_of(columns: Columns, column_names: Sequence[str]) -> Roles:
    """Which columns hold texts and which what is to be learned; texts that are to be written are texts."""
    if columns.layout is not None:
        named = [columns.layout.columns[part] for part in _SAID if part in columns.layout.columns]
        found = (field_of(name, column_names) for name in named)
        return Roles(tuple(dict.fromkeys([*columns.text, *(place.column for place in found if place)])), ())
    if columns.answers == "texts":
        return Roles(tuple(dict.fromkeys([*columns.text, *columns.labels])), ())
    return Roles(columns.text, columns.labels)


def checked_roles(operator: Operator, tables: Mapping[str, Table], columns: Columns) -> Roles:
    """The columns for one step, all of which every table has.

    Raises:
        UserError: There is no such column, there is no label to change, or texts must not change.
    """
    roles = roles_of(columns, next(iter(tables.values())).column_names)
    where = f"step {operator.name}"
    if isinstance(operator, LabelEdit) and not roles.labels:
        raise UserError("the rows have no labels that it could change", where=where, fix="leave the step out")
    if isinstance(operator, TextEdit):
        if columns.answers in _POINTED_AT:
            what = f"would move {_POINTED_AT[columns.answers]}: their positions would no longer be right"
            raise UserError(what, where=where, fix="leave the step out; steps that only leave rows out can be used")
        roles = Roles(tuple(operator.columns or roles.text), roles.labels)
    if isinstance(operator, Addition):
        roles = Roles((operator.reads,) if operator.reads else roles.text, ())
        for table in tables.values():
            for name in operator.added:
                if name in table.column_names:
                    what = f"{table.source} has a column {name!r} already"
                    raise UserError(what, where=where, fix="name another: 'words: {into: segmented}'")
    wanted = operator.columns_of(roles) if isinstance(operator, Edit) else (*roles.text, *roles.labels)
    for table in tables.values():
        for name in wanted:
            if name not in table.column_names:
                known = ", ".join(map(repr, table.column_names))
                raise UserError(f"there is no column {name!r} in {table.source}", where=where, fix=f"there are {known}")
    return roles
