"""A value where none is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from pydantic import Field

from supertune.data.clean.operator import TextEdit
from supertune.language import is_missing


class Fill(TextEdit):
    """A word where a column says nothing, so that ``title`` and ``body`` need not both be there."""

    name: ClassVar[str] = "fill"
    value: str = Field(description="what stands where nothing was")

    def edit(self, text: str) -> str:
        """See `TextEdit`."""
        return self.value if is_missing(text) else text

    def values(self, values: Sequence[Any]) -> list[Any]:
        """See `TextEdit`."""
        return [self.value if is_missing(value) else value for value in values]
