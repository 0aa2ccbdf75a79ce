"""What every check is given."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

from supertune.contracts import Columns, Finding, IntArray
from supertune.data.check.answers import answer_codes
from supertune.data.check.labels import LabelCodes
from supertune.data.check.members import LabelMembers, label_members
from supertune.data.check.texts import TextGroups, group_texts
from supertune.data.check.turns import Turns, turns_of
from supertune.data.label_errors.found import LabelErrors
from supertune.data.near_rows import MOST_CHARACTERS, NearRows, near_rows
from supertune.data.table import Table


@dataclass(frozen=True, eq=False)
class CheckInput:
    """The rows to check and what is known about them. What several checks need is computed once, when asked for.

    Attributes:
        splits: ``all`` before a split, else ``train`` and, where there are such, ``validation`` and ``test``.
        columns: The text and label columns. Without a label column the checks of labels find nothing.
        given_splits: The user gave the splits as files, so rows that they share are worth telling.
        token_lengths: Split → (rows,) number of tokens of each row before truncation.
        max_length: Tokens after which a row is cut.
        model_limit: The most tokens that the model can take.
        label_errors: What a model finds of labels that are probably wrong; None where none was asked.
    """

    splits: Mapping[str, Table]
    columns: Columns
    given_splits: bool = False
    token_lengths: Mapping[str, IntArray] | None = None
    max_length: int | None = None
    model_limit: int | None = None
    label_errors: LabelErrors | None = None

    @property
    def training_split(self) -> str:
        """The split that is, or will be, learned from."""
        return "train" if "train" in self.splits else "all"

    @cached_property
    def texts(self) -> TextGroups:
        """Which rows have the same text."""
        return group_texts(self.splits, self.columns)

    @cached_property
    def near(self) -> NearRows:
        """Which rows say nearly the same; of very many, some are compared."""
        return near_rows(self.splits, self.columns, most=MOST_CHARACTERS)

    @cached_property
    def labels(self) -> LabelCodes:
        """The class of every row, or of numbers and label sets which rows have the same."""
        return answer_codes(self.splits, self.columns)

    @cached_property
    def classes(self) -> LabelCodes | LabelMembers:
        """Which rows have which class or label; of numbers there are none."""
        several = self.columns.answers in ("sets", "spans") and bool(self.columns.labels)
        return label_members(self.splits, self.columns) if several else self.labels

    @cached_property
    def turns(self) -> Mapping[str, Turns]:
        """What is odd about conversations, by split."""
        return turns_of(self.splits, self.columns)

    def row_numbers(self, split: str, indices: IntArray) -> tuple[int, ...]:
        """Indices into a split's table as ascending row numbers of its file."""
        return tuple(sorted(self.splits[split].row_ids[indices].tolist()))


Check = Callable[[CheckInput], list[Finding]]
"""Looks at the data and says what it finds; an empty list when all is well."""
