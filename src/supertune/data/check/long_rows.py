"""Conversations of a megabyte and more."""

from __future__ import annotations

from supertune.contracts import Finding
from supertune.data.check.input import CheckInput
from supertune.data.check.odd_rows import Kind, findings_of, warning

_KIND = Kind(
    "long",
    "is a megabyte long or longer",
    "are a megabyte long or longer",
    warning,
    "look at them: files end up in texts, and hardly a model reads so far",
)


def check_long_rows(check_input: CheckInput) -> list[Finding]:
    """Find rows whose messages are a megabyte or more of UTF-8."""
    return findings_of(check_input, "long-rows", (_KIND,))
