"""What the gate found and can be put right without deciding anything."""

from __future__ import annotations

from collections.abc import Sequence

from supertune.config import WrittenStep
from supertune.contracts import Columns, Finding
from supertune.data import default_steps

_MENDED_BY = {
    "empty-rows": ("missing",),
    "damaged-texts": ("encoding", "html", "control-characters"),
    "exact-duplicates": ("exact-duplicates",),
    "label-names": ("labels",),
    "leakage": ("leakage",),
}
"""Check → the steps that mend what it finds.

What a model thinks is not among them, nor is what people have to decide: which of two labels is right, whether texts
that are nearly the same are meant to be, or whether a small class is worth keeping.
"""
_AFTERWARDS = {
    "damaged-texts": ("missing", "exact-duplicates", "leakage"),
    "label-names": ("exact-duplicates",),
}
"""Check → the steps for what may come of mending it: repaired texts may be empty, or the same as others."""


def mending_steps(findings: Sequence[Finding], columns: Columns, *, several_splits: bool) -> tuple[WrittenStep, ...]:
    """The steps of a preparation that mend what was found, in the order in which they belong.

    Only steps that suit rows of this kind anyway are taken: places that answers are pointed at with do not move, and
    what a model is to write keeps its HTML.
    """
    suited = default_steps(columns, several_splits=several_splits)
    names = {name for name, _ in suited}
    wanted: set[str] = set()
    for check in {finding.check for finding in findings}:
        direct = names.intersection(_MENDED_BY.get(check, ()))
        wanted |= direct.union(_AFTERWARDS.get(check, ())) if direct else direct
    return tuple(WrittenStep(name, options, "check --fix") for name, options in suited if name in wanted)
