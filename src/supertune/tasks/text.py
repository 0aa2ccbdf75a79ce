"""What tasks on texts share: a text or a pair goes in, a head on the pre-trained body answers, a criterion judges."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from supertune.contracts import Apart, Columns, Features, Head, IntArray, Rows, model_inputs
from supertune.tasks.tokenise import joined, token_batches, token_lengths

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedTokenizerBase

    Criterion = Callable[[torch.Tensor, torch.Tensor], tuple[torch.Tensor, torch.Tensor]]


class TextTask:
    """The parts of a `Task` that do not depend on its answers.

    Args:
        columns: The text columns and what is to be learned.
        criterion: (outputs float (items, …), targets (items, …)) → (summed loss, items); only training needs it.
    """

    def __init__(self, columns: Columns, criterion: Criterion | None = None) -> None:
        self.columns = columns
        self._criterion = criterion

    @classmethod
    def built(cls, columns: Columns, settings: Mapping[str, Any]) -> Self:
        """The task for some columns, as the configuration's section ``task`` has it."""
        return cls(columns)

    def configured(self) -> dict[str, object]:
        """What the configuration may leave open, as it is used."""
        return {}

    def targets(self, rows: Rows) -> Mapping[str, NDArray[Any]]:
        """What is to be learned of each row; empty where the label column is missing."""
        raise NotImplementedError

    def token_batches(self, rows: Rows, tokenizer: PreTrainedTokenizerBase, max_length: int) -> Iterator[Features]:
        """Token ids of the text columns, cut to ``max_length``; targets are left out. See `tokenise.token_batches`."""
        return token_batches(rows, self.columns, tokenizer, max_length)

    def apart(self, tokenizer: PreTrainedTokenizerBase, max_length: int) -> Apart | None:
        """The tokenizer does nearly all of the work, on all cores."""
        return None

    def token_columns(self, rows: Rows) -> tuple[str, ...]:
        """Those of the texts."""
        return self.columns.text

    def token_settings(self, tokenizer: PreTrainedTokenizerBase) -> Sequence[object]:
        """Whether there are two texts, and both orders of them."""
        return [self.columns.pair, self.columns.symmetric]

    def token_lengths(self, rows: Rows, tokenizer: PreTrainedTokenizerBase, max_length: int) -> Iterator[IntArray]:
        """See `tokenise.token_lengths`."""
        return token_lengths(rows, self.columns, tokenizer)

    def with_targets(self, tokens: Features, targets: Mapping[str, NDArray[Any]]) -> Features:
        """What is to be learned of the row that each item comes from."""
        return replace(tokens, targets={name: values[tokens.rows] for name, values in targets.items()})

    def encode(
        self,
        rows: Rows,
        tokenizer: PreTrainedTokenizerBase,
        max_length: int,
        *,
        labelled: bool = True,
        progress: Callable[[int], None] | None = None,
    ) -> Features:
        """Tokens and targets in memory. With ``labelled`` off the columns to learn are not looked at.

        Args:
            rows: What to encode.
            tokenizer: The model's.
            max_length: Tokens per text, special tokens included.
            labelled: Whether to look for targets.
            progress: Called after each batch with the number of rows so far.

        Raises:
            UserError: A row has a label that was not seen in training, or no number where one is to be.
        """
        # What is wrong with them is told before anything is tokenised.
        targets = self.targets(rows) if labelled else {}
        tokens = joined(self.token_batches(rows, tokenizer, max_length), progress)
        return self.with_targets(replace(tokens, table=rows), targets)

    def forward(self, model: torch.nn.Module, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Raw outputs, float (items, …)."""
        outputs: torch.Tensor = model(**model_inputs(batch)).logits
        return outputs

    def answering(self, model: torch.nn.Module, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Raw outputs: they are few."""
        return self.forward(model, batch)

    def calibrated(self, outputs: NDArray[Any], features: Features) -> Self:
        """There is no threshold."""
        return self

    def measuring(self, losses: Callable[..., torch.Tensor]) -> Self:
        """It answers by what a head says."""
        return self

    def check_model(self, model: torch.nn.Module, batch: Mapping[str, torch.Tensor], where: str) -> None:
        """A head is put on any body."""

    def labelled(self, features: Features) -> NDArray[np.bool_]:
        """Bool (items,): which items have a target."""
        raise NotImplementedError

    def learned_groups(self, features: Features) -> Features:
        """There are none: each item is learned from alone."""
        return features

    def relating(self, features: Features) -> Self:
        """Nothing hangs on what belongs together."""
        return self

    def scored_rows(self, features: Features) -> IntArray:
        """Every row that has a target."""
        return np.unique(features.rows[self.labelled(features)])

    def among(self, outputs: Mapping[str, NDArray[Any]], features: Mapping[str, Features]) -> Self:
        """Each row is answered by itself."""
        return self

    def criterion(self, outputs: torch.Tensor, batch: Mapping[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        """Summed loss of the outputs and the number of items, in 32 bits."""
        assert self._criterion is not None
        return self._criterion(outputs.float(), batch["labels"])

    def loss(self, model: torch.nn.Module, batch: Mapping[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        """Summed loss of the batch and the number of its items."""
        return self.criterion(self.forward(model, batch), batch)


def sequence_head(names: Sequence[str], problem_type: str) -> Head:
    """A sequence-classification head with an output for each name, in index order.

    Args:
        names: What the outputs are called.
        problem_type: What transformers calls the problem.
    """
    return Head(
        "AutoModelForSequenceClassification",
        {
            "num_labels": len(names),
            "id2label": dict(enumerate(names)),
            "label2id": {name: index for index, name in enumerate(names)},
            "problem_type": problem_type,
        },
    )


def by_row(outputs: NDArray[Any], features: Features) -> tuple[NDArray[Any], IntArray]:
    """The mean outputs of each row's items, and the place of the first of them.

    Args:
        outputs: (items, …).
        features: What was put in; the items of a row may stand anywhere.

    Returns:
        (rows, …) in the order of the rows, in the outputs' type; int64 (rows,).
    """
    rows, first, place, counts = np.unique(features.rows, return_index=True, return_inverse=True, return_counts=True)
    if len(rows) == len(features):
        return outputs[first], first
    means = np.zeros((len(rows), *outputs.shape[1:]), np.float64)
    np.add.at(means, place, outputs)
    means /= counts.reshape(-1, *([1] * (outputs.ndim - 1)))
    return means.astype(outputs.dtype), first
