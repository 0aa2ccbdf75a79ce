"""How many rows are added: so many of each row, or as many as a class lacks."""

from __future__ import annotations

from pydantic import Field, model_validator

from supertune.config.section import Section

MOST_COPIES = 8


class Amount(Section):
    """How many rows are added.

    Without ``balance`` and ``rows_per_class`` every augmenter makes ``copies`` rows of every row. With one of them only
    classes that have too few rows get more, from all augmenters in turn, drawn by the seed.
    """

    copies: int = Field(1, ge=1, le=100, description="new rows that each augmenter makes of each row")
    balance: bool = Field(False, description="bring each class up to the largest one, and add nothing else")
    rows_per_class: int | None = Field(None, ge=1, description="bring each class up to so many rows, and add no others")
    most_of_one: int = Field(
        MOST_COPIES, ge=1, le=100, description="most new rows of one row, where classes are brought up"
    )

    @model_validator(mode="after")
    def _one_way(self) -> Amount:
        if self.balance and self.rows_per_class is not None:
            raise ValueError("balance and rows_per_class are two ways to say how many: choose one")
        return self

    @property
    def by_class(self) -> bool:
        """Whether classes are brought up, instead of so many new rows of each row."""
        return self.balance or self.rows_per_class is not None
