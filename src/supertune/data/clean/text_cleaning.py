"""What was done to the texts that a model learned from, to be done to those that it is asked about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from supertune.contracts import Columns
from supertune.data.clean.operator import Operator, TextEdit
from supertune.data.clean.pipeline import clean
from supertune.data.clean.roles import roles_of
from supertune.data.clean.steps import built
from supertune.data.table import Step, Table

PREFIX = "clean:"
"""How the names of steps begin in a lineage."""
_PLACES = frozenset({"answers", "spans"})
"""Kinds of answers that are places in the texts as they were given."""


@dataclass(frozen=True)
class TextCleaning:
    """Changes of texts, in order.

    Which rows were left out and which labels were changed is no part of it: every row that is asked about is answered.

    Attributes:
        steps: Operators, each of which changes texts.
    """

    steps: tuple[TextEdit, ...] = ()

    @classmethod
    def of_lineage(cls, operators: Mapping[str, type[Operator]], lineage: Sequence[Step]) -> TextCleaning:
        """The changes of texts among the steps by which a table came to be.

        Args:
            operators: Those that there are; a step of another name is no change of texts.
            lineage: The table's.

        Raises:
            UserError: A step cannot be done with the options that it had.
        """
        named = [(step.name.removeprefix(PREFIX), step) for step in lineage if step.name.startswith(PREFIX)]
        steps = [
            {"step": name, "options": dict(step.parameters)}
            for name, step in named
            if issubclass(operators.get(name, Operator), TextEdit)
        ]
        return cls.from_json(operators, steps, "the record of the training rows")

    @classmethod
    def from_json(cls, operators: Mapping[str, type[Operator]], values: Sequence[Any], where: str) -> TextCleaning:
        """What `as_json` gave.

        Args:
            operators: Those that there are.
            values: An object for each step.
            where: File, for messages.

        Raises:
            UserError: There is no such step, or it cannot be done here, e.g. since a key for pseudonyms is missing.
        """
        steps = [built(operators, value["step"], value["options"], where) for value in values]
        return cls(tuple(step for step in steps if isinstance(step, TextEdit)))

    def as_json(self) -> list[dict[str, Any]]:
        """All steps with all their options, so that other defaults of a later version change nothing."""
        return [{"step": step.name, "options": step.model_dump(mode="json")} for step in self.steps]

    def __bool__(self) -> bool:
        return bool(self.steps)

    def text(self, text: str, columns: Columns) -> str:
        """A text of the first column as the model would have learned it; see `changed`."""
        for step in self.steps:
            if columns.answers not in _PLACES and (step.columns is None or columns.text[0] in step.columns):
                text = step.edit(text)
        return text

    def changed(self, table: Table, columns: Columns) -> Table:
        """Rows with texts as the model would have learned them; columns that are not there are passed over.

        Where answers are places in texts nothing is changed: they are places in the texts that were given.
        """
        present = [name for name in roles_of(columns, table.column_names).text if name in table.column_names]
        steps: list[Operator] = []
        for step in self.steps:
            wanted = present if step.columns is None else [name for name in step.columns if name in present]
            if wanted:
                steps.append(step.model_copy(update={"columns": wanted}))
        if not steps or not len(table) or columns.answers in _PLACES:
            return table
        return clean({"asked": table}, columns, steps).tables["asked"]
