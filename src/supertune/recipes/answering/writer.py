"""Rows answered by a model that writes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from supertune.config import Config, load_config
from supertune.console import Console
from supertune.contracts import Features, Prediction
from supertune.data import OnBadRow, Table
from supertune.recipes.evaluate_written import Generate, evaluate_written
from supertune.recipes.measure_writing import measure_writing
from supertune.recipes.measured import Evaluated, Held, Measurement
from supertune.recipes.predict_written import write_lines, write_table
from supertune.recipes.rows import LoadedRows
from supertune.recipes.saved import SavedModel
from supertune.recipes.typed import grouped, optional_columns, typed_table
from supertune.recipes.writing_choices import AS_TRAINED, WritingChoices
from supertune.runs import RunStore
from supertune.tasks import GenerationTask


@dataclass(frozen=True)
class Writer:
    """See `Answerer`."""

    saved: SavedModel

    @property
    def task(self) -> GenerationTask:
        """What it has learned."""
        assert isinstance(self.saved.task, GenerationTask)
        return self.saved.task

    @property
    def optional(self) -> tuple[str, ...]:
        """In alpaca's form, what the instruction is applied to."""
        return optional_columns(self.task)

    def table(self, texts: Sequence[str | Sequence[str]], source: str) -> Table:
        """See `typed_table`."""
        return typed_table(self.task, texts, source)

    def together(self, texts: Sequence[str], command: str) -> Sequence[str | Sequence[str]]:
        """As many as it is asked with."""
        return grouped(self.task, texts, command)

    def answer(
        self, table: Table, console: Console, choices: WritingChoices = AS_TRAINED, *, on_bad_row: OnBadRow = "refuse"
    ) -> Iterator[dict[str, object]]:
        """See `write_table`."""
        return write_table(self.saved, table, choices, console, on_bad_row=on_bad_row)

    def answer_lines(
        self, pieces: Iterable[Sequence[str]], choices: WritingChoices = AS_TRAINED
    ) -> Iterator[dict[str, object]]:
        """See `write_lines`."""
        return write_lines(self.saved, pieces, choices)

    def evaluate(
        self, run: RunStore, table: Table, generate: Generate, console: Console, *, on_bad_row: OnBadRow = "refuse"
    ) -> Evaluated:
        """See `evaluate_written`."""
        config = load_config(run.path / "config.yaml")
        return evaluate_written(self.saved, table, config, generate, console, on_bad_row=on_bad_row)

    def measure(
        self, rows: LoadedRows, features: Mapping[str, Features], config: Config, console: Console
    ) -> Measurement:
        """See `measure_writing`."""
        return measure_writing(self.saved, self.task, rows, features, config, console)

    def without_texts(self, held: Held) -> tuple[Sequence[Prediction], tuple[str, ...]]:
        """What it has written stays; what people wrote is text as well."""
        return held.predictions, (*held.task.token_columns(held.table), *held.task.columns.labels)
