"""What is asked of a database: whether a query gives its rows in an order, and the query for a whole table."""

from __future__ import annotations

import difflib
import re
from typing import Any

from supertune.errors import UserError

# Texts, quoted names (with " ` or [ ]), PostgreSQL's $$texts$$, and comments: what they hold is no part of the query.
_ASIDE = re.compile(
    r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|`[^`]*`|\[[^\]]*\]|(\$\w*\$).*?\1|--[^\n]*|/\*.*?\*/", re.DOTALL
)
_INNERMOST = re.compile(r"\([^()]*\)")
_ORDER_BY = re.compile(r"\border\s+by\b", re.IGNORECASE)
_SHOWN = 10


def is_ordered(query: str) -> bool:
    """True when the query itself, not only a part of it in brackets, ends with an order."""
    plain = _ASIDE.sub(" ? ", query)
    while (outer := _INNERMOST.sub(" ", plain)) != plain:
        plain = outer
    return _ORDER_BY.search(plain) is not None


def query_of_table(connection: Any, name: str | None, where: str) -> tuple[str, list[str]]:
    """The query that gives a whole table, by its primary key; and what to tell about it.

    Args:
        connection: ``sqlalchemy.Connection``.
        name: ``name`` or ``schema.name``; None: the only one that there is.
        where: What the database is called in messages.

    Raises:
        UserError: There is no such table, or which one is meant cannot be told.
    """
    import sqlalchemy as sa

    inspector = sa.inspect(connection)
    notes = []
    if name is None:
        known = _tables(inspector)
        if len(known) != 1:
            what = f"holds {len(known)} tables{_listed(known)}"
            fix = "--set data.table=NAME, or --set 'data.query=\"select …\"'"
            raise UserError(what, where=where, fix=fix if known else "give a database with a table")
        name = known[0]
        notes.append(f"read the table {name!r}, the only one")
    schema, _, bare = name.rpartition(".")
    if inspector.has_table(name):
        schema, bare = "", name
    elif not schema or not inspector.has_table(bare, schema=schema):
        known = _tables(inspector)
        close = difflib.get_close_matches(name, known, 1)
        fix = f"did you mean {close[0]!r}?" if close else f"there are {len(known)} tables{_listed(known)}"
        raise UserError(f"has no table {name!r}", where=f"{where}, data.table", fix=fix)
    keys = inspector.get_pk_constraint(bare, schema=schema or None)["constrained_columns"]
    if not keys:
        notes.append(
            f"the table {name!r} has no primary key: row numbers, and with them the split, may be others the next "
            'time; name an order with data.query="select … order by …"'
        )
    table = sa.table(bare, schema=schema or None)
    chosen = sa.select(sa.text("*")).select_from(table).order_by(*(sa.column(key) for key in keys))
    return " ".join(str(chosen.compile(dialect=connection.dialect)).split()), notes


def _tables(inspector: Any) -> list[str]:
    return sorted([*inspector.get_table_names(), *inspector.get_view_names()])


def _listed(names: list[str]) -> str:
    shown = ", ".join(names[:_SHOWN])
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f": {shown}{more}" if names else ""
