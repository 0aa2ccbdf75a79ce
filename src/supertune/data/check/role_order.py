"""Messages in an order that chat templates do not know."""

from __future__ import annotations

from supertune.contracts import Finding
from supertune.data.check.input import CheckInput
from supertune.data.check.odd_rows import Kind, findings_of, warning

_SOME_REFUSE = "many chat templates refuse that"
_KINDS = (
    Kind(
        "twice",
        "has two messages of the same side in a row",
        "have two messages of the same side in a row",
        warning,
        f"join them into one, or add what is missing between them: {_SOME_REFUSE}",
    ),
    Kind(
        "assistant first",
        "begins with the assistant",
        "begin with the assistant",
        warning,
        f"begin with a message of the user: {_SOME_REFUSE}",
    ),
    Kind(
        "late system",
        "has a system message that is not the first",
        "have a system message that is not the first",
        warning,
        f"put it first, or make it a message of the user: {_SOME_REFUSE}",
    ),
    Kind(
        "uncalled tool",
        "has an answer of a function that nobody called",
        "have an answer of a function that nobody called",
        warning,
        "write the call before it: in tool_calls of the assistant, with the same id",
    ),
)


def check_role_order(check_input: CheckInput) -> list[Finding]:
    """Find conversations in which user and assistant do not take turns, or functions answer that were not called."""
    return findings_of(check_input, "role-order", _KINDS)
