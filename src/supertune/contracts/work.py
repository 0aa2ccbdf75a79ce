"""Who does the work: predictors, tasks, and the consumers of the loop's events."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from supertune.contracts.results import Event, Outcome, Prediction
from supertune.contracts.rows import Columns, Features, FloatArray, IntArray, Label, Rows

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedTokenizerBase


class Predictor(Protocol):
    """Anything that learns from rows and answers for rows without training a network."""

    name: str

    def fit(self, texts: Sequence[str], labels: Sequence[Label]) -> None:
        """Learn from texts and their labels."""
        ...

    def predict(self, texts: Sequence[str]) -> FloatArray:
        """Float64 (rows, classes): probabilities, classes in the order given at construction."""
        ...


class TextVectors(Protocol):
    """Makes vectors of texts; how, only the recipe knows that hands it over."""

    def __call__(self, texts: Sequence[str], progress: Callable[[int], None]) -> NDArray[np.float32]:
        """Float32 (texts, width); ``progress`` is told the number of texts done so far."""
        ...


@dataclass(frozen=True)
class Head:
    """What a task puts on top of a pre-trained body.

    Attributes:
        auto_class: Name of the transformers class that opens body and head together.
        config: Configuration entries it needs, e.g. ``num_labels`` and ``id2label``.
    """

    auto_class: str
    config: Mapping[str, Any]


class Apart(Protocol):
    """What makes tokens of some of the rows in a process of its own: it can be pickled, with all that it needs.

    The pieces of parts of the rows, one part behind the other, are those of the whole rows, but for ``rows``, which
    count from 0 in every part, and ``notes``.
    """

    def __call__(self, rows: Rows) -> Iterator[Features]:
        """As `Task.token_batches`."""
        ...

    def noted(self, notes: Sequence[tuple[int, Mapping[str, Any]]]) -> Mapping[str, Any]:
        """The notes of whole rows: of the number of each part's first row and its notes, in order."""
        ...


class Task(Protocol):
    """What is to be learned: how rows become tensors, what the loss is, how outputs become answers."""

    name: str
    columns: Columns

    def fit_state(self, rows: Rows) -> None:
        """Learn what the task must remember about the training rows (labels, scales)."""
        ...

    def state(self) -> dict[str, Any]:
        """What `fit_state` learned, as JSON; saved beside the model."""
        ...

    def configured(self) -> Mapping[str, object]:
        """What the configuration's section ``task`` may leave open, as it is used."""
        ...

    def token_batches(self, rows: Rows, tokenizer: PreTrainedTokenizerBase, max_length: int) -> Iterator[Features]:
        """Rows as token features without targets, a piece at a time and in order; at least one piece.

        What the pieces hold depends on `token_columns`, the tokenizer, ``max_length`` and `token_settings` alone:
        it may be kept on disk and used again whatever the task has learned.
        """
        ...

    def apart(self, tokenizer: PreTrainedTokenizerBase, max_length: int) -> Apart | None:
        """What does the same in a process of its own; None where the tokenizer does nearly all of the work itself."""
        ...

    def token_columns(self, rows: Rows) -> tuple[str, ...]:
        """The columns that tokens are made of."""
        ...

    def token_settings(self, tokenizer: PreTrainedTokenizerBase) -> Sequence[object]:
        """Settings of the task, as JSON, that change the tokens of the same texts."""
        ...

    def token_lengths(self, rows: Rows, tokenizer: PreTrainedTokenizerBase, max_length: int) -> Iterator[IntArray]:
        """How many tokens each row would need, special tokens included; more than ``max_length`` where it is cut."""
        ...

    def targets(self, rows: Rows) -> Mapping[str, NDArray[Any]]:
        """What is to be learned of each row; empty where the label column is missing."""
        ...

    def with_targets(self, tokens: Features, targets: Mapping[str, NDArray[Any]]) -> Features:
        """The items with what is to be learned of each (`Features.targets`), from what `targets` says of the rows."""
        ...

    def encode(
        self,
        rows: Rows,
        tokenizer: PreTrainedTokenizerBase,
        max_length: int,
        *,
        labelled: bool = True,
        progress: Callable[[int], None] | None = None,
    ) -> Features:
        """All of `token_batches`, in memory, with `targets` if ``labelled``; ``progress`` gets the rows so far."""
        ...

    def head(self) -> Head:
        """The head this task needs on the pre-trained body; valid after `fit_state`."""
        ...

    def loss(self, model: torch.nn.Module, batch: Mapping[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        """(summed loss, number of supervised items): the loop divides by the true total of the step."""
        ...

    def criterion(self, outputs: torch.Tensor, batch: Mapping[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        """(summed loss, number of supervised items) of what `forward` gave for the batch."""
        ...

    def forward(self, model: torch.nn.Module, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Raw outputs, float (items, …), without a loss."""
        ...

    def answering(self, model: torch.nn.Module, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """What is kept of a batch when predicting, float (items, …), of one shape for every batch.

        `forward` itself, or the few best answers where that would be as long as the texts. What is kept of every token,
        (items, tokens, …), may be as long as the longest of the batch.
        """
        ...

    def calibrated(self, outputs: NDArray[Any], features: Features) -> Task:
        """The same task with thresholds chosen on the validation rows; itself where it has none.

        Args:
            outputs: What `answering` gave for all of ``features``.
            features: The validation rows.
        """
        ...

    def minimising(self, criterion: Callable[[torch.Tensor, torch.Tensor], tuple[torch.Tensor, torch.Tensor]]) -> Task:
        """The same task with (outputs, targets) → (summed loss, items), which only training needs."""
        ...

    def measuring(self, losses: Callable[..., torch.Tensor]) -> Task:
        """The same task that can tell how likely texts are; itself where it answers by something else.

        Args:
            losses: (hidden states, output head, next tokens, soft cap) → −ln p of each token.
        """
        ...

    def check_model(self, model: torch.nn.Module, batch: Mapping[str, torch.Tensor], where: str) -> None:
        """Check that the model computes what the task takes for granted of it.

        Args:
            model: As it will be trained.
            batch: A few training items.
            where: What the model is called in messages.

        Raises:
            UserError: It does not.
        """
        ...

    def labelled(self, features: Features) -> NDArray[np.bool_]:
        """Bool (items,): which items have a target: the others are predicted, never learned from or scored."""
        ...

    def learned_groups(self, features: Features) -> Features:
        """The training items with the groups that are learned from; themselves where each is learned from alone."""
        ...

    def relating(self, features: Features) -> Task:
        """The same task that knows which of the training items belong together, where its loss hangs on that."""
        ...

    def scored_rows(self, features: Features) -> IntArray:
        """int64 (rows,): the rows that `outcome` is about, in its order."""
        ...

    def among(self, outputs: Mapping[str, NDArray[Any]], features: Mapping[str, Features]) -> Task:
        """The same task that knows what there is in every split, where answers are looked for there.

        Args:
            outputs: Split → what `answering` gave for its items.
            features: Split → its items.
        """
        ...

    def decode(self, outputs: NDArray[Any], features: Features) -> list[Prediction]:
        """What `answering` gave for all items as one prediction per row, in row order."""
        ...

    def outcome(self, outputs: NDArray[Any], features: Features) -> Outcome:
        """What the metrics need to know of one predicted split."""
        ...

    @property
    def answers(self) -> str:
        """Kind of answers it gives, e.g. ``classes``: every metric that judges this kind measures it."""
        ...

    @property
    def headline(self) -> tuple[str, ...]:
        """The few scores that people look at first."""
        ...

    @property
    def primary_metric(self) -> str:
        """The metric that chooses the best epoch, and heads the report where it is not another's to do so."""
        ...


def label_names(task: Task) -> list[str]:
    """What the classes of a task are called, or the columns that it predicts, in index order."""
    return list(task.head().config["id2label"].values())


@dataclass(frozen=True)
class Stop:
    """A consumer's wish that training ends at this step boundary."""

    reason: str


class Consumer(Protocol):
    """Watches training: progress, logs, validation, early stopping, checkpoints."""

    def __call__(self, event: Event) -> Iterable[Event | Stop]:
        """React to an event with further events, with a wish to stop, or with nothing."""
        ...
