"""What became of rows on their way to the model."""

from __future__ import annotations

from supertune.contracts import Features
from supertune.tasks import RenderingCounts


def counts_of(features: Features) -> RenderingCounts:
    """What became of the rows when they were encoded, by their numbers in their file."""
    assert features.notes is not None
    assert features.table is not None
    return RenderingCounts.from_summary(features.notes).numbered(features.table.row_ids)
