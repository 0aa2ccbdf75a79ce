"""Divide rows into training, validation and test rows: by class, by seed, never through a group of rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from supertune.contracts import Columns, FloatArray, IntArray
from supertune.data.augmented_rows import added_rows, learned_beside
from supertune.data.check.answers import stratum_codes
from supertune.data.check.labels import CodeArray
from supertune.data.check.texts import UNIQUE, GroupArray
from supertune.data.groups import kept_together
from supertune.data.table import Table
from supertune.errors import UserError

SPLITS = ("train", "validation", "test")
_FEWEST_ROWS = 10
_RANDOM_STREAM = 0x5B117
_TRAIN = 0

Assignment = NDArray[np.int8]


@dataclass(frozen=True)
class CompletedSplits:
    """The splits to work with, those that were given and those that were cut.

    Attributes:
        tables: ``train``, ``validation`` and ``test``, as far as there are such.
        announcements: What was cut from what, one sentence each, for the user to read.
    """

    tables: dict[str, Table]
    announcements: tuple[str, ...] = ()


def split_table(
    table: Table,
    columns: Columns,
    *,
    fractions: Sequence[float] = (0.8, 0.1, 0.1),
    seed: int,
    near_duplicates: bool = True,
) -> dict[str, Table]:
    """Divide a table into ``train``, ``validation`` and ``test``.

    Stratified: in every split each class has its share to within one row, or one group where groups leave no
    choice. Rows with the same folded text stay together whatever their labels; so do near duplicates (see
    `supertune.data.groups.kept_together`), all rows without text, and those with the same value in the column
    ``columns.group``. Classes with one or two rows, and groups that a
    held-out split has no room for, stay in train. Rows keep their order, and every row is in exactly one split.
    The same seed gives the same split.

    Args:
        table: The rows.
        columns: Their text columns; what to stratify by is the label, the rarest of several, or whether a question
            has an answer; numbers are not. And what keeps rows together beside equal texts.
        fractions: Shares of train, validation and test. A split with the share 0 is left out.
        seed: Chooses the split.
        near_duplicates: Rows that are nearly the same stay together. How many do stands in the lineage.

    Raises:
        UserError: The fractions are no shares of a whole, or there are too few rows, or too few different
            texts per class, for every split to get some.
    """
    return _cut(table, columns, _shares(fractions), seed, near_duplicates)


def complete_splits(
    given: Mapping[str, Table],
    columns: Columns,
    *,
    fractions: Sequence[float] = (0.8, 0.1, 0.1),
    seed: int,
    near_duplicates: bool = True,
) -> CompletedSplits:
    """Honour the splits that are given and cut the missing ones from train.

    Train alone is divided as `split_table` does. A validation or test split that is missing beside the other is
    cut from train with its share of ``fractions``, and announced.

    Raises:
        UserError: As `split_table`; or there is no train to cut from.
    """
    if "train" not in given:
        raise UserError(
            f"only {' and '.join(given) or 'nothing'} was given, so there is nothing to learn from",
            fix="name the file with the training rows",
        )
    given, dropped = _without_added(given)
    missing = [name for name in SPLITS if name not in given]
    shares = _shares(fractions)
    wanted = {name: shares[name] for name in missing if name in shares}
    if not wanted:
        return CompletedSplits({name: given[name] for name in SPLITS if name in given}, dropped)
    cut = _cut(given["train"], columns, {"train": 1 - sum(wanted.values()), **wanted}, seed, near_duplicates)
    tables = {**given, **cut}
    announcements = tuple(
        f"no {name} rows were given: {len(cut[name]):,} of the {len(given['train']):,} training rows "
        f"({100 * share:g} %) were set aside as {name} split"
        for name, share in wanted.items()
    )
    return CompletedSplits(
        {name: tables[name] for name in SPLITS if name in tables},
        (*dropped, *announcements, *of_added(tables["train"])),
    )


def of_added(train: Table) -> tuple[str, ...]:
    """What became of rows that were made of others when train was cut, as sentences; none where there were none."""
    counts = train.lineage[-1].parameters if train.lineage else {}
    if "augmented" not in counts:
        return ()
    return (
        f"{counts['augmented']:,} rows that were made of training rows are learned from; "
        f"{counts['augmented_left_out']:,} that were made of held-out rows are left out",
    )


def _without_added(given: Mapping[str, Table]) -> tuple[dict[str, Table], tuple[str, ...]]:
    """The splits, the held-out ones without rows that were made of others; and what went."""
    tables, told = dict(given), []
    for split in ("validation", "test"):
        if split in tables and (added := added_rows(tables[split])).any():
            tables[split] = tables[split].select(np.flatnonzero(~added), step="drop-augmented")
            told.append(f"{int(added.sum()):,} {split} rows that were made of others are left out")
    return tables, tuple(told)


def _shares(fractions: Sequence[float]) -> dict[str, float]:
    """Split → its share, for those above 0, after a check that they are three parts of a whole."""
    told = ", ".join(f"{fraction:g}" for fraction in fractions)
    if len(fractions) != len(SPLITS):
        problem = f"are {len(fractions)} numbers, not 3"
    elif not all(0 <= fraction <= 1 for fraction in fractions):
        problem = "are not all between 0 and 1"
    elif abs(sum(fractions) - 1) > 1e-6:
        problem = f"sum to {sum(fractions):g}, not to 1"
    elif not fractions[0]:
        problem = "leave no rows to train on"
    else:
        return {name: float(share) for name, share in zip(SPLITS, fractions, strict=True) if share}
    raise UserError(
        f"the shares of train, validation and test ({told}) {problem}",
        where="data.split",
        fix="write e.g. --set data.split=[0.8,0.1,0.1]",
    )


def _cut(
    table: Table, columns: Columns, shares: Mapping[str, float], seed: int, near_duplicates: bool
) -> dict[str, Table]:
    """The table divided; rows that were made of others are left out, but for those whose originals are in train."""
    added = added_rows(table)
    own = np.flatnonzero(~added)
    originals = table.select(own, step="originals") if added.any() else table
    places, parameters = _divided(originals, columns, shares, seed, near_duplicates)
    if added.any():
        places = {name: own[rows] for name, rows in places.items()}
        train = np.zeros(len(table), bool)
        train[places["train"]] = True
        beside = learned_beside(table, added, train, table.source)
        places["train"] = np.sort(np.concatenate([places["train"], beside]))
        parameters |= {"augmented": len(beside), "augmented_left_out": int(added.sum()) - len(beside)}
    return {name: table.select(rows, step=f"split:{name}", parameters=parameters) for name, rows in places.items()}


def _divided(
    table: Table, columns: Columns, shares: Mapping[str, float], seed: int, near_duplicates: bool
) -> tuple[dict[str, IntArray], dict[str, object]]:
    """Split → the positions of its rows, and what to note of how."""
    if len(table) < _FEWEST_ROWS:
        raise UserError(
            f"{len(table)} rows cannot be divided into {', '.join(shares)}: that takes at least {_FEWEST_ROWS}",
            where=table.source,
            fix="add rows, or give the splits as files of their own (--validation, --test)",
        )
    if seed < 0:
        raise UserError(f"the seed of the split is {seed}", where="data.split_seed", fix="choose 0 or more")
    rng = np.random.default_rng(np.random.SeedSequence([seed, _RANDOM_STREAM]))
    together = kept_together(table, columns, near_duplicates=near_duplicates)
    labels = stratum_codes(table, columns)
    # Rows without a label are one more class, and so are all rows where there is no label column.
    codes, classes = labels.of["all"] + 1, len(labels.labels) + 1
    if columns.strata is not None:
        # Of each data set its share of each class.
        names, of = np.unique(table.column(columns.strata), return_inverse=True)
        codes, classes = codes + classes * of.astype(codes.dtype), classes * len(names)
    assignment = _assign(together.groups, codes, classes, np.array([*shares.values()]), rng)
    parameters: dict[str, object] = {"fractions": list(shares.values()), "seed": seed}
    if near_duplicates:
        parameters["near_duplicates"] = together.near
    del together, labels, codes
    apart = "too few different texts"
    if columns.group is not None:
        parameters["group"] = columns.group
        apart = f"too few different values of {columns.group!r}, whose rows stay together,"
    places = {}
    for number, name in enumerate(shares):
        rows = np.flatnonzero(assignment == number)
        if not len(rows):
            raise UserError(
                f"the {len(table):,} rows leave none for {name}: too few rows per class, "
                f"or {apart} to reach every split",
                where=table.source,
                fix="add rows, merge small classes, or give the splits as files of their own (--validation, --test)",
            )
        places[name] = rows
    return places, parameters


def _assign(
    groups: GroupArray, codes: CodeArray, classes: int, shares: FloatArray, rng: np.random.Generator
) -> Assignment:
    """Number of the split of each row: groups at random first, then single rows so that the classes come out."""
    assignment = np.full(len(groups), _TRAIN, np.int8)
    totals = np.bincount(codes, minlength=classes)
    grouped = np.flatnonzero(groups != UNIQUE)
    # Blank texts all look alike to the model: their common mark makes them one more group.
    assignment[grouped] = _assign_groups(groups[grouped], codes[grouped], totals, shares, rng)
    cells = codes[grouped].astype(np.int64) * len(shares) + assignment[grouped]
    placed = np.bincount(cells, minlength=classes * len(shares)).reshape(classes, len(shares))
    single = np.flatnonzero(groups == UNIQUE)
    assignment[single] = _assign_singles(codes[single], _quotas(totals, shares) - placed, rng)
    return assignment


def _quotas(totals: IntArray, shares: FloatArray) -> IntArray:
    """int64 (classes, splits): the rows each split should get of each class.

    Every number is the exact share rounded up or down, and what rounding gives or takes is carried on to the
    next class: of a hundred classes with four rows each, every split still gets its part. The first two rows of
    a class go to train.
    """
    exact = np.round(totals[:, None] * shares, 9)
    quotas = np.floor(exact).astype(np.int64)
    carried = np.zeros(len(shares))
    for code in range(len(totals)):
        owed = carried + exact[code] - quotas[code]
        # A share that is whole already must not be rounded up.
        owed[exact[code] == quotas[code]] = -np.inf
        left = int(totals[code] - quotas[code].sum())
        quotas[code, np.argsort(-owed, kind="stable")[:left]] += 1
        while quotas[code, _TRAIN] < min(2, totals[code]):
            quotas[code, np.argmax(quotas[code, 1:]) + 1] -= 1
            quotas[code, _TRAIN] += 1
        carried += exact[code] - quotas[code]
    return quotas


def _assign_groups(
    groups: GroupArray, codes: CodeArray, totals: IntArray, shares: FloatArray, rng: np.random.Generator
) -> Assignment:
    """Number of the split of each row that is in a group of equal texts; one number per group.

    The groups of a class lie around a circle in random order, each as long as it has rows; the circle is turned
    at random and cut in proportion to the shares. So every group has its fair chance of every split, and each
    split is off by one group at most. A group of several classes lies on the circle of its most frequent one.
    """
    numbers, rows = np.unique(groups, return_inverse=True)
    sizes = np.bincount(rows)
    home, too_large = _home_classes(rows, codes, totals, 1 - shares[_TRAIN])
    order = np.lexsort((rng.permutation(len(numbers)), home))
    order = order[~too_large[order]]
    length = np.bincount(home[order], sizes[order], minlength=len(totals))
    start = np.cumsum(length) - length
    middle = np.cumsum(sizes[order]) - sizes[order] / 2 - start[home[order]]
    turned = (middle / length[home[order]] + rng.random(len(totals))[home[order]]) % 1

    # What is too large for the held-out splits is in train already and counts towards its share.
    kept = np.bincount(home[too_large], sizes[too_large], minlength=len(totals))
    room = np.maximum(totals[:, None] * shares - kept[:, None] * (np.arange(len(shares)) == _TRAIN), 0)
    borders = np.cumsum(room, axis=1) / np.maximum(room.sum(axis=1, keepdims=True), 1)
    split = np.full(len(numbers), _TRAIN, np.int8)
    split[order] = (turned[:, None] >= borders[home[order], :-1]).sum(axis=1)
    return split[rows]


def _home_classes(
    groups: IntArray, codes: CodeArray, totals: IntArray, held_out: float
) -> tuple[IntArray, NDArray[np.bool_]]:
    """Per group its most frequent class, and whether it holds more of a class than all held-out splits should."""
    pairs, counts = np.unique(groups * len(totals) + codes, return_counts=True)
    group, code = np.divmod(pairs, len(totals))
    ascending = np.lexsort((counts, group))
    home = code[ascending[np.append(np.diff(group[ascending]) > 0, True)[: len(group)]]]
    too_large = np.zeros(len(home), bool)
    too_large[group[counts > held_out * totals[code] + 1e-9]] = True
    return home, too_large


def _assign_singles(codes: CodeArray, missing: IntArray, rng: np.random.Generator) -> Assignment:
    """Number of the split of each row whose text is its own: in random order, as many per class as are missing."""
    shuffled = rng.permutation(np.arange(len(codes), dtype=np.int32 if len(codes) < 2**31 else np.int64))
    order = shuffled[np.argsort(codes[shuffled], kind="stable")]
    totals = np.bincount(codes, minlength=len(missing))
    # Where groups have overfilled a split, the others share the shortage.
    missing = np.maximum(missing, 0)
    borders = np.cumsum(missing, axis=1) * (totals / np.maximum(missing.sum(axis=1), 1))[:, None]
    starts = np.cumsum(totals) - totals
    assignment = np.empty(len(codes), np.int8)
    for code in np.flatnonzero(totals):
        rank = np.arange(totals[code]) + 0.5
        rows = order[starts[code] : starts[code] + totals[code]]
        assignment[rows] = np.searchsorted(borders[code, :-1], rank)
    return assignment
