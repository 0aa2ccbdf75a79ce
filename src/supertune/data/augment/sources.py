"""The rows that new ones are made of, with what is needed of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from supertune.contracts import Columns
from supertune.data.augment.drawing import content_key
from supertune.data.augment.protection import Protection
from supertune.data.augment.results import Change
from supertune.data.augmented_rows import AUGMENTED_FROM, ROW
from supertune.data.table import Table
from supertune.errors import UserError
from supertune.language import (
    fold,
    guess_language,
    has_unspaced_script,
    is_chinese,
    is_missing,
    join_fields,
    language_of,
)

_FOR_LANGUAGE = 400


@dataclass(frozen=True, eq=False)
class Sources:
    """What is known of the rows.

    Attributes:
        texts: Text column → the value of every row.
        places: Positions of the rows that new ones may be made of: originals with something to learn.
        keys: What each row holds, as a short text; of its texts and labels.
        numbers: The number of each row in its source.
        labels: The class of each row in words; None where rows have no classes.
        entities: What the user's column of entities holds; None where there is none.
    """

    texts: Mapping[str, Sequence[Any]]
    places: Sequence[int]
    keys: Sequence[str]
    numbers: Sequence[int]
    labels: Sequence[str | None] | None
    entities: Sequence[Any] | None

    @cached_property
    def all_labels(self) -> list[str]:
        """The classes of all rows that have one, added ones among them."""
        return [label for label in self.labels or () if label is not None]

    @cached_property
    def language(self) -> str:
        """ISO 639-1 code of the texts that are in a script with spaces: short ones cannot be told apart one by one."""
        drawn = sorted(self.places, key=self.keys.__getitem__)[:_FOR_LANGUAGE]
        said = (value for place in drawn for values in self.texts.values() if isinstance(value := values[place], str))
        return guess_language([text for text in said if not has_unspaced_script(text)]).language

    def language_of(self, text: str) -> str:
        """ISO 639-1 code of one text's language."""
        if is_chinese(text):
            return "zh"
        return language_of(text) if has_unspaced_script(text) else self.language

    @cached_property
    def examples(self) -> dict[str, list[str]]:
        """Label → the texts of the originals of it, in the order of what they hold."""
        found = dict[str, list[str]]()
        if self.labels is None:
            return found
        for place in sorted(self.places, key=self.keys.__getitem__):
            label = self.labels[place]
            if label is not None:
                fields = [values[place] for values in self.texts.values()]
                found.setdefault(label, []).append(join_fields(fields))
        return found

    def values(self, place: int, changed: Mapping[str, str]) -> list[Any]:
        """A row's texts, some of them changed."""
        return [changed.get(name, values[place]) for name, values in self.texts.items()]

    def change(self, place: int, changed: Mapping[str, str]) -> Change:
        """A change as it is shown: its first column."""
        name = next(iter(changed))
        return Change(self.numbers[place], name, str(self.texts[name][place]), changed[name])


def sources_of(table: Table, columns: Columns, protection: Protection) -> Sources:
    """Read what is needed of a table.

    Raises:
        UserError: It has no column of entities of the name that was given, or rows that were added earlier without
            their numbers.
    """
    if protection.entities is not None and protection.entities not in table.column_names:
        known = ", ".join(map(repr, table.column_names))
        what = f"has no column {protection.entities!r}, whose entities are to stay as they are"
        raise UserError(what, where=table.source, fix=f"its columns are {known}")
    texts = {name: table.column(name) for name in columns.text}
    learned = [table.column(name) for name in columns.labels]
    labels = None
    if columns.answers == "classes" and len(learned) == 1:
        labels = [None if is_missing(value) else str(value) for value in learned[0]]
    rows = range(len(table))
    origins = table.column(AUGMENTED_FROM) if AUGMENTED_FROM in table.column_names else [None] * len(table)
    given = table.column(ROW) if ROW in table.column_names else table.row_ids.tolist()
    numbers = [int(value) if value is not None else -1 for value in given]
    original = [place for place in rows if origins[place] is None]
    usable = [place for place in original if not any(is_missing(column[place]) for column in learned)]
    keys = [content_key([_plain(column[place]) for column in (*texts.values(), *learned)]) for place in rows]
    entities = None if protection.entities is None else table.column(protection.entities)
    return Sources(texts, usable, keys, numbers, labels, entities)


def _plain(value: Any) -> Any:
    return fold(value) if isinstance(value, str) else value
