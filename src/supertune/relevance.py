"""What is asked for and what is found: queries, passages, and how relevant one is to the other.

A row names a query and a passage. Without a column of relevance the passage is what the query asks for. With one,
``0`` says that it is not, and anything above says how much it is. Further columns may hold passages that are known not
to be it (hard negatives), one in each or several in a list.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from supertune.contracts import Columns, IntArray, Outcome, Rows
from supertune.errors import UserError
from supertune.language import is_missing, join_fields, number_of, shorten

MOST_FOUND = 100
"""Passages of each query that metrics look at."""
CANDIDATES = "supertune_candidates"
"""The column of passages that were looked for, and not named by the user."""


@dataclass(frozen=True)
class Ranked:
    """A query, a passage, and what is known of the two.

    Attributes:
        query: What is asked.
        passage: What may be found.
        relevance: How much the passage is what is asked for: 0 for not at all; None where nobody has said.
        negatives: Passages that are not what is asked for.
    """

    query: str
    passage: str
    relevance: float | None
    negatives: tuple[str, ...] = ()


def ranked_of(rows: Rows, columns: Columns) -> Iterator[Ranked]:
    """The rows in order; without a column of relevance each passage has the relevance 1.

    Raises:
        UserError: A relevance is no number, or below 0.
    """
    label = next((name for name in columns.labels if name in rows.column_names), None)
    known = columns.label is None
    negatives = [name for name in columns.negatives if name in rows.column_names]
    row = 0
    for batch in rows.batches(columns=(*columns.text, *([label] if label else []), *negatives)):
        for position in range(len(batch[columns.text[0]])):
            query, passage = (join_fields([batch[name][position]]) for name in columns.text)
            relevance = 1.0 if known else None
            if label is not None:
                relevance = _relevance(batch[label][position], label, int(rows.row_ids[row]))
            others = tuple(
                text for name in negatives for text in _texts(batch[name][position], name, int(rows.row_ids[row]))
            )
            yield Ranked(query, passage, relevance, others)
            row += 1


def ranking_outcome(found: IntArray, relevant: Sequence[dict[int, float]]) -> Outcome:
    """What metrics of rankings look at.

    Args:
        found: int64 (queries, items): numbers of the passages found, the best first.
        relevant: For each query number of a passage → relevance, above 0.
    """
    outputs = np.zeros(found.shape)
    targets = np.empty(len(relevant), object)
    for row, (numbers, known) in enumerate(zip(found.tolist(), relevant, strict=True)):
        outputs[row] = [known.get(number, 0.0) for number in numbers]
        targets[row] = tuple(sorted(known.values(), reverse=True))
    return Outcome(targets, outputs, answers="ranking")


def best(similarities: NDArray[np.floating[Any]], count: int) -> IntArray:
    """int64 (rows, count): the columns with the highest values of each row, the highest first; ties by number."""
    count = min(count, similarities.shape[1])
    if not count:
        return np.zeros((len(similarities), 0), np.int64)
    # Among equals on the border argpartition takes any: what is as high as the last one is looked at whole.
    last = -np.partition(-similarities, count - 1, axis=1)[:, count - 1 : count]
    order = np.empty((len(similarities), count), np.int64)
    for row, (values, least) in enumerate(zip(similarities, last, strict=True)):
        high = np.flatnonzero(values >= least[0])
        order[row] = high[np.argsort(-values[high], kind="stable")][:count]
    return order


def _texts(value: object, column: str, row: int) -> tuple[str, ...]:
    """The texts of a cell: one, or those of a list, which may be JSON in a text; nothing for an empty one.

    Raises:
        UserError: It holds something else.
    """
    if is_missing(value):
        return ()
    if isinstance(value, list | tuple):
        return tuple(text for each in value for text in _texts(each, column, row))
    if not isinstance(value, str):
        raise UserError(
            f"row {row} has {shorten(repr(value), 40)}, which is no text",
            where=f"column {column!r}",
            fix="write a passage, or a list of passages",
        )
    if value.lstrip().startswith("["):
        try:
            found = json.loads(value)
        except ValueError:
            # A text may begin with a bracket.
            found = value
        if isinstance(found, list):
            return _texts(found, column, row)
    return (join_fields([value]),)


def _relevance(value: object, column: str, row: int) -> float | None:
    """The value as a number of at least 0; None where there is none.

    Raises:
        UserError: It is no such number.
    """
    if is_missing(value):
        return None
    if (number := number_of(value)) >= 0:
        return number
    raise UserError(
        f"row {row} has {shorten(repr(value), 40)}, which is no relevance",
        where=f"column {column!r}",
        fix="write 0 for a passage that is not what the query asks for, 1 (or how much) for one that is",
    )
