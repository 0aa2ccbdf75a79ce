"""Rows answered by what a model says of them: labels, numbers, parts of their texts, passages."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from supertune.config import Config
from supertune.console import Console
from supertune.contracts import Features, Prediction
from supertune.data import OnBadRow, Table, TokenCache
from supertune.errors import UserError
from supertune.evaluate import measure as measure_outcome
from supertune.evaluate import metrics_for
from supertune.language import shorten
from supertune.recipes.candidates import own_candidates
from supertune.recipes.encode import encode_labelled
from supertune.recipes.evaluate_written import Generate
from supertune.recipes.measure import measure
from supertune.recipes.measured import Evaluated, Held, Measurement
from supertune.recipes.rows import LoadedRows
from supertune.recipes.saved import SavedModel
from supertune.recipes.writing_choices import AS_TRAINED, WritingChoices
from supertune.runs import RunStore, prediction_row

_BATCH = 1024
"""Rows encoded and predicted at once: what is shown as progress."""


@dataclass(frozen=True)
class Reader:
    """See `Answerer`."""

    saved: SavedModel
    optional: tuple[str, ...] = ()

    def table(self, texts: Sequence[str | Sequence[str]], source: str) -> Table:
        """Plain texts as rows: the first text column holds them, further ones are empty; pairs fill both.

        Raises:
            UserError: The model compares two texts, and there are single ones; or the other way round.
        """
        columns, pair = self.saved.task.columns.text, self.saved.task.columns.pair
        wrong = [text for text in texts if isinstance(text, str) == pair or (pair and len(text) != 2)]
        if wrong:
            reads = "compares two texts" if pair else "reads one text at a time"
            fix = f"give both, or a file with the columns {' and '.join(columns)}" if pair else "give a list of texts"
            raise UserError(f"this model {reads}: not {shorten(repr(wrong[0]), 60)}", where=source, fix=fix)
        if pair:
            return Table.from_rows([dict(zip(columns, text, strict=True)) for text in texts], source=source)
        first, *others = columns
        return Table.from_rows([{first: text, **dict.fromkeys(others)} for text in texts], source=source)

    def together(self, texts: Sequence[str], command: str) -> Sequence[str | Sequence[str]]:
        """One after the other, or two and two where the model compares two."""
        if not self.saved.task.columns.pair:
            return texts
        if len(texts) % 2:
            raise UserError(
                f"this model compares two texts, and {len(texts)} were given",
                where="texts",
                fix=f'{command} "first text" "second text"',
            )
        return list(zip(texts[::2], texts[1::2], strict=True))

    def answer(
        self, table: Table, console: Console, choices: WritingChoices = AS_TRAINED, *, on_bad_row: OnBadRow = "refuse"
    ) -> Iterator[dict[str, object]]:
        """One line of predictions per row, as ``predictions/*.jsonl`` has them; every row can be asked."""
        with console.progress("predicting", len(table)) as bar:
            for done, row in enumerate(self._predicted(table), 1):
                yield row
                bar(done)

    def _predicted(self, table: Table) -> Iterator[dict[str, object]]:
        saved = self.saved
        for start in range(0, len(table), _BATCH):
            positions = np.arange(start, min(start + _BATCH, len(table)))
            piece = table.select(positions, step="batch")
            features = saved.task.encode(piece, saved.tokenizer, saved.max_length, labelled=False)
            predictions = saved.task.decode(saved.outputs(features), features)
            for row, number, prediction in zip(piece.rows(), piece.row_ids, predictions, strict=True):
                yield prediction_row(row, int(number), prediction)

    def answer_lines(
        self, pieces: Iterable[Sequence[str]], choices: WritingChoices = AS_TRAINED
    ) -> Iterator[dict[str, object]]:
        """See `Answerer`."""
        total = 0
        for piece in pieces:
            for row in self._predicted(self.table(piece, "standard input")):
                row["row"] = total
                total += 1
                yield row

    def evaluate(
        self, run: RunStore, table: Table, generate: Generate, console: Console, *, on_bad_row: OnBadRow = "refuse"
    ) -> Evaluated:
        """See `Answerer`; there is nothing to write."""
        task = self.saved.task
        if generate is not None:
            raise UserError(
                f"this model was trained for {task.name} and writes nothing", where="generate", fix="leave it out"
            )
        table = own_candidates(task, table)
        with console.progress("tokenising", len(table)) as bar:
            cache = TokenCache(console.warn)
            features = encode_labelled(
                task, table, self.saved.tokenizer, self.saved.max_length, cache=cache, progress=bar
            )
        with console.progress("predicting", len(table)) as bar:
            outputs = self.saved.outputs(features, progress=bar)
        outcome = task.outcome(outputs, features)
        if not len(outcome):
            names = " and ".join(map(repr, task.columns.labels))
            what = f"no row has a value in the label column {names}"
            raise UserError(what, where=table.source, fix="label some rows")
        scores = measure_outcome(outcome, metrics_for(task.answers)).scores
        return Evaluated(table, scores, lambda: task.decode(outputs, features))

    def measure(
        self, rows: LoadedRows, features: Mapping[str, Features], config: Config, console: Console
    ) -> Measurement:
        """See `supertune.recipes.measure`."""
        return measure(self.saved, rows, features, config, console)

    def without_texts(self, held: Held) -> tuple[Sequence[Prediction], tuple[str, ...]]:
        """What was cut out of the texts goes with them."""
        return [_without_words(one) for one in held.predictions], held.task.token_columns(held.table)


def _without_words(prediction: Prediction) -> Prediction:
    """The prediction without what was cut out of the text; of entities their characters and labels stay."""
    answer = prediction.prediction
    if isinstance(answer, list):
        said = [{k: v for k, v in one.items() if k != "text"} if isinstance(one, dict) else one for one in answer]
        return replace(prediction, prediction=said, more={})
    return replace(prediction, more={})
