"""What a step of a preparation is: it edits texts or answers, leaves rows out, or chooses among all rows.

An operator is one class in a file of its own, with its options as fields, and a line in `OPERATORS`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

from pydantic import Field

from supertune.config.section import Section
from supertune.contracts import Columns
from supertune.data.clean.leaves import edited, texts_in
from supertune.data.label_errors import Applied, LabelErrors
from supertune.data.table import Table
from supertune.language import is_blank


@dataclass(frozen=True)
class Roles:
    """What columns are to a step.

    Attributes:
        text: Those whose texts it looks at or changes.
        labels: Those to learn.
    """

    text: tuple[str, ...]
    labels: tuple[str, ...]


@dataclass(frozen=True)
class Batch:
    """Some rows, one behind the other.

    Attributes:
        values: Column → the value of each row; of the columns in ``roles``.
        roles: Which columns are what.
        rows: How many rows there are.
    """

    values: Mapping[str, Sequence[Any]]
    roles: Roles
    rows: int

    @cached_property
    def texts(self) -> list[str]:
        """All that is said in each row, column by column, message by message, a line each."""
        sides = [[texts_in(value) for value in self.values[name]] for name in self.roles.text]
        rows = zip(*sides, strict=True)
        return ["\n".join(text for side in row for text in side if not is_blank(text)) for row in rows]


class Operator(Section, ABC):
    """A step of a preparation; its fields are its options."""

    name: ClassVar[str]

    @property
    def options(self) -> dict[str, Any]:
        """The options that are not the defaults, as JSON."""
        return self.model_dump(exclude_defaults=True)


class Edit(Operator):
    """Changes values, each for itself."""

    @abstractmethod
    def columns_of(self, roles: Roles) -> tuple[str, ...]:
        """The columns that it changes."""

    @abstractmethod
    def values(self, values: Sequence[Any]) -> list[Any]:
        """A column's values as they should be."""


class TextEdit(Edit):
    """Changes texts, each for itself; also those inside lists of messages."""

    columns: list[str] | None = Field(None, description="columns to change; none: those with the texts")

    @abstractmethod
    def edit(self, text: str) -> str:
        """The text as it should be. Never raises, and changes nothing more when called again."""

    def columns_of(self, roles: Roles) -> tuple[str, ...]:
        """See `Edit`."""
        return roles.text

    def values(self, values: Sequence[Any]) -> list[Any]:
        """See `Edit`."""
        edit: Callable[[str], str] = self.edit
        return [edit(value) if type(value) is str else edited(value, edit) for value in values]


class LabelEdit(Edit):
    """Changes what is to be learned."""

    def columns_of(self, roles: Roles) -> tuple[str, ...]:
        """See `Edit`."""
        return roles.labels

    def values(self, values: Sequence[Any]) -> list[Any]:
        """See `Edit`."""
        return list(map(self.value, values))

    @abstractmethod
    def value(self, value: Any) -> Any:
        """The value as it should be.

        Raises:
            UserError: It is none that may be.
        """


class Addition(Operator):
    """Adds columns of text that are made of each row's texts."""

    @property
    @abstractmethod
    def added(self) -> tuple[str, ...]:
        """Names of the new columns."""

    @property
    @abstractmethod
    def reads(self) -> str | None:
        """The column that it reads; None for all texts."""

    @abstractmethod
    def made(self, batch: Batch) -> dict[str, list[str]]:
        """New column → the value of each row."""


class Filter(Operator):
    """Leaves rows out, each judged for itself."""

    @abstractmethod
    def reasons(self, batch: Batch) -> list[str | None]:
        """Why each row is left out; None for rows that stay."""


class TextFilter(Filter):
    """Leaves rows out by what is said in them."""

    @abstractmethod
    def reason(self, text: str) -> str | None:
        """Why a row of this text is left out; None if it stays."""

    def reasons(self, batch: Batch) -> list[str | None]:
        """See `Filter`."""
        return [self.reason(text) for text in batch.texts]


class Judgement(Operator):
    """Leaves rows out whose label is probably wrong, as an encoder that was asked says."""

    @abstractmethod
    def left_out(self, tables: Mapping[str, Table], found: LabelErrors) -> Mapping[str, Mapping[int, str]]:
        """Split → position in its table → why the row is left out."""


class Decided(Operator):
    """Does what a person has decided about single rows."""

    @abstractmethod
    def done(self, table: Table, split: str) -> tuple[Table, Applied]:
        """The table as it was decided, and what was done.

        Raises:
            UserError: A decision is about a row that is not there, or is another one by now.
        """


class Selection(Operator):
    """Leaves rows out by comparing them with others: it has to see them all."""

    @abstractmethod
    def left_out(self, tables: Mapping[str, Table], columns: Columns) -> Mapping[str, Mapping[int, str]]:
        """Split → position in its table → why the row is left out."""
