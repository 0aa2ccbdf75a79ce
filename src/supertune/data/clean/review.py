"""What a person decided about labels."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import ClassVar

from pydantic import Field, field_validator

from supertune.data.clean.operator import Decided
from supertune.data.label_errors import Applied, Decision, apply_review, read_review
from supertune.data.table import Table


class Review(Decided):
    """Labels changed and rows left out as a person decided, in a list that ``supertune check --review`` wrote.

    The list is about the rows as they are in their file: put this step first. Lines without a decision do nothing.
    """

    name: ClassVar[str] = "review"
    file: str = Field(description="the list with decisions filled in: CSV, XLSX or JSONL")
    new_labels: bool = Field(False, description="take labels that no row has; else they are refused as slips")

    @field_validator("file")
    @classmethod
    def _from_anywhere(cls, file: str) -> str:
        """The whole path, so that what is recorded finds the list from any folder."""
        return str(Path(file).expanduser().resolve())

    @cached_property
    def _decisions(self) -> list[Decision]:
        return read_review(self.file)

    def done(self, table: Table, split: str) -> tuple[Table, Applied]:
        """See `Decided`."""
        return apply_review(table, self._decisions, split=split, new_labels=self.new_labels)
