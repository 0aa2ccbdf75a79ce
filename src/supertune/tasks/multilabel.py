"""Multi-label classification: one text, any number of the labels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from supertune.contracts import Columns, Features, FloatArray, Head, IntArray, Label, Outcome, Prediction, Rows
from supertune.errors import UserError
from supertune.label_sets import label_sets
from supertune.tasks.classification import label_text
from supertune.tasks.text import TextTask, by_row, sequence_head
from supertune.tasks.thresholds import UNDECIDED, Cut, chosen_cut

if TYPE_CHECKING:
    import torch

    Criterion = Callable[[torch.Tensor, torch.Tensor], tuple[torch.Tensor, torch.Tensor]]

_UNLABELLED = -1


class MultilabelTask(TextTask):
    """Learns to give each text those of the labels seen in training that apply to it, or none.

    Args:
        columns: The text columns, and the label column or columns.
        labels: Labels in index order, when they are known already (a saved model).
        cut: Where probabilities become answers; None for a half, until `calibrated` has chosen.
        some: Whether every training row has a label.
        criterion: (logits float (items, labels), targets int8 of that shape, 1 where a label applies) → (summed loss,
            items); only training needs it.
    """

    name = "multilabel"
    answers = "sets"
    primary_metric = "f1_micro"
    headline = ("f1_micro", "f1_macro", "precision_micro", "recall_micro", "subset_accuracy", "label_ranking")

    def __init__(
        self,
        columns: Columns,
        *,
        labels: tuple[Label, ...] = (),
        cut: Cut | None = None,
        some: bool = False,
        criterion: Criterion | None = None,
    ) -> None:
        super().__init__(columns, criterion)
        self.labels = labels
        self.cut = cut or Cut(np.full(len(labels), UNDECIDED), some)

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> MultilabelTask:
        """The task as it was saved by `state`."""
        columns = Columns(
            tuple(state["text"]),
            tuple(state["columns"]),
            pair=state["pair"],
            symmetric=state["symmetric"],
            answers="sets",
            separator=state["separator"],
        )
        cut = Cut(np.array(state["thresholds"], np.float64), bool(state["some"]))
        return cls(columns, labels=tuple(state["labels"]), cut=cut)

    def state(self) -> dict[str, Any]:
        """Columns, labels with their JSON types in index order, and where probabilities are cut."""
        known = self.columns
        return {
            "text": list(known.text),
            "pair": known.pair,
            "symmetric": known.symmetric,
            "columns": list(known.labels),
            "separator": known.separator,
            "labels": list(self.labels),
            "thresholds": self.cut.thresholds.tolist(),
            "some": self.cut.some,
        }

    def minimising(self, criterion: Criterion) -> MultilabelTask:
        """The same task with what its training minimises."""
        return MultilabelTask(self.columns, labels=self.labels, cut=self.cut, criterion=criterion)

    def calibrated(self, outputs: NDArray[Any], features: Features) -> Self:
        """The same task, its thresholds chosen on labelled rows that were not learned from."""
        outcome = self.outcome(outputs, features)
        if not len(outcome):
            return self
        cut = chosen_cut(outcome.outputs, outcome.targets, some=self.cut.some)
        return type(self)(self.columns, labels=self.labels, cut=cut, criterion=self._criterion)

    def fit_state(self, rows: Rows) -> None:
        """Collect the labels of the training rows, in a natural order: numbers by size, text by code point.

        Raises:
            UserError: No row has a label, or a value holds none.
        """
        counts: Counter[Label] = Counter()
        some = True
        for labels in label_sets(rows, self.columns):
            counts.update(labels or ())
            some = some and labels != ()
        if not counts:
            raise UserError(
                "no training row has a label, so there is nothing to learn",
                where=f"column {self.columns.label!r}",
                fix="name the right column with --label",
            )
        # Columns of 0 and 1 name the labels, in their order, also those that no row has.
        named = self.columns.labels if len(self.columns.labels) > 1 else ()
        self.labels = named or tuple(sorted(counts, key=lambda label: (isinstance(label, str), label)))
        self.cut = Cut(np.full(len(self.labels), UNDECIDED), some)

    @property
    def label_names(self) -> tuple[str, ...]:
        """Labels as text, in index order: what reports, ``id2label`` and ``scores`` show."""
        return tuple(label_text(label) for label in self.labels)

    def head(self) -> Head:
        """A sequence-classification head with an output for each label."""
        return sequence_head(self.label_names, "multi_label_classification")

    def targets(self, rows: Rows) -> Mapping[str, NDArray[np.int8]]:
        """``labels``: int8 (rows, labels), 1 where a label applies, -1 all through where nobody has said.

        Nothing where a label column is missing.

        Raises:
            UserError: A row has a label that was not seen in training, or a value holds none.
        """
        if not self.columns.labels or not set(self.columns.labels) <= set(rows.column_names):
            return {}
        # By text, since a CSV file's 1 is a JSON file's "1".
        index = {name: position for position, name in enumerate(self.label_names)}
        found = np.zeros((len(rows), len(index)), np.int8)
        for row, labels in enumerate(label_sets(rows, self.columns)):
            if labels is None:
                found[row] = _UNLABELLED
                continue
            for label in labels:
                position = index.get(label_text(label))
                if position is None:
                    raise self._unknown(label, int(rows.row_ids[row]))
                found[row, position] = 1
        return {"labels": found}

    def _unknown(self, label: Label, row: int) -> UserError:
        known = ", ".join(map(repr, self.labels[:20]))
        return UserError(
            f"row {row} has the label {label!r}, which is not among the labels learned ({known})",
            where=f"column {self.columns.label!r}",
            fix="correct the label, or train with rows of it",
        )

    def probabilities(self, outputs: NDArray[Any]) -> FloatArray:
        """The logistic function of each output in float64, (items, labels)."""
        from scipy.special import expit

        found: FloatArray = expit(outputs.astype(np.float64))
        return found

    def decode(self, outputs: NDArray[Any], features: Features) -> list[Prediction]:
        """The labels that each row is given, the most probable first, with the probability of every label."""
        names = self.label_names
        means, first = by_row(outputs, features)
        probabilities = self.probabilities(means)
        given = self.cut.given(probabilities)
        predictions = []
        for row, scores, chosen in zip(features.rows[first], probabilities, given, strict=True):
            ordered: IntArray = np.argsort(-scores, kind="stable")
            labels = [self.labels[place] for place in ordered if chosen[place]]
            predictions.append(Prediction(int(row), labels, dict(zip(names, map(float, scores), strict=True))))
        return predictions

    def labelled(self, features: Features) -> NDArray[np.bool_]:
        """Bool (items,): which items somebody has labelled, if only to say that no label applies."""
        labelled: NDArray[np.bool_] = (features.targets["labels"] != _UNLABELLED).all(axis=1)
        return labelled

    def outcome(self, outputs: NDArray[Any], features: Features) -> Outcome:
        """Truth, probabilities and answers of the labelled rows."""
        means, first = by_row(outputs, features)
        labelled = self.labelled(features)[first]
        probabilities = self.probabilities(means)[labelled]
        truth = features.targets["labels"][first][labelled] == 1
        return Outcome(truth, probabilities, self.label_names, self.answers, given=self.cut.given(probabilities))
