"""Rows in which something is missing."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from supertune.data.clean.leaves import texts_in
from supertune.data.clean.operator import Batch, Filter
from supertune.language import is_blank, is_missing


class Missing(Filter):
    """Rows without any text are left out; on request also those with one text missing, or without a label.

    Rows without a label are otherwise kept: they can be labelled.
    """

    name: ClassVar[str] = "missing"
    text: Literal["drop", "keep"] = Field("drop", description="rows in which no text column says anything")
    any_text: bool = Field(False, description="also rows in which one of several text columns is empty")
    label: Literal["drop", "keep"] = Field("keep", description="rows without a value to learn")

    def reasons(self, batch: Batch) -> list[str | None]:
        """See `Filter`."""
        columns = [batch.values[name] for name in batch.roles.text]
        labels = [batch.values[name] for name in batch.roles.labels]
        return [self._reason(batch, columns, labels, row) for row in range(batch.rows)]

    def _reason(self, batch: Batch, columns: list[Any], labels: list[Any], row: int) -> str | None:
        if self.text == "drop":
            empty = [_is_empty(column[row]) for column in columns]
            if all(empty):
                return "no text"
            if self.any_text and any(empty):
                return f"nothing in {batch.roles.text[empty.index(True)]!r}"
        if self.label == "drop" and labels and all(_is_empty(column[row]) for column in labels):
            return "no label"
        return None


def _is_empty(value: Any) -> bool:
    if isinstance(value, list | dict):
        said = texts_in(value)
        return not value or (bool(said) and all(map(is_blank, said)))
    return is_missing(value)
