"""Single-label classification: one text, one of k labels."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from supertune.contracts import Columns, Features, FloatArray, Head, Label, Outcome, Prediction, Rows, model_inputs
from supertune.errors import UserError
from supertune.language import is_blank
from supertune.tasks.tokenise import joined, token_batches

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedTokenizerBase

Criterion = Callable[["torch.Tensor", "torch.Tensor"], "tuple[torch.Tensor, torch.Tensor]"]
UNLABELLED = -1
"""Target of a row without a label: predicted, never learned from or scored."""


class ClassificationTask:
    """Learns to give each text one of the labels seen in training.

    Args:
        columns: The text columns and the label column.
        labels: Labels in index order, when they are known already (a saved model).
        criterion: (logits float (items, classes), targets int64 (items,)) → (summed loss, items); only training
            needs it.
    """

    name = "classification"
    answers = "classes"
    primary_metric = "f1_macro"
    headline = ("accuracy", "f1_macro", "mcc", "auroc", "log_loss", "ece")

    def __init__(self, columns: Columns, *, labels: tuple[Label, ...] = (), criterion: Criterion | None = None) -> None:
        self.columns = columns
        self.labels = labels
        self._criterion = criterion

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> ClassificationTask:
        """The task as it was saved by `state`."""
        labels = (state["label"],) if state["label"] else ()
        columns = Columns(text=tuple(state["text"]), labels=labels, pair=state.get("pair", False))
        return cls(columns, labels=tuple(state["labels"]))

    def state(self) -> dict[str, Any]:
        """Columns and labels with their JSON types, in index order."""
        columns = {"text": list(self.columns.text), "pair": self.columns.pair, "label": self.columns.label}
        return {**columns, "labels": list(self.labels)}

    def fit_state(self, rows: Rows) -> None:
        """Collect the labels of the training rows, in a natural order: numbers by size, text by code point."""
        assert self.columns.label is not None
        found: set[Label] = set()
        for batch in rows.batches(columns=(self.columns.label,)):
            found.update(label for label in batch[self.columns.label] if not _is_missing(label))
        self.labels = tuple(sorted(found, key=lambda label: (isinstance(label, str), label)))

    def minimising(self, criterion: Criterion) -> ClassificationTask:
        """The same task with what its training minimises."""
        return ClassificationTask(self.columns, labels=self.labels, criterion=criterion)

    def label_counts(self, rows: Rows) -> list[int]:
        """Number of rows of each label, in index order."""
        assert self.columns.label is not None
        name = self.columns.label
        counts = Counter(label for batch in rows.batches(columns=(name,)) for label in batch[name])
        return [counts[label] for label in self.labels]

    @property
    def label_names(self) -> tuple[str, ...]:
        """Labels as text, in index order: what reports, ``id2label`` and ``scores`` show."""
        return tuple(label_text(label) for label in self.labels)

    def head(self) -> Head:
        """A sequence-classification head that knows the labels' names."""
        names = self.label_names
        return Head(
            "AutoModelForSequenceClassification",
            {
                "num_labels": len(names),
                "id2label": dict(enumerate(names)),
                "label2id": {name: index for index, name in enumerate(names)},
                "problem_type": "single_label_classification",
            },
        )

    def token_batches(self, rows: Rows, tokenizer: PreTrainedTokenizerBase, max_length: int) -> Iterator[Features]:
        """Token ids of the joined text columns, cut to ``max_length``, one item per row; targets are left out."""
        return token_batches(rows, self.columns, tokenizer, max_length)

    def targets(self, rows: Rows) -> Mapping[str, NDArray[np.int64]]:
        """``labels``: the index of each row's label (-1: no label); nothing where there is no label column.

        Raises:
            UserError: A row has a label that was not seen in training.
        """
        name = self.columns.label
        if name is None or name not in rows.column_names:
            return {}
        # By text, since a CSV file's 1 is a JSON file's "1"; 1.0 is what 1 becomes beside a missing number.
        index = {_whole(label): position for position, label in enumerate(self.labels)}
        index |= {text: position for position, text in enumerate(self.label_names)}
        seen: dict[tuple[type, Label], int] = {}
        found = np.empty(len(rows), np.int64)
        start = 0
        for batch in rows.batches(columns=(name,)):
            for row, label in enumerate(batch[name], start):
                position = seen.get((type(label), label))
                if position is None:
                    position = self._index(label, index, int(rows.row_ids[row]))
                    if position != UNLABELLED:  # NaN never equals itself: remembering it would fill the memory
                        seen[type(label), label] = position
                found[row] = position
            start += len(batch[name])
        return {"labels": found}

    def _index(self, label: Label, index: Mapping[str, int], row: int) -> int:
        if _is_missing(label):
            return UNLABELLED
        position = index.get(label_text(label), index.get(_whole(label)))
        if position is None:
            known = ", ".join(map(repr, self.labels[:20]))
            raise UserError(
                f"row {row} has the label {label!r}, which is not among the labels learned ({known})",
                where=f"column {self.columns.label!r}",
                fix="correct the label, or train with rows of it",
            )
        return position

    def encode(
        self,
        rows: Rows,
        tokenizer: PreTrainedTokenizerBase,
        max_length: int,
        *,
        labelled: bool = True,
        progress: Callable[[int], None] | None = None,
    ) -> Features:
        """Tokens and targets in memory. With ``labelled`` off a label column is not looked at.

        Args:
            rows: What to encode.
            tokenizer: The model's.
            max_length: Tokens per text, special tokens included.
            labelled: Whether to look for targets.
            progress: Called after each batch with the number of rows so far.

        Raises:
            UserError: A row has a label that was not seen in training.
        """
        targets = self.targets(rows) if labelled else {}
        tokens = joined(self.token_batches(rows, tokenizer, max_length), progress)
        return replace(tokens, targets=targets)

    def forward(self, model: torch.nn.Module, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Logits, float (items, classes)."""
        logits: torch.Tensor = model(**model_inputs(batch)).logits
        return logits

    def criterion(self, outputs: torch.Tensor, batch: Mapping[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        """Summed loss of the logits and the number of items, in 32 bits."""
        assert self._criterion is not None
        return self._criterion(outputs.float(), batch["labels"])

    def loss(self, model: torch.nn.Module, batch: Mapping[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        """Summed loss of the batch and the number of its items."""
        return self.criterion(self.forward(model, batch), batch)

    def probabilities(self, outputs: NDArray[Any]) -> FloatArray:
        """Softmax over the classes in float64, stable for large logits; (items, classes)."""
        shifted = outputs.astype(np.float64)
        shifted -= shifted.max(axis=1, keepdims=True)
        exponentials = np.exp(shifted)
        normalised: FloatArray = exponentials / exponentials.sum(axis=1, keepdims=True)
        return normalised

    def decode(self, outputs: NDArray[Any], features: Features) -> list[Prediction]:
        """The most probable label of each row, with the probability of every label."""
        names = self.label_names
        probabilities = self.probabilities(outputs)
        best = probabilities.argmax(axis=1)
        return [
            Prediction(int(row), self.labels[top], dict(zip(names, map(float, scores), strict=True)))
            for row, top, scores in zip(features.rows, best, probabilities, strict=True)
        ]

    def labelled(self, features: Features) -> NDArray[np.bool_]:
        """Bool (items,): which items have a label."""
        labelled: NDArray[np.bool_] = features.targets["labels"] != UNLABELLED
        return labelled

    def outcome(self, outputs: NDArray[Any], features: Features) -> Outcome:
        """Truth and probabilities of the labelled rows."""
        labelled = self.labelled(features)
        return Outcome(features.targets["labels"][labelled], self.probabilities(outputs)[labelled], self.label_names)


def label_text(label: Label) -> str:
    """A label as text; booleans as JSON writes them."""
    return label if isinstance(label, str) else json.dumps(label)


def _is_missing(label: object) -> bool:
    if isinstance(label, str):
        return is_blank(label)
    return label is None or (isinstance(label, float) and math.isnan(label))


def _whole(label: Label) -> str:
    """The label as text, a whole number without its decimals."""
    return str(int(label)) if isinstance(label, float) and label.is_integer() else label_text(label)
