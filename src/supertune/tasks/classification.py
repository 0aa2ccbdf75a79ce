"""Single-label classification: one text, one of k labels."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from supertune.contracts import Columns, Features, FloatArray, Head, Label, Outcome, Prediction, Rows
from supertune.errors import UserError
from supertune.language import is_missing
from supertune.tasks.text import TextTask, by_row, sequence_head

if TYPE_CHECKING:
    import torch

Criterion = Callable[["torch.Tensor", "torch.Tensor"], "tuple[torch.Tensor, torch.Tensor]"]
UNLABELLED = -1
"""Target of a row without a label: predicted, never learned from or scored."""


class ClassificationTask(TextTask):
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
        super().__init__(columns, criterion)
        self.labels = labels

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> ClassificationTask:
        """The task as it was saved by `state`."""
        labels = (state["label"],) if state["label"] else ()
        pair, symmetric = state.get("pair", False), state.get("symmetric", False)
        columns = Columns(text=tuple(state["text"]), labels=labels, pair=pair, symmetric=symmetric)
        return cls(columns, labels=tuple(state["labels"]))

    def state(self) -> dict[str, Any]:
        """Columns and labels with their JSON types, in index order."""
        known = self.columns
        columns = {"text": list(known.text), "pair": known.pair, "symmetric": known.symmetric, "label": known.label}
        return {**columns, "labels": list(self.labels)}

    def fit_state(self, rows: Rows) -> None:
        """Collect the labels of the training rows, in a natural order: numbers by size, text by code point."""
        assert self.columns.label is not None
        found: set[Label] = set()
        for batch in rows.batches(columns=(self.columns.label,)):
            found.update(label for label in batch[self.columns.label] if not is_missing(label))
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
        return sequence_head(self.label_names, "single_label_classification")

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
        if is_missing(label):
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
        means, first = by_row(outputs, features)
        probabilities = self.probabilities(means)
        best = probabilities.argmax(axis=1)
        return [
            Prediction(int(row), self.labels[top], dict(zip(names, map(float, scores), strict=True)))
            for row, top, scores in zip(features.rows[first], best, probabilities, strict=True)
        ]

    def labelled(self, features: Features) -> NDArray[np.bool_]:
        """Bool (items,): which items have a label."""
        labelled: NDArray[np.bool_] = features.targets["labels"] != UNLABELLED
        return labelled

    def outcome(self, outputs: NDArray[Any], features: Features) -> Outcome:
        """Truth and probabilities of the labelled rows."""
        means, first = by_row(outputs, features)
        labelled = self.labelled(features)[first]
        truth = features.targets["labels"][first]
        return Outcome(truth[labelled], self.probabilities(means)[labelled], self.label_names)


def label_text(label: Label) -> str:
    """A label as text; booleans as JSON writes them."""
    return label if isinstance(label, str) else json.dumps(label)


def _whole(label: Label) -> str:
    """The label as text, a whole number without its decimals."""
    return str(int(label)) if isinstance(label, float) and label.is_integer() else label_text(label)
