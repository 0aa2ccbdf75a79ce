"""Control tokens of chat templates that stand in texts."""

from __future__ import annotations

from supertune.contracts import Finding
from supertune.data.check.input import CheckInput
from supertune.data.check.odd_rows import Kind, error_of_many, findings_of, warning

_KINDS = (
    Kind(
        "control answered",
        "has a control token of a chat template in an answer, spelled out",
        "have control tokens of chat templates in answers, spelled out",
        error_of_many,
        "remove them: the template writes its own, and these would be learned as text. "
        "Of conversations that were written out already give the messages instead",
    ),
    Kind(
        "control asked",
        "has a control token of a chat template in what is asked, spelled out",
        "have control tokens of chat templates in what is asked, spelled out",
        warning,
        "remove them if they are no part of what was written; they are read as text, never as tokens",
    ),
)


def check_control_tokens(check_input: CheckInput) -> list[Finding]:
    """Find ``<|im_end|>``, ``[INST]`` and their like, whatever the model: they come from copied conversations."""
    return findings_of(check_input, "control-tokens", _KINDS)
