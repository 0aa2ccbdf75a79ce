"""What predicting, evaluating and measuring ask of a trained model, whatever its answers are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Protocol

from supertune.config import Config
from supertune.console import Console
from supertune.contracts import Features, Prediction
from supertune.data import OnBadRow, Table
from supertune.recipes.evaluate_written import Generate
from supertune.recipes.measured import Evaluated, Held, Measurement
from supertune.recipes.rows import LoadedRows
from supertune.recipes.saved import SavedModel
from supertune.recipes.writing_choices import AS_TRAINED, WritingChoices
from supertune.runs import RunStore


class Answerer(Protocol):
    """A trained model that is asked about rows.

    Attributes:
        saved: The model.
        optional: Text columns that rows may lack.
    """

    @property
    def saved(self) -> SavedModel:
        """See the class."""
        ...

    @property
    def optional(self) -> tuple[str, ...]:
        """See the class."""
        ...

    def table(self, texts: Sequence[str | Sequence[str]], source: str) -> Table:
        """Texts as rows such as the model was trained on, but for their answers.

        Args:
            texts: Each of them, or each group of those that belong together.
            source: What they are called in messages.

        Raises:
            UserError: There are too few or too many texts in a group.
        """
        ...

    def together(self, texts: Sequence[str], command: str) -> Sequence[str | Sequence[str]]:
        """Texts that were typed one behind the other, as many together as belong together.

        Args:
            texts: Each of them.
            command: What was typed before them, for messages.

        Raises:
            UserError: Some are left over.
        """
        ...

    def answer(
        self, table: Table, console: Console, choices: WritingChoices = AS_TRAINED, *, on_bad_row: OnBadRow = "refuse"
    ) -> Iterator[dict[str, object]]:
        """One line per row, in order: its columns, ``prediction``, what belongs to it, and ``row``.

        Args:
            table: Rows with the columns that are read; answers are not looked at.
            console: Where to show progress.
            choices: How to write, where that is what the model does.
            on_bad_row: What becomes of rows that cannot be asked.

        Raises:
            UserError: Rows cannot be asked, or a choice means nothing.
        """
        ...

    def answer_lines(
        self, pieces: Iterable[Sequence[str]], choices: WritingChoices = AS_TRAINED
    ) -> Iterator[dict[str, object]]:
        """The same of texts as they come; nothing waits for others.

        Args:
            pieces: Texts that came together, as often as some come.
            choices: As in `answer`.

        Raises:
            UserError: As `answer`.
        """
        ...

    def evaluate(
        self, run: RunStore, table: Table, generate: Generate, console: Console, *, on_bad_row: OnBadRow = "refuse"
    ) -> Evaluated:
        """How good the answers to rows with known answers are.

        Args:
            run: The run that the model is of.
            table: The rows; those without an answer are not scored.
            generate: How many rows to write answers to, where that is what the model does.
            console: Where to show progress.
            on_bad_row: What becomes of rows that cannot be asked.

        Raises:
            UserError: No row has an answer, a label is not known, or the rows cannot be asked.
        """
        ...

    def measure(
        self, rows: LoadedRows, features: Mapping[str, Features], config: Config, console: Console
    ) -> Measurement:
        """How good the model is on the held-out rows of its own run, beside baselines.

        Args:
            rows: The splits.
            features: They as they were encoded; held-out tables whole.
            config: Resamples and seeds.
            console: Where to show progress.
        """
        ...

    def without_texts(self, held: Held) -> tuple[Sequence[Prediction], tuple[str, ...]]:
        """The predictions of a split without words of its texts, and the columns that hold such words."""
        ...
