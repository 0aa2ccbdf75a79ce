"""What the gate found and can be put right without deciding anything."""

from __future__ import annotations

from collections.abc import Sequence

from supertune.config import WrittenStep
from supertune.contracts import Columns, Finding
from supertune.data import default_steps

MENDED_BY = {
    "empty-rows": ("missing",),
    "damaged-texts": ("encoding", "html", "control-characters", "missing", "exact-duplicates", "leakage"),
    "exact-duplicates": ("exact-duplicates",),
    "label-names": ("labels", "exact-duplicates"),
    "leakage": ("leakage",),
}
"""Check → the steps that mend what it finds and what may come of that: repaired texts may be empty, or the same.

What a model thinks is not among them, nor is what people have to decide: which of two labels is right, whether texts
that are nearly the same are meant to be, or whether a short class is worth keeping.
"""


def mending_steps(findings: Sequence[Finding], columns: Columns, *, several_splits: bool) -> tuple[WrittenStep, ...]:
    """The steps of a preparation that mend what was found, in the order in which they belong.

    Only steps that suit rows of this kind anyway are taken: places that answers are pointed at with do not move, and
    what a model is to write keeps its HTML.
    """
    wanted = {step for finding in findings for step in MENDED_BY.get(finding.check, ())}
    return tuple(
        WrittenStep(name, options, "check --fix")
        for name, options in default_steps(columns, several_splits=several_splits)
        if name in wanted
    )
