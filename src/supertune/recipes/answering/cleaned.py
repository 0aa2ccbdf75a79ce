"""Rows that are cleaned as the training rows were before they are answered, and told as they were given."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from supertune.config import Config
from supertune.console import Console
from supertune.contracts import Features, Prediction
from supertune.data import OnBadRow, Table, TextCleaning
from supertune.recipes.answering.answerer import Answerer
from supertune.recipes.evaluate_written import Generate
from supertune.recipes.measured import Evaluated, Held, Measurement
from supertune.recipes.rows import LoadedRows
from supertune.recipes.saved import SavedModel
from supertune.recipes.writing_choices import AS_TRAINED, WritingChoices
from supertune.runs import RunStore, free_name


@dataclass(frozen=True)
class Cleaned:
    """See `Answerer`.

    Attributes:
        asked: Who answers.
        cleaning: What is done to texts before.
    """

    asked: Answerer
    cleaning: TextCleaning

    @property
    def saved(self) -> SavedModel:
        """See `Answerer`."""
        return self.asked.saved

    @property
    def optional(self) -> tuple[str, ...]:
        """See `Answerer`."""
        return self.asked.optional

    def table(self, texts: Sequence[str | Sequence[str]], source: str) -> Table:
        """See `Answerer`."""
        return self.asked.table(texts, source)

    def together(self, texts: Sequence[str], command: str) -> Sequence[str | Sequence[str]]:
        """See `Answerer`."""
        return self.asked.together(texts, command)

    def answer(
        self, table: Table, console: Console, choices: WritingChoices = AS_TRAINED, *, on_bad_row: OnBadRow = "refuse"
    ) -> Iterator[dict[str, object]]:
        """See `Answerer`."""
        console.say(f"  texts are cleaned as in training: {', '.join(step.name for step in self.cleaning.steps)}")
        found = self.asked.answer(self._changed(table), console, choices, on_bad_row=on_bad_row)
        return self._as_given(found, table)

    def answer_lines(
        self, pieces: Iterable[Sequence[str]], choices: WritingChoices = AS_TRAINED
    ) -> Iterator[dict[str, object]]:
        """See `Answerer`."""
        given: deque[str] = deque()
        columns = self.saved.task.columns

        def cleaned() -> Iterator[Sequence[str]]:
            for piece in pieces:
                given.extend(piece)
                yield [self.cleaning.text(text, columns) for text in piece]

        first = columns.text[0]
        for answer in self.asked.answer_lines(cleaned(), choices):
            if isinstance(answer.get(first), str):
                answer[first] = given[0]
            given.popleft()
            yield answer

    def evaluate(
        self, run: RunStore, table: Table, generate: Generate, console: Console, *, on_bad_row: OnBadRow = "refuse"
    ) -> Evaluated:
        """See `Answerer`."""
        found = self.asked.evaluate(run, self._changed(table), generate, console, on_bad_row=on_bad_row)
        if list(found.table.column_names) != list(table.column_names):
            return found
        positions = np.flatnonzero(np.isin(table.row_ids, found.table.row_ids))
        return replace(found, table=table.select(positions, step="as given"))

    def measure(
        self, rows: LoadedRows, features: Mapping[str, Features], config: Config, console: Console
    ) -> Measurement:
        """See `Answerer`; the rows of the run itself are as they were cleaned."""
        return self.asked.measure(rows, features, config, console)

    def without_texts(self, held: Held) -> tuple[Sequence[Prediction], tuple[str, ...]]:
        """See `Answerer`."""
        return self.asked.without_texts(held)

    def _changed(self, table: Table) -> Table:
        return self.cleaning.changed(table, self.saved.task.columns)

    def _as_given(self, answers: Iterator[dict[str, object]], table: Table) -> Iterator[dict[str, object]]:
        """The answers, each with the columns of its row as they were before; rows may be missing among answers."""
        number = free_name("row", table.column_names)
        given: Iterator[tuple[Any, Mapping[str, object]]] = zip(table.row_ids, table.rows(), strict=True)
        for answer in answers:
            row = next(row for row_id, row in given if int(row_id) == answer[number])
            yield answer | {name: row[name] for name in row.keys() & answer.keys()}
