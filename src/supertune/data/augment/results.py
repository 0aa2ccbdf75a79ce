"""What came of augmenting: the rows, and what each augmenter did."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from supertune.data.table import Table


@dataclass(frozen=True)
class Change:
    """One text before and after.

    Attributes:
        row: Number of the original in its source.
        column: Its column.
        before: As it is.
        after: As it became in the new row.
    """

    row: int
    column: str
    before: str
    after: str


@dataclass
class Made:
    """What one augmenter did.

    Attributes:
        name: Its name.
        options: Its options that are not the defaults.
        asked: New rows that were asked of it.
        added: New rows that were added.
        dropped: Why others were not → how many.
        samples: Some of its changes.
    """

    name: str
    options: Mapping[str, Any]
    asked: int = 0
    added: int = 0
    dropped: dict[str, int] = field(default_factory=dict)
    samples: list[Change] = field(default_factory=list)

    def drop(self, reason: str) -> None:
        """Count a row that was not added."""
        self.dropped[reason] = self.dropped.get(reason, 0) + 1

    def as_dict(self) -> dict[str, Any]:
        """Counts and samples as JSON."""
        return {
            "augmenter": self.name,
            "options": dict(self.options),
            "asked": self.asked,
            "added": self.added,
            "dropped": dict(sorted(self.dropped.items(), key=lambda item: (-item[1], item[0]))),
            "samples": [asdict(change) for change in self.samples],
        }


@dataclass(frozen=True)
class Augmented:
    """Training rows with what was added.

    Attributes:
        table: The original rows in their order, then the added ones in the order of theirs; see
            `supertune.data.augmented_rows` for the columns that tell them apart.
        made: What each augmenter did, in order.
        announcements: What the user should know, one sentence each.
    """

    table: Table
    made: tuple[Made, ...]
    announcements: tuple[str, ...] = ()
