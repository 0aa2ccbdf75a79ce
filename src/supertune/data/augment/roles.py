"""Which columns may be changed: what a model reads, and nothing that an answer points into or that is to be written."""

from __future__ import annotations

from collections.abc import Sequence

from supertune.contracts import Columns
from supertune.data.arrays import is_text
from supertune.data.augment.augmenter import Augmenter
from supertune.data.table import Table
from supertune.errors import UserError


def changeable(table: Table, columns: Columns) -> tuple[str, ...]:
    """The columns whose texts may be changed.

    Of questions about a text and of searches only the question: answers are places in the text, and passages are what
    is to be found. Texts that are to be written are never changed.

    Raises:
        UserError: Changing anything would make what is to be learned wrong, or there is no plain text.
    """
    if columns.answers == "spans":
        what = "spans are places in the texts: changing texts would move them"
        raise UserError(what, where=table.source, fix="augment rows of another task")
    names = columns.text[:1] if columns.answers in ("answers", "ranking") else columns.text
    found = tuple(name for name in names if is_text(table.schema.field(name).type) and name not in columns.labels)
    if not found:
        what = f"column {names[0]!r} holds lists or objects, such as messages or tokens, and no plain texts"
        raise UserError(what, where=table.source, fix="augment rows whose texts are plain texts")
    return found


def columns_of(augmenter: Augmenter, allowed: Sequence[str]) -> tuple[str, ...]:
    """The columns that an augmenter changes.

    Raises:
        UserError: It names one that may not be changed.
    """
    for name in augmenter.columns or ():
        if name not in allowed:
            what = f"column {name!r} may not be changed"
            fix = f"name some of {', '.join(map(repr, allowed))}, or leave columns out"
            raise UserError(what, where=f"augmenter {augmenter.name}", fix=fix)
    return tuple(augmenter.columns or allowed)
