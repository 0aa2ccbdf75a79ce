"""What was found of labels that are probably wrong, as other rooms and people see it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Suspect:
    """A cell whose label is probably wrong.

    Attributes:
        split: The split it is in.
        row: 0-based number of its row in that split's file.
        text: The row's text; the sides of a pair one per line.
        column: The label column.
        given: The cell as it is.
        suggested: What it should rather be, in the form that the column has.
        probability: How probably the given label is wrong.
    """

    split: str
    row: int
    text: str
    column: str
    given: Any
    suggested: Any
    probability: float


@dataclass(frozen=True)
class Estimate:
    """How many labels of a column, or of one of several labels, are wrong.

    Attributes:
        name: The column, or the label.
        judged: Rows that were judged.
        expected: How many of them are wrong.
        low: Lower end of the 95 % interval.
        high: Upper end.
        listed: How many are listed.
        right_listed: How many of those are expected to be wrong indeed.
    """

    name: str
    judged: int
    expected: float
    low: float
    high: float
    listed: int
    right_listed: float


@dataclass(frozen=True)
class LabelErrors:
    """The list, and what is to be expected of it.

    Attributes:
        suspects: The surest first.
        estimates: One for each thing that was judged by itself.
        rows: How many rows there are.
        unjudged: How many of them could not be judged: classes with too few texts, or no label.
    """

    suspects: tuple[Suspect, ...]
    estimates: tuple[Estimate, ...]
    rows: int
    unjudged: int

    @property
    def total(self) -> Estimate:
        """All estimates as one; several as if they erred independently of each other."""
        return total_of(self.estimates)


def total_of(estimates: Sequence[Estimate]) -> Estimate:
    """Sums; of the distances to the ends of the intervals the root of the sum of squares."""
    expected = sum(each.expected for each in estimates)
    below = math.sqrt(sum((each.expected - each.low) ** 2 for each in estimates))
    above = math.sqrt(sum((each.high - each.expected) ** 2 for each in estimates))
    return Estimate(
        "all",
        max((each.judged for each in estimates), default=0),
        expected,
        max(0.0, expected - below) if len(estimates) != 1 else estimates[0].low,
        expected + above,
        sum(each.listed for each in estimates),
        sum(each.right_listed for each in estimates),
    )
