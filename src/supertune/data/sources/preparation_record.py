"""What was done to the rows of a file before, as the record in its folder says."""

from __future__ import annotations

from pathlib import Path

from supertune.data.table import Step
from supertune.errors import UserError
from supertune.files import read_json, sha256_file

RECORD = "preparation.json"


def lineage_beside(path: Path) -> tuple[tuple[Step, ...], str | None]:
    """The steps by which a file came to be, and a remark for the user; nothing where there is no record.

    A file that was changed since is not what the record speaks of: then there are no steps.
    """
    beside = path.parent / RECORD
    if not path.is_file() or not beside.is_file():
        return (), None
    try:
        parts = read_json(beside)["splits"].values()
        found = next((part for part in parts if part["file"] == path.name), None)
        if found is None:
            return (), None
        steps = tuple(Step(**step) for step in found["lineage"])
        same, source, count = sha256_file(path) == found["sha256"], found["source"], _count(found["steps"], steps)
    except (UserError, LookupError, TypeError, AttributeError):
        return (), f"{RECORD} beside it is no record of a preparation, and is not used"
    if not same:
        return (), f"was changed after it was prepared: what {RECORD} says of it is not used"
    return steps, f"prepared from {source} in {count} steps ({RECORD})"


def _count(done: list[object], lineage: tuple[Step, ...]) -> int:
    """How many steps were done: those of a cleaning, or the augmenters."""
    return len(done) or sum(step.name.startswith("augment:") for step in lineage)
