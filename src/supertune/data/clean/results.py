"""What a preparation did: each step's rows and changes, and which rows went, when and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from supertune.contracts import IntArray
from supertune.data.table import Table

SAMPLES = 5
"""Changes of each step that are kept to be looked at."""

_SPREAD = np.uint64(0x9E3779B97F4A7C15)


def lots(rows: IntArray) -> NDArray[np.uint64]:
    """A number for each row id that orders rows as if by chance, the same in every process; the smallest are sampled.

    Fibonacci hashing (Knuth, The Art of Computer Programming 3, 6.4).
    """
    return rows.astype(np.uint64) * _SPREAD


@dataclass(frozen=True)
class Change:
    """One text before and after a step.

    Attributes:
        row: Its row id.
        column: Its column.
        before: As it was.
        after: As it became.
    """

    row: int
    column: str
    before: str
    after: str


@dataclass
class Tally:
    """What a step did to some rows.

    Attributes:
        rows_in: Rows it saw.
        changed: Rows of which it changed something.
        removed: Row id → why it went.
        samples: Some of its changes.
    """

    rows_in: int = 0
    changed: int = 0
    removed: dict[int, str] = field(default_factory=dict)
    samples: list[Change] = field(default_factory=list)

    def add(self, other: Tally) -> None:
        """Count what the step did to other rows as well."""
        self.rows_in += other.rows_in
        self.changed += other.changed
        self.removed.update(other.removed)
        samples = [*self.samples, *other.samples]
        rows = np.fromiter((change.row for change in samples), np.int64, len(samples))
        self.samples = [samples[index] for index in np.argsort(lots(rows), kind="stable")[:SAMPLES]]


@dataclass(frozen=True)
class StepDone:
    """One step of a preparation, as it went for one split.

    Attributes:
        name: Name of the operator.
        options: Its options that are not the defaults.
        tally: What it did.
    """

    name: str
    options: Mapping[str, Any]
    tally: Tally

    def as_dict(self) -> dict[str, Any]:
        """Counts and samples as JSON; which rows went stands elsewhere."""
        reasons: dict[str, int] = {}
        for reason in self.tally.removed.values():
            reasons[reason] = reasons.get(reason, 0) + 1
        return {
            "step": self.name,
            "options": dict(self.options),
            "rows_in": self.tally.rows_in,
            "rows_out": self.tally.rows_in - len(self.tally.removed),
            "changed": self.tally.changed,
            "removed": dict(sorted(reasons.items(), key=lambda item: (-item[1], item[0]))),
            "samples": [asdict(change) for change in self.tally.samples],
        }


@dataclass(frozen=True)
class Cleaned:
    """What a preparation made of tables.

    Attributes:
        tables: Split → the rows that stayed, with the row ids they had.
        steps: Split → what each step did, in order.
    """

    tables: Mapping[str, Table]
    steps: Mapping[str, tuple[StepDone, ...]]

    def removed(self, split: str) -> dict[int, tuple[str, str]]:
        """Row id of every row that went → the step that left it out, and why; in the order of the rows."""
        gone = {row: (step.name, reason) for step in self.steps[split] for row, reason in step.tally.removed.items()}
        return dict(sorted(gone.items()))
