"""From tables to suspects: which texts, which labels, and what a wrong one would be put right with."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from supertune.contracts import Columns, FloatArray, IntArray, Label, TextVectors
from supertune.data.check.labels import label_codes
from supertune.data.check.members import label_members
from supertune.data.check.numbers import numbers_of
from supertune.data.check.texts import blake2b_key, folded_texts
from supertune.data.label_errors.folds import FOLDS, KeyArray
from supertune.data.label_errors.found import Estimate, LabelErrors, Suspect
from supertune.data.label_errors.heads import View
from supertune.data.label_errors.numbers import find_number_suspects
from supertune.data.label_errors.suspects import Suspects, find_suspects, judgeable, steps_of
from supertune.data.label_errors.terms import copies_together, term_view
from supertune.data.set_columns import sets_of
from supertune.data.table import Table
from supertune.label_sets import truth_of
from supertune.language import is_blank

Progress = Callable[[float], None]
"""Told which share is done, from 0 to 1."""
KINDS = ("classes", "sets", "numbers")
"""Kinds of answers whose labels can be judged."""
_VECTORS = 0.5
"""Share of the work that is making vectors, as a bar shows it."""


@dataclass(frozen=True)
class _Pool:
    """The rows of all splits one after the other: what tells of one split tells of the others.

    Attributes:
        sides: The sides of each row's text.
        of: (rows,) the split's name and the position in it.
        keys: (rows,) equal for copies and near copies.
    """

    sides: Sequence[tuple[str, ...]]
    of: Sequence[tuple[str, int]]
    keys: KeyArray


def worth_judging(splits: Mapping[str, Table], columns: Columns) -> bool:
    """Whether there are rows and labels enough to say anything, before any text is encoded."""
    if columns.answers not in KINDS or not columns.labels:
        return False
    if columns.answers != "classes":
        return sum(map(len, splits.values())) >= 2 * FOLDS * FOLDS
    codes = label_codes(splits, columns.label)
    labels = np.concatenate([codes.of[split].astype(np.int64) for split in splits])
    # As if there were no copies: with them there are fewer still.
    return bool(judgeable(labels, np.arange(len(labels)).astype(np.uint64)).any())


def judge_labels(
    splits: Mapping[str, Table],
    columns: Columns,
    vectors: TextVectors,
    *,
    seed: int = 0,
    progress: Progress = lambda _: None,
) -> LabelErrors:
    """Find the labels that are probably wrong; none of them is changed.

    Rows of all splits are judged together. Rows without text or label are not judged.

    Args:
        splits: The tables.
        columns: Text and label columns; answers of the kinds in `KINDS`.
        vectors: Makes vectors of texts.
        seed: Of the folds.
        progress: Told which share is done.
    """
    pool = _pool(splits, columns)
    whole = sum(map(len, splits.values()))
    if not pool.sides or not worth_judging(splits, columns):
        return LabelErrors((), (), whole, whole)
    views = _views(pool, vectors, lambda share: progress(share * _VECTORS))
    work = {"classes": _classes, "sets": _sets, "numbers": _numbers}[columns.answers]
    found, estimates, judged = work(
        _Work(splits, columns, pool, views, seed, lambda share: progress(_VECTORS + share * (1 - _VECTORS)))
    )
    # The surest first; of equally sure ones in the order of the files.
    found = sorted(found, key=lambda each: -each.probability)
    return LabelErrors(tuple(found), tuple(estimates), whole, whole - judged)


@dataclass(frozen=True)
class _Work:
    splits: Mapping[str, Table]
    columns: Columns
    pool: _Pool
    views: Sequence[View]
    seed: int
    progress: Progress

    def suspect(self, row: int, column: str, given: object, suggested: object, probability: float) -> Suspect:
        split, position = self.pool.of[row]
        number = int(self.splits[split].row_ids[position])
        return Suspect(split, number, "\n".join(self.pool.sides[row]), column, given, suggested, probability)

    def steps(self, total: int) -> Callable[[], None]:
        done = 0

        def step() -> None:
            nonlocal done
            done += 1
            self.progress(min(1.0, done / total))

        return step

    def pooled(self, of: Mapping[str, Any]) -> Any:
        """Values of every row of every split as those of the pool's rows."""
        return np.array([of[split][position] for split, position in self.pool.of])


_Found = tuple[list[Suspect], list[Estimate], int]


def _classes(work: _Work) -> _Found:
    column = work.columns.labels[0]
    codes = label_codes(work.splits, column)
    labels = work.pooled(codes.of).astype(np.int64)
    step = work.steps(steps_of(len(work.views)))
    found = find_suspects(work.views, labels, work.pool.keys, seed=work.seed, done=step)
    suspects = [
        work.suspect(
            row, column, codes.labels[labels[row]], codes.labels[int(found.suggested[row])], float(found.wrong[row])
        )
        for row in found.rows.tolist()
    ]
    return suspects, [_estimate(column, found)], found.judged


def _sets(work: _Work) -> _Found:
    """Each label apart: whether it applies or not; what is suspected of one cell is put right together."""
    members = label_members(work.splits, work.columns)
    known = {split: [each is not None for each in sets_of(table, work.columns)] for split, table in work.splits.items()}
    labelled = work.pooled(known).astype(bool)
    has = np.zeros((len(labelled), len(members.labels)), np.int64)
    place = {where: row for row, where in enumerate(work.pool.of)}
    for split, (rows, codes) in members.of.items():
        for row, code in zip(rows.tolist(), codes.tolist(), strict=True):
            if (split, row) in place:
                has[place[split, row], code] = 1
    step = work.steps(steps_of(len(work.views)) * len(members.labels))
    flips: dict[int, list[tuple[Label, float]]] = {}
    estimates, judged = [], np.zeros(len(labelled), bool)
    for code, label in enumerate(members.labels):
        own = np.where(labelled, has[:, code], -1)
        found = find_suspects(work.views, own, work.pool.keys, seed=work.seed, done=step)
        if not found.judged:
            continue
        judged |= ~np.isnan(found.wrong)
        estimates.append(_estimate(str(label), found))
        for row in found.rows.tolist():
            flips.setdefault(row, []).append((label, float(found.wrong[row])))
    work.progress(1.0)
    return [each for row in sorted(flips) for each in _flipped(work, row, flips[row])], estimates, int(judged.sum())


def _flipped(work: _Work, row: int, flips: Sequence[tuple[Label, float]]) -> list[Suspect]:
    """The cells of a row with labels taken away or added."""
    split, position = work.pool.of[row]
    cells = work.splits[split].row(position)
    if len(work.columns.labels) > 1:
        return [
            work.suspect(row, str(name), cells[str(name)], _opposite(work.splits[split], str(name), cells), wrong)
            for name, wrong in flips
        ]
    column = work.columns.labels[0]
    changed = [label for label, _ in flips]
    table = work.splits[split].select([position], step="one row")
    had = next(iter(sets_of(table, work.columns))) or ()
    wanted = [label for label in had if label not in changed] + [label for label in changed if label not in had]
    given, separator = cells[column], work.columns.separator
    suggested: Any = wanted
    if isinstance(given, str):
        as_list = given.strip().startswith("[") or separator is None
        suggested = json.dumps(wanted, ensure_ascii=False) if as_list else (separator or "").join(map(str, wanted))
    return [work.suspect(row, column, given, suggested, max(wrong for _, wrong in flips))]


def _opposite(table: Table, name: str, cells: Mapping[str, Any]) -> object:
    """The other one of the two values with which a column says whether its label applies, as the column writes it."""
    given = cells[name]
    others = (value for value in table.column(name) if value is not None and truth_of(value) != truth_of(given))
    return next(
        others, type(given)(not truth_of(given)) if not isinstance(given, str) else str(int(not truth_of(given)))
    )


def _numbers(work: _Work) -> _Found:
    suspects, estimates, judged = [], [], np.zeros(len(work.pool.sides), bool)
    step = work.steps(len(work.views) * FOLDS * len(work.columns.labels))
    for name in work.columns.labels:
        own = work.pooled({split: numbers_of(table, (name,))[:, 0] for split, table in work.splits.items()})
        found = find_number_suspects(work.views, own, work.pool.keys, seed=work.seed, done=step)
        judged |= ~np.isnan(found.wrong)
        if found.judged:
            estimates.append(_estimate(name, found))
        decimals = _decimals(own)
        for row in found.rows.tolist():
            given, better = float(own[row]), round(float(found.suggested[row]), decimals)
            shown = [int(each) if not decimals else each for each in (given, better)]
            suspects.append(work.suspect(row, name, shown[0], shown[1], float(found.wrong[row])))
    work.progress(1.0)
    return suspects, estimates, int(judged.sum())


def _decimals(numbers: FloatArray) -> int:
    """Places behind the point that the numbers are written with, at most three."""
    known = numbers[np.isfinite(numbers)]
    return next((places for places in range(3) if np.allclose(known, np.round(known, places))), 3)


def _estimate(name: str, found: Suspects) -> Estimate:
    listed = len(found.rows)
    right = 0.0 if math.isnan(found.precision) else found.precision * listed
    return Estimate(name, found.judged, found.expected, found.low, found.high, listed, right)


def _pool(splits: Mapping[str, Table], columns: Columns) -> _Pool:
    """Every row with a text."""
    sides: list[tuple[str, ...]] = []
    of: list[tuple[str, int]] = []
    keys: list[int] = []
    for split, table in splits.items():
        texts = [table.texts((name,)) for name in columns.text] if columns.pair else [table.texts(columns.text)]
        folded = folded_texts(table, columns)
        for position, (own, key) in enumerate(zip(zip(*texts, strict=True), folded, strict=True)):
            if not any(map(is_blank, own)):
                sides.append(own)
                of.append((split, position))
                keys.append(blake2b_key(key))
    return _Pool(sides, of, copies_together(sides, np.array(keys, np.uint64)))


def _views(pool: _Pool, vectors: TextVectors, progress: Progress) -> list[View]:
    """Vectors of the texts; of pairs both, how they differ and where they agree; and the terms."""
    count = len(pool.sides[0])
    dense = []
    for number, side in enumerate(zip(*pool.sides, strict=True)):

        def told(done: int, number: int = number) -> None:
            progress((number + done / len(pool.sides)) / count)

        dense.append(vectors(side, told))
    if count == 2:
        one, other = dense
        dense = [one, other, np.abs(one - other), one * other]
    return [np.concatenate(dense, axis=1), term_view(pool.sides)]


def rows_of_split(errors: LabelErrors, split: str) -> IntArray:
    """Ascending, each once: numbers of the rows on the list in a split's file."""
    return np.unique(np.array([each.row for each in errors.suspects if each.split == split], np.int64))
