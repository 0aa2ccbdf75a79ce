"""Single-label classification: one text, one of k labels."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from supertune.contracts import Columns, Features, FloatArray, Head, Label, Outcome, Prediction, Rows
from supertune.errors import UserError
from supertune.language import is_blank, join_fields

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
        columns = Columns(text=tuple(state["text"]), label=state["label"])
        return cls(columns, labels=tuple(state["labels"]))

    def state(self) -> dict[str, Any]:
        """Columns and labels with their JSON types, in index order."""
        return {"text": list(self.columns.text), "label": self.columns.label, "labels": list(self.labels)}

    def fit_state(self, rows: Rows) -> None:
        """Collect the labels of the training rows, in a natural order: numbers by size, text by code point."""
        assert self.columns.label is not None
        found: set[Label] = set()
        for batch in rows.batches():
            found.update(label for label in batch[self.columns.label] if not _is_missing(label))
        self.labels = tuple(sorted(found, key=lambda label: (isinstance(label, str), label)))

    def label_counts(self, rows: Rows) -> list[int]:
        """Number of rows of each label, in index order."""
        assert self.columns.label is not None
        counts = Counter(label for batch in rows.batches() for label in batch[self.columns.label])
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

    def encode(
        self, rows: Rows, tokenizer: PreTrainedTokenizerBase, max_length: int, *, labelled: bool = True
    ) -> Features:
        """Token ids of the joined text columns, cut to ``max_length``, and the label's index (-1: no label).

        With ``labelled`` off a label column is not looked at, and there are no targets.

        Raises:
            UserError: A row has a label that was not seen in training.
        """
        pieces: list[NDArray[np.int32]] = []
        full: list[int] = []
        targets: list[int] = []
        start = 0
        for batch in rows.batches():
            texts = [join_fields(fields) for fields in zip(*(batch[name] for name in self.columns.text), strict=True)]
            ids, lengths = _tokenize(texts, tokenizer, max_length)
            pieces += ids
            full += lengths
            if labelled and self.columns.label is not None and self.columns.label in batch:
                targets += self._indices(batch[self.columns.label], rows.row_ids[start : start + len(texts)])
            start += len(texts)
        lengths_array = np.fromiter((len(piece) for piece in pieces), np.int64, len(pieces))
        return Features(
            tokens={"input_ids": np.concatenate(pieces) if pieces else np.zeros(0, np.int32)},
            offsets=np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths_array)]),
            targets={"labels": np.array(targets, np.int64)} if len(targets) == len(pieces) else {},
            rows=np.arange(len(pieces), dtype=np.int64),
            full_lengths=np.array(full, np.int64),
        )

    def _indices(self, values: list[Any], row_ids: NDArray[np.int64]) -> list[int]:
        # By text, since a CSV file's 1 is a JSON file's "1"; 1.0 is what 1 becomes beside a missing number.
        index = {_whole(label): position for position, label in enumerate(self.labels)}
        index |= {name: position for position, name in enumerate(self.label_names)}
        found = []
        for value, row in zip(values, row_ids, strict=True):
            position = UNLABELLED if _is_missing(value) else index.get(label_text(value), index.get(_whole(value)))
            if position is None:
                known = ", ".join(map(repr, self.labels[:20]))
                raise UserError(
                    f"row {row} has the label {value!r}, which is not among the labels learned ({known})",
                    where=f"column {self.columns.label!r}",
                    fix="correct the label, or train with rows of it",
                )
            found.append(position)
        return found

    def forward(self, model: torch.nn.Module, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Logits, float (items, classes)."""
        logits: torch.Tensor = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits
        return logits

    def loss(self, model: torch.nn.Module, batch: Mapping[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        """Summed loss of the batch and the number of its items."""
        assert self._criterion is not None
        return self._criterion(self.forward(model, batch).float(), batch["labels"])

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

    def outcome(self, outputs: NDArray[Any], features: Features) -> Outcome:
        """Truth and probabilities of the labelled rows."""
        targets = features.targets["labels"]
        labelled = targets != UNLABELLED
        return Outcome(targets[labelled], self.probabilities(outputs)[labelled], self.label_names)


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


def token_lengths(rows: Rows, columns: Columns, tokenizer: PreTrainedTokenizerBase) -> Iterator[NDArray[np.int64]]:
    """Number of tokens of each row's joined text, special tokens included, nothing cut; one array per batch."""
    for batch in rows.batches():
        texts = [join_fields(fields) for fields in zip(*(batch[name] for name in columns.text), strict=True)]
        yield np.array([len(ids) for ids in _token_ids(texts, tokenizer)], np.int64)


def _token_ids(texts: list[str], tokenizer: PreTrainedTokenizerBase, max_length: int | None = None) -> list[list[int]]:
    if not texts:
        return []  # which transformers' tokenizers cannot take
    encoded: list[list[int]] = tokenizer(
        texts,
        truncation=max_length is not None,
        max_length=max_length,
        return_attention_mask=False,
        return_token_type_ids=False,
        verbose=False,
    )["input_ids"]
    return encoded


def _tokenize(
    texts: list[str], tokenizer: PreTrainedTokenizerBase, max_length: int
) -> tuple[list[NDArray[np.int32]], list[int]]:
    ids = [np.array(piece, np.int32) for piece in _token_ids(texts, tokenizer, max_length)]
    full = [len(piece) for piece in ids]
    # Only texts that fill the window can have been cut: the rest need not be tokenised again to know.
    reached = [index for index, length in enumerate(full) if length >= max_length]
    for index, piece in zip(reached, _token_ids([texts[index] for index in reached], tokenizer), strict=True):
        full[index] = len(piece)
    return ids, full
