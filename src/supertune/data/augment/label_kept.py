"""New rows that no longer say what their label says, found by heads that have not learned from their originals."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from supertune.contracts import Columns, FloatArray, IntArray, TextVectors
from supertune.data.augment.results import Augmented, Made
from supertune.data.augmented_rows import AUGMENTED_FROM, AUGMENTER, ROW, added_rows
from supertune.data.check.labels import label_codes
from supertune.data.check.texts import blake2b_key, folded_texts
from supertune.data.label_errors.folds import FOLDS, fold_of, groups_per_class
from supertune.data.label_errors.heads import class_heads
from supertune.data.table import Table
from supertune.errors import UserError

REASON = "read as another label"
_VECTORS = 0.8
"""Share of the work that is making vectors, as a bar shows it."""


@dataclass(frozen=True)
class ChangedLabel:
    """A new row that was left out.

    Attributes:
        values: The row as it would have been added.
        read_as: The label that is read from its text.
        probability: How probable that label is by what read it, 0 to 1.
    """

    values: dict[str, Any]
    read_as: object
    probability: float

    def as_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {"reason": REASON, "read_as": self.read_as, "probability": self.probability, "values": self.values}


@dataclass(frozen=True)
class LabelsKept:
    """What is left, and what is not.

    Attributes:
        augmented: Without the rows that are read as another label.
        changed: Those, in the order of the table.
        judged: New rows of originals that are read as their own label: of others nothing can be told, and they stay.
    """

    augmented: Augmented
    changed: tuple[ChangedLabel, ...]
    judged: int


def check_labels_can_be_kept(table: Table, columns: Columns) -> None:
    """Check that there are labels to be read, and texts enough to learn reading them.

    Raises:
        UserError: There are not.
    """
    if columns.answers != "classes" or not columns.labels:
        what = f"answers that are {columns.answers} are not read again" if columns.labels else "there are no labels"
        raise UserError(what, where="--keep-labels", fix="leave it out: it is for rows with one label each")
    codes = label_codes({"all": table}, columns.label).of["all"]
    labels, keys = codes.astype(np.int64), _keys(table, columns)
    labelled = labels >= 0
    per_class = groups_per_class(labels[labelled], keys[labelled], int(labels.max(initial=0)) + 1)
    if (per_class >= FOLDS).sum() < 2:
        raise UserError(
            f"fewer than two labels have {FOLDS} different texts: too few to learn to read them",
            where="--keep-labels",
            fix="leave it out, or label more rows",
        )


def without_changed_labels(
    made: Augmented,
    before: int,
    columns: Columns,
    vectors: TextVectors,
    *,
    seed: int = 0,
    progress: Callable[[float], None] = lambda _: None,
) -> LabelsKept:
    """Leave out new rows whose label the change has probably changed.

    Five heads on frozen vectors learn from four fifths of the originals each. A new row is read by the head that has
    learned neither from its original nor from any copy of that. It is left out if its original is read as the label
    that it has and the new one as another: then the change has made the difference, as far as the head can tell. Where
    the original itself is read wrongly the head knows too little, and the new row stays.

    Args:
        made: Training rows with new ones behind them.
        before: How many rows there were before the new ones; those among them that were made of others earlier are
            neither learned from nor judged.
        columns: Texts and label.
        vectors: Makes vectors of texts.
        seed: Chooses the folds.
        progress: Told the share that is done.

    Raises:
        UserError: See `check_labels_can_be_kept`.
    """
    table = made.table
    originals = ~added_rows(table)
    check_labels_can_be_kept(table.select(np.flatnonzero(originals), step="originals"), columns)
    codes = label_codes({"all": table}, columns.label)
    labels = codes.of["all"].astype(np.int64)
    new = np.arange(len(table)) >= before
    learned = np.flatnonzero(originals & (labels >= 0))
    home = _origins(table, learned)
    judged = np.flatnonzero(new & (home >= 0) & (labels >= 0))
    if not len(judged):
        return LabelsKept(made, (), 0)
    rows = np.concatenate([learned, judged])
    place = np.full(len(table), -1, np.int64)
    place[learned] = np.arange(len(learned))
    folds = fold_of(labels[learned], _keys(table, columns)[learned], seed=seed)
    folds = np.concatenate([folds, folds[place[home[judged]]]])
    # New rows weigh nothing where heads learn: they are only read.
    weights = np.concatenate([np.ones(len(learned)), np.zeros(len(judged))])
    view = _vectors_of(table.select(rows, step="judged"), columns, vectors, progress)
    # Vectors of some encoders (E5) lie in a narrow cone, in which heads that are held back see one class alone.
    view = view - view[: len(learned)].mean(axis=0)
    step = iter(range(1, FOLDS + 1))
    told = class_heads(
        [view], labels[rows], folds, weights, lambda: progress(_VECTORS + (1 - _VECTORS) * next(step) / FOLDS)
    )[0]
    read = told.argmax(axis=1)
    sure = read[place[home[judged]]] == labels[home[judged]]
    gone = sure & (read[len(learned) :] != labels[judged])
    changed = tuple(
        ChangedLabel(values, codes.labels[read[len(learned) + one]], float(np.exp(told[len(learned) + one].max())))
        for one, values in zip(np.flatnonzero(gone), table.select(judged[gone], step="changed").rows(), strict=True)
    )
    return LabelsKept(_without(made, judged[gone]), changed, int(sure.sum()))


def _keys(table: Table, columns: Columns) -> Any:
    return np.array([blake2b_key(text) for text in folded_texts(table, columns)], np.uint64)


def _origins(table: Table, learned: IntArray) -> IntArray:
    """int64 (rows,): position of the row that each was made of, -1 for originals and where it is not there."""
    if AUGMENTED_FROM not in table.column_names:
        return np.full(len(table), -1, np.int64)
    numbers = table.column(ROW)
    places = {numbers[row]: int(row) for row in learned}
    return np.array([places.get(number, -1) for number in table.column(AUGMENTED_FROM)], np.int64)


def _vectors_of(table: Table, columns: Columns, vectors: TextVectors, progress: Callable[[float], None]) -> FloatArray:
    """(rows, width): of pairs both vectors, how they differ and where they agree."""
    sides = [(name,) for name in columns.text] if columns.pair else [columns.text]
    found = []
    for number, side in enumerate(sides):
        texts = list(table.texts(side))

        def told(done: int, number: int = number, count: int = len(texts)) -> None:
            progress(_VECTORS * (number + done / count) / len(sides))

        found.append(vectors(texts, told))
    if len(found) == 2:
        one, other = found
        found = [one, other, np.abs(one - other), one * other]
    return np.concatenate(found, axis=1)


def _without(made: Augmented, gone: IntArray) -> Augmented:
    """Without some new rows, and with the counts put right."""
    if not len(gone):
        return made
    kept = np.setdiff1d(np.arange(len(made.table)), gone)
    names = made.table.column(AUGMENTER)
    lost = Counter(names[row] for row in gone)
    return replace(
        made,
        table=made.table.select(kept, step="keep-labels", parameters={"left_out": len(gone)}),
        made=tuple(_fewer(each, lost[each.name]) for each in made.made),
    )


def _fewer(made: Made, count: int) -> Made:
    if not count:
        return made
    return replace(made, added=made.added - count, dropped={**made.dropped, REASON: count})
