"""Which rows have which labels, where a row has several or none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from supertune.contracts import Columns, IntArray, Label
from supertune.data.check.labels import MISSING, CodeArray, LabelCodes
from supertune.data.set_columns import sets_of
from supertune.data.span_columns import entities_of_rows
from supertune.data.table import Table


@dataclass(frozen=True)
class LabelMembers:
    """The labels of every row, a pair of row and label for each.

    Attributes:
        labels: The distinct labels in the order in which they are first met.
        of: Split → (int64 (pairs,) index of the row, int32 (pairs,) index into ``labels``), rows ascending.
    """

    labels: tuple[Label, ...]
    of: Mapping[str, tuple[IntArray, CodeArray]]

    def counts(self, split: str, *, without: NDArray[np.bool_] | None = None) -> NDArray[np.int64]:
        """int64 (labels,): rows with each label in a split, leaving out those in ``without``."""
        rows, codes = self.of[split]
        counted = codes if without is None else codes[~without[rows]]
        return np.bincount(counted, minlength=len(self.labels))

    def rows_with(self, split: str, labels: IntArray) -> IntArray:
        """Ascending indices of a split's rows that have one of the labels."""
        rows, codes = self.of[split]
        return np.unique(rows[np.isin(codes, labels)])


def label_members(splits: Mapping[str, Table], columns: Columns) -> LabelMembers:
    """Number the labels of all splits together; ``1`` and ``true`` are different ones."""
    known: dict[tuple[bool, Label], int] = {}
    of = {}
    for split, table in splits.items():
        rows, codes = [], []
        for row, labels in enumerate(_labels_of(table, columns)):
            for label in labels or ():
                rows.append(row)
                codes.append(known.setdefault((isinstance(label, bool), label), len(known)))
        of[split] = np.array(rows, np.int64), np.array(codes, np.int32)
    return LabelMembers(tuple(label for _, label in known), of)


def _labels_of(table: Table, columns: Columns) -> Iterator[tuple[Label, ...] | None]:
    """The labels of every row, each once: those that it has, or those of the entities in its text."""
    if columns.answers == "sets":
        yield from sets_of(table, columns)
        return
    for row in entities_of_rows(table, columns):
        # Python holds True and 1 for the same key, and entities are never labelled with truth values.
        yield None if row.entities is None else tuple(dict.fromkeys(entity.label for entity in row.entities))


def set_codes(splits: Mapping[str, Table], columns: Columns) -> LabelCodes:
    """Rows with the same labels, in whatever order, have the same code."""
    known: dict[frozenset[tuple[bool, Label]], int] = {}
    of = {}
    for split, table in splits.items():
        codes = np.full(len(table), MISSING, np.int32)
        for row, labels in enumerate(sets_of(table, columns)):
            if labels is not None:
                own = frozenset((isinstance(label, bool), label) for label in labels)
                codes[row] = known.setdefault(own, len(known))
        of[split] = codes
    return LabelCodes(tuple(", ".join(sorted(str(label) for _, label in own)) for own in known), of)


def rarest_labels(table: Table, columns: Columns) -> LabelCodes:
    """The label of every row that the fewest rows have: what rows are divided by, so that rare labels come out.

    The rarest label first is also how Sechidis et al. 2011, "On the stratification of multi-label data", go about it.
    A row without labels is one of a class of its own.
    """
    members = label_members({"all": table}, columns)
    rows, codes = members.of["all"]
    common = np.argsort(-members.counts("all"), kind="stable")
    place = np.empty(len(common), np.int32)
    place[common] = np.arange(len(common), dtype=np.int32)
    rarest = np.full(len(table), MISSING, np.int32)
    np.maximum.at(rarest, rows, place[codes])
    return LabelCodes(tuple(members.labels[code] for code in common), {"all": rarest})
