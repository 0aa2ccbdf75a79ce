"""Columns that hold several labels for a row, or of which each says whether its label applies."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

from supertune.contracts import Columns, Label
from supertune.data.profile import Profile, sample_of
from supertune.data.table import Table
from supertune.errors import UserError
from supertune.label_sets import SEPARATORS, best_separator, label_sets
from supertune.language import shorten

_NEAR_UNIQUE = 0.8
_ENOUGH_LABELS = 40
_BITS = frozenset({"0", "1", "'0'", "'1'", "True", "False"})


def speaks_of_sets(profile: Profile) -> bool:
    """Lists, words that a separator stands between, or few words that come back."""
    if profile.kind != "text":
        return profile.kind == "nested"
    parts = any(mark in example for mark in SEPARATORS for example in profile.examples)
    return profile.could_be_label or (parts and profile.distinct > 1 and not profile.is_free_text)


def indicators(profiles: Sequence[Profile]) -> list[Profile]:
    """The columns that hold nothing but 0 and 1, or true and false, and both of them."""
    return [profile for profile in profiles if profile.distinct == 2 and set(profile.examples) <= _BITS]


def sets_of(table: Table, columns: Columns) -> Iterator[tuple[Label, ...] | None]:
    """The labels of every row; see `supertune.label_sets.label_sets`.

    Raises:
        UserError: A value holds no labels; names the file as well.
    """
    try:
        yield from label_sets(table, columns)
    except UserError as error:
        raise UserError(error.what, where=f"{table.source}, {error.where}", fix=error.fix) from error


def settled_sets(table: Table, columns: Columns) -> Columns:
    """The columns with what stands between labels in text, as it was asked for or as the rows show.

    Raises:
        UserError: Labels hardly come back, as texts or identifiers would; or a value holds none.
    """
    sample = sample_of(table)
    if columns.separator is None and len(columns.labels) == 1:
        values = sample.column(columns.labels[0])
        found = best_separator(values)
        several = sum(isinstance(value, str) and found is not None and found in value for value in values)
        if several:
            told = f"labels are separated by {found!r} (in {several:,} of {len(values):,} rows)"
            columns = replace(columns, separator=found, announcements=(*columns.announcements, told))
    counts = Counter(label for labels in sets_of(sample, columns) for label in labels or ())
    total = sum(counts.values())
    if total >= _ENOUGH_LABELS and len(counts) > _NEAR_UNIQUE * total:
        shown = ", ".join(repr(shorten(str(label), 24)) for label in list(counts)[:3])
        raise UserError(
            f"{len(counts):,} of {total:,} labels differ (e.g. {shown}): these are no labels",
            where=f"{table.source}, column {columns.label!r}",
            fix="name another column with --label NAME, or what stands between labels with --set data.separator=';'",
        )
    return columns
