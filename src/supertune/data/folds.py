"""Folds for cross-validation: each row is asked about once, classes are spread evenly, groups of rows never divided."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from supertune.contracts import Columns, FloatArray, IntArray
from supertune.data.augmented_rows import added_rows, learned_beside
from supertune.data.check.answers import stratum_codes
from supertune.data.check.members import label_members
from supertune.data.check.texts import UNIQUE, GroupArray
from supertune.data.groups import group_codes, kept_together
from supertune.data.table import Table
from supertune.errors import UserError

FEWEST_FOLDS = 2
MOST_FOLDS = 1000
"""Folds that a column may say: with more values it is a number of the row or of its author, named by mistake."""
NO_FOLD = -1
"""The fold of rows that are never asked about: they were made of others, or their label has too few rows."""
FEWEST_LEARNED = 2
"""Rows of a label that every model has to learn from: with fewer of a class training does not begin."""
_RANDOM_STREAM = 0xF01D5

FoldArray = NDArray[np.int16]
Counts = Any
"""A ``scipy.sparse.csr_array`` of int64: how many rows with each label each row or unit has."""


@dataclass(frozen=True, eq=False)
class Folds:
    """Who is asked about when.

    Attributes:
        table: The rows.
        numbers: int16 (repeats, rows): the fold of each row, from 0 on; `NO_FOLD` for rows that are never asked about.
        added: Bool (rows,): which were made of others; they are learned from beside their originals alone.
        count: Folds of one repetition.
        near: Rows that stay with others that are nearly the same.
        rare: Labels with so few texts or groups that some fold has none of them; as many as there are.
    """

    table: Table
    numbers: FoldArray
    added: NDArray[np.bool_]
    count: int
    near: int
    rare: int

    @property
    def repeats(self) -> int:
        """How often all rows were dealt out anew."""
        return len(self.numbers)

    @property
    def unasked(self) -> IntArray:
        """int64 (repeats,): rows that were made of no others, and are only learned from: their label has too few."""
        return np.asarray(((self.numbers == NO_FOLD) & ~self.added).sum(axis=1))

    def divided(self, repeat: int, fold: int) -> dict[str, Table]:
        """``train`` and ``test``: what is learned from and what is asked about.

        Rows that were made of others are learned from where their originals are, and never asked about.
        """
        numbers = self.numbers[repeat]
        asked = np.flatnonzero(numbers == fold)
        learned = (numbers != fold) & ~self.added
        places = np.flatnonzero(learned)
        if self.added.any():
            beside = learned_beside(self.table, self.added, learned, self.table.source)
            places = np.sort(np.concatenate([places, beside]))
        about = {"folds": self.count, "repeat": repeat, "fold": fold}
        return {
            "train": self.table.select(places, step="fold:train", parameters=about),
            "test": self.table.select(asked, step="fold:test", parameters=about),
        }


def make_folds(
    table: Table,
    columns: Columns,
    *,
    folds: int = 5,
    repeats: int = 1,
    seed: int = 0,
    near_duplicates: bool = True,
) -> Folds:
    """Deal rows into folds; the same rows, seed and number give the same folds.

    Every fold gets its share of the rows and of each label, where a row has one or several, to within one row, or one
    group where groups leave no choice. What belongs together is as in `supertune.data.groups.kept_together`. Rows that
    belong together and rows with several labels are dealt first, the rarest label first and each to the fold that lacks
    most of it (iterative stratification: Sechidis, Tsoumakas and Vlahavas 2011, On the Stratification of Multi-Label
    Data); single rows fill up what is missing then.

    Args:
        table: The rows.
        columns: Their text columns, labels and group.
        folds: How many; 5 learn from 80 % of the rows each, at half the price of 10 (Kohavi 1995 found 10 a little less
            biased).
        repeats: How often, each time from another seed.
        seed: Chooses.
        near_duplicates: Rows that are nearly the same stay together.

    Raises:
        UserError: There are too few folds, fewer different texts or groups than folds, or too few rows of the labels.
    """
    if folds < FEWEST_FOLDS:
        raise UserError(f"{folds} folds cannot be learned from in turn", where="--folds", fix="2 or more; 5 is usual")
    if repeats < 1:
        raise UserError(f"{repeats} repetitions", where="--repeats", fix="1 or more")
    added = added_rows(table)
    own = np.flatnonzero(~added)
    originals = table.select(own, step="originals") if added.any() else table
    together = kept_together(originals, columns, near_duplicates=near_duplicates)
    groups = _numbered(together.groups)
    units = int(groups.max(initial=-1)) + 1
    if units < folds:
        kind = f"different values of {columns.group!r}" if columns.group is not None else "different texts"
        raise UserError(
            f"{units:,} {kind} cannot be dealt into {folds} folds", where=table.source, fix=f"--folds {max(units, 2)}"
        )
    labels = _label_matrix(originals, columns)
    numbers = np.full((repeats, len(table)), NO_FOLD, np.int16)
    for repeat in range(repeats):
        rng = np.random.default_rng(np.random.SeedSequence([seed, repeat, _RANDOM_STREAM]))
        dealt = _dealt(groups, labels, folds, rng)[groups]
        numbers[repeat, own] = np.where(_too_rare(dealt, labels, folds), NO_FOLD, dealt)
        if (np.bincount(numbers[repeat, own] + 1, minlength=folds + 1)[1:] == 0).any():
            what = f"too few rows per label to ask about some in each of {folds} folds"
            raise UserError(what, where=table.source, fix="choose fewer folds, or leave out labels with few rows")
    met = _per_unit(groups, labels) > 0
    rare = int((np.asarray(met.sum(axis=0)).ravel() < folds).sum())
    return Folds(table, numbers, added, folds, together.near, rare)


def folds_of_column(table: Table, name: str, columns: Columns) -> Folds:
    """The folds that a column says: rows with the same value in it are asked about together.

    Rows with a label of which some model would learn from fewer than two rows are never asked about.

    Raises:
        UserError: There is no such column, a row has no value in it, or there are fewer than two values or as many as
            rows have numbers.
    """
    added = added_rows(table)
    codes = np.where(added, UNIQUE, group_codes(table, name))
    lacking = np.flatnonzero((codes == UNIQUE) & ~added)
    if len(lacking):
        where = f"{table.source}, row {int(table.row_ids[lacking[0]])}"
        raise UserError(f"has no value in {name!r}, which says the fold", where=where, fix="give every row a fold")
    count = int(codes.max(initial=-1)) + 1
    if count < FEWEST_FOLDS or count > MOST_FOLDS:
        what = f"has {count:,} different values in {name!r}, which cannot be folds"
        raise UserError(what, where=table.source, fix=f"2 to {MOST_FOLDS} of them, or --folds to have folds made")
    # From 0 on in the order of their values as text or number, not in that of the rows.
    values = table.column(name)
    first = {int(code): values[row] for row, code in reversed(list(enumerate(codes))) if code != UNIQUE}
    ranked = sorted(first, key=lambda code: (not isinstance(first[code], int | float), _sortable(first[code])))
    rank = np.empty(count + 1, np.int16)
    rank[ranked] = np.arange(count)
    rank[-1] = NO_FOLD
    numbers, own = rank[codes], np.flatnonzero(~added)
    originals = table.select(own, step="originals") if added.any() else table
    numbers[own[_too_rare(numbers[own], _label_matrix(originals, columns), count)]] = NO_FOLD
    return Folds(table, numbers[None], added, count, 0, 0)


def _sortable(value: object) -> float | str:
    return value if isinstance(value, int | float) else str(value)


def _numbered(groups: GroupArray) -> IntArray:
    """int64 (rows,): units from 0 on; a row that stays with no other is one of its own."""
    alone = groups == UNIQUE
    _, numbered = np.unique(groups[~alone], return_inverse=True)
    units = np.empty(len(groups), np.int64)
    units[~alone] = numbered
    first = int(numbered.max(initial=-1)) + 1
    units[alone] = first + np.arange(int(alone.sum()))
    return units


def _label_matrix(table: Table, columns: Columns) -> Counts:
    """Sparse (rows, labels): which rows have which labels; one column for all where there are none."""
    from scipy.sparse import csr_array

    if columns.answers in ("sets", "spans") and columns.labels:
        members = label_members({"all": table}, columns)
        rows, codes = members.of["all"]
        count = len(members.labels)
        # A row without any label is a kind of its own.
        without = np.setdiff1d(np.arange(len(table)), rows)
        rows, codes = np.append(rows, without), np.append(codes, np.full(len(without), count))
        return csr_array((np.ones(len(rows), np.int64), (rows, codes)), shape=(len(table), count + 1))
    strata = stratum_codes(table, columns)
    codes = strata.of["all"] + 1
    count = len(strata.labels) + 1
    if columns.strata is not None:
        names, of = np.unique(table.column(columns.strata), return_inverse=True)
        codes, count = codes + count * of.astype(codes.dtype), count * len(names)
    return csr_array((np.ones(len(table), np.int64), (np.arange(len(table)), codes)), shape=(len(table), count))


def _per_unit(groups: IntArray, labels: Counts) -> Counts:
    """Sparse (units, labels): rows of each unit with each label; labels that nobody has are left out."""
    from scipy.sparse import csr_array

    joined = csr_array((np.ones(len(groups), np.int64), (groups, np.arange(len(groups)))))
    counts = (joined @ labels).tocsr()
    return counts[:, np.flatnonzero(np.asarray(counts.sum(axis=0)).ravel())]


def _too_rare(dealt: FoldArray, labels: Counts, folds: int) -> NDArray[np.bool_]:
    """Bool (rows,): rows with a label of which some model would learn from fewer than two rows."""
    from scipy.sparse import csr_array

    held = (
        csr_array((np.ones(len(dealt), np.int64), (dealt, np.arange(len(dealt)))), shape=(folds, len(dealt))) @ labels
    )
    totals = np.asarray(labels.sum(axis=0)).ravel()
    left = totals - np.asarray(held.max(axis=0).todense()).ravel()
    lacking = (left < FEWEST_LEARNED) & (totals > 0)
    return np.asarray(labels @ lacking.astype(np.int64)).ravel() > 0


def _dealt(groups: IntArray, labels: Counts, folds: int, rng: np.random.Generator) -> FoldArray:
    """int16 (units,): the fold of each unit."""
    counts = _per_unit(groups, labels)
    sizes = np.bincount(groups)
    dealt = np.full(len(sizes), NO_FOLD, np.int16)
    # What each fold still lacks of each label, and of rows.
    lacking = np.repeat(np.asarray(counts.sum(axis=0), np.float64).reshape(1, -1) / folds, folds, axis=0)
    room = np.full(folds, sizes.sum() / folds)
    kinds = np.diff(counts.indptr)
    single = (sizes == 1) & (kinds == 1)
    _deal_in_turn(np.flatnonzero(~single), counts, sizes, dealt, lacking, room, rng)
    _fill_up(np.flatnonzero(single), counts, dealt, lacking, room, rng)
    _fill_empty(dealt, sizes, folds)
    return dealt


def _deal_in_turn(
    units: IntArray,
    counts: Counts,
    sizes: IntArray,
    dealt: FoldArray,
    lacking: FloatArray,
    room: FloatArray,
    rng: np.random.Generator,
) -> None:
    """Units of several rows or labels: the rarest label first, the largest unit first, to where most is lacking."""
    if not len(units):
        return
    part = counts[units]
    by_label = part.tocsc()
    left = np.asarray((part > 0).sum(axis=0)).ravel()
    shuffled = rng.permutation(len(units))
    place = np.empty(len(units), np.int64)
    place[shuffled] = np.arange(len(units))
    while left.any():
        label = int(np.where(left > 0, left, np.iinfo(np.int64).max).argmin())
        column = slice(by_label.indptr[label], by_label.indptr[label + 1])
        having, amounts = by_label.indices[column], by_label.data[column]
        open_ = dealt[units[having]] == NO_FOLD
        having, amounts = having[open_], amounts[open_]
        for one in having[np.lexsort((place[having], -amounts))]:
            unit = units[one]
            # Ties go to the fold with most room, and then to chance.
            fold = int(np.lexsort((rng.random(len(room)), -room, -lacking[:, label]))[0])
            dealt[unit] = fold
            row = slice(part.indptr[one], part.indptr[one + 1])
            lacking[fold, part.indices[row]] -= part.data[row]
            left[part.indices[row]] -= 1
            room[fold] -= sizes[unit]


def _fill_up(
    units: IntArray,
    counts: Counts,
    dealt: FoldArray,
    lacking: FloatArray,
    room: FloatArray,
    rng: np.random.Generator,
) -> None:
    """Rows of one label that stay with no other: in random order, to the folds that lack most of the label."""
    codes = counts.indices[counts.indptr[units]]
    shuffled = rng.permutation(len(units))
    order = shuffled[np.argsort(codes[shuffled], kind="stable")]
    ends = np.cumsum(np.bincount(codes, minlength=lacking.shape[1]))
    for label, end in enumerate(ends):
        mine = units[order[(ends[label - 1] if label else 0) : end]]
        if not len(mine):
            continue
        taken = _shared_out(len(mine), lacking[:, label], room, rng)
        dealt[mine] = rng.permutation(np.repeat(np.arange(len(room)), taken))
        lacking[:, label] -= taken
        room -= taken


def _shared_out(count: int, lacking: FloatArray, room: FloatArray, rng: np.random.Generator) -> IntArray:
    """int64 (folds,): how many of ``count`` equal rows each fold gets, so that what is lacking is even at the end."""
    # As many whole rows as all folds down to one level take, and the rest one by one.
    order = np.sort(lacking)[::-1]
    levels = (np.cumsum(order) - count) / np.arange(1, len(order) + 1)
    level = levels[np.flatnonzero(order >= levels - 1e-9)[-1]]
    taken = np.floor(np.maximum(lacking - level, 0) + 1e-9).astype(np.int64)
    for _ in range(count - int(taken.sum())):
        taken[np.lexsort((rng.random(len(room)), -(room - taken), -np.round(lacking - taken, 9)))[0]] += 1
    return np.asarray(taken)


def _fill_empty(dealt: FoldArray, sizes: IntArray, folds: int) -> None:
    """Large groups may leave a fold without any: it gets the smallest unit of the fold with the most units."""
    for fold in range(folds):
        if not (dealt == fold).any():
            fullest = int(np.bincount(dealt, minlength=folds).argmax())
            theirs = np.flatnonzero(dealt == fullest)
            dealt[theirs[sizes[theirs].argmin()]] = fold
