"""What a model writes: answers to the rows of a table, by the trained model and by those it is compared with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from supertune.console import Console
from supertune.contracts import Features, IntArray, Outcome
from supertune.conversation_rows import apart, references_of
from supertune.conversations import Conversation
from supertune.data import Table, conversations_in
from supertune.errors import UserError
from supertune.generate import Generated, GenerationSettings, generate
from supertune.tasks import GenerationTask, RowProblemError, prompt_tokens, stop_ids
from supertune.train import generator

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


@dataclass(frozen=True)
class Author:
    """Who writes.

    Attributes:
        model: It.
        tokenizer: Its tokenizer.
        task: Knows what is asked and what ends an answer.
        max_length: Tokens per text that it was trained with.
        rows: Most texts that are written side by side.
    """

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    task: GenerationTask
    max_length: int
    rows: int = 64

    def write(self, asked: Sequence[Conversation], console: Console, what: str) -> list[Generated]:
        """An answer to each conversation, none of which has its answer any more; the likeliest token at every step.

        Raises:
            UserError: The template refuses one, or it is longer than the model can read.
        """
        encoder = self.task.encoder(self.tokenizer, self.max_length)
        try:
            prompts = prompt_tokens(encoder, asked)
        except RowProblemError as problem:
            raise UserError(f"a row cannot be asked: {problem}", fix="take it out, or change its messages") from problem
        return self.go_on(prompts, console, what)

    def go_on(
        self, prompts: Sequence[Any], console: Console, what: str, *, stop_strings: tuple[str, ...] = ()
    ) -> list[Generated]:
        """A text behind each prompt, which is token ids."""
        settings = replace(self.settings, stop_strings=stop_strings)
        with console.progress(what, len(prompts)) as bar:
            return generate(
                self.model,
                prompts,
                settings,
                decode=self.decode,
                progress=lambda done, tokens: bar(done, f"{tokens:,} tokens"),
            )

    @property
    def settings(self) -> GenerationSettings:
        """How it writes."""
        return GenerationSettings(
            max_new_tokens=self.task.settings.max_new_tokens or GenerationSettings().max_new_tokens,
            stop_ids=tuple(stop_ids(self.task.stops, self.tokenizer)),
            most_rows=self.rows,
            too_long="cut",
        )

    def decode(self, ids: Sequence[int]) -> str:
        """What tokens say, without those that are no words."""
        return str(self.tokenizer.decode(list(ids), skip_special_tokens=True))


def asked_rows(
    table: Table, features: Features, task: GenerationTask, most: int, seed: int
) -> tuple[IntArray, list[Conversation]]:
    """Rows that have an answer to compare with, at most so many of them, drawn; and what each asks.

    Args:
        table: Held-out rows.
        features: Those that can be learned, encoded: others are not asked, since the template refuses them.
        task: What is learned; of texts that nobody asked for there are none.
        most: Rows.
        seed: Of the draw.
    """
    if task.written_metric is None:
        return np.zeros(0, np.int64), []
    answered = [bool(references) for references in references_of(table, task.columns)]
    rows = np.intersect1d(np.flatnonzero(answered), features.rows)
    if len(rows) > most:
        rows = np.sort(generator(seed, "written").permutation(rows)[:most])
    return rows, [
        apart(conversation)[0] for conversation in conversations_in(table.select(rows, step="asked"), task.columns)
    ]


def written_outcome(table: Table, rows: IntArray, task: GenerationTask, written: Sequence[Generated]) -> Outcome:
    """What was written for some rows beside what people wrote."""
    chosen = table.select(rows, step="asked")
    return Outcome(
        targets=_objects(list(references_of(chosen, task.columns))),
        outputs=_objects([one.text.strip() for one in written]),
        answers="generated",
        ended=_objects([one.ended for one in written]),
    )


def _objects(values: Sequence[Any]) -> Any:
    found = np.empty(len(values), object)
    found[:] = values
    return found
