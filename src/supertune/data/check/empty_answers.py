"""Answers in conversations that say nothing."""

from __future__ import annotations

from supertune.contracts import Finding
from supertune.data.check.input import CheckInput
from supertune.data.check.odd_rows import Kind, error_of_many, findings_of

_KIND = Kind(
    "empty answer",
    "has an empty answer of the assistant",
    "have an empty answer of the assistant",
    error_of_many,
    "write the answers or remove the rows; empty answers are not learned from",
)


def check_empty_answers(check_input: CheckInput) -> list[Finding]:
    """Find answers without text, reasoning and calls of functions: who learned from them would learn to say nothing."""
    return findings_of(check_input, "empty-answers", (_KIND,))
