"""Conversations, or their ends, that nobody answers."""

from __future__ import annotations

from supertune.contracts import Finding
from supertune.data.check.input import CheckInput
from supertune.data.check.odd_rows import Kind, error_of_many, findings_of, info

_KINDS = (
    Kind(
        "no answer",
        "has no message of the assistant, so there is nothing to learn",
        "have no message of the assistant, so there is nothing to learn",
        error_of_many,
        "add the answers or remove the rows; if the assistant goes by another name: "
        "--set task.roles='{its name: assistant}'",
    ),
    Kind(
        "open end",
        "ends with what the assistant did not say; nothing is learned from its end",
        "end with what the assistant did not say; nothing is learned from their ends",
        info,
        "nothing, or cut such conversations behind their last answer",
    ),
)


def check_unanswered(check_input: CheckInput) -> list[Finding]:
    """Find conversations without any answer, and those that go on behind the last one."""
    return findings_of(check_input, "unanswered", _KINDS)
