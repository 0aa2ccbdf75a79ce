"""HTML in conversations: mostly what is left of the pages that texts were taken from."""

from __future__ import annotations

from supertune.contracts import Finding
from supertune.data.check.input import CheckInput
from supertune.data.check.odd_rows import Kind, findings_of, info, warning_of_many

_KINDS = (
    Kind(
        "markup answered",
        "has HTML in an answer, which is learned",
        "have HTML in answers, which is learned",
        warning_of_many,
        "take the tags out, unless HTML is what is to be written; that in code (```) is not counted",
    ),
    Kind(
        "markup asked",
        "has HTML in what is asked",
        "have HTML in what is asked",
        info,
        "take the tags out, unless what will be asked has them as well",
    ),
)


def check_artefacts(check_input: CheckInput) -> list[Finding]:
    """Find tags and entities of HTML outside of code."""
    return findings_of(check_input, "artefacts", _KINDS)
