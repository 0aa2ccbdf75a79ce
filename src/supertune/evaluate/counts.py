"""How often each class was true, predicted and right: all that accuracy, precision, recall, F1 and MCC need."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from supertune.contracts import FloatArray, IntArray, Outcome
from supertune.evaluate.metric import predicted

Kind = Literal["precision", "recall", "f1"]

_FEW_ROWS = 15
"""Below as many test rows in the rarest class, intervals over all classes cover 91–95 % (benchmarks/coverage.py)."""

_FEW_MISTAKES = 10


@dataclass(frozen=True)
class ClassCounts:
    """Counts per class, float64 (…, classes); leading axes are resamples.

    Attributes:
        right: Rows of the class that were predicted as it (the diagonal of the confusion matrix).
        true: Rows of the class.
        predicted: Rows predicted as the class.
    """

    right: FloatArray
    true: FloatArray
    predicted: FloatArray

    @property
    def total(self) -> FloatArray:
        """Number of rows, float64 (…)."""
        return np.asarray(self.true.sum(axis=-1))

    @property
    def present(self) -> FloatArray:
        """1.0 for classes that are true or predicted at least once: the ones that averages go over."""
        return ((self.true + self.predicted) > 0).astype(np.float64)


def divide(numerator: FloatArray, denominator: FloatArray) -> FloatArray:
    """Element-wise quotient, 0 where the denominator is 0 (as scikit-learn's ``zero_division=0``)."""
    out = np.zeros(np.broadcast_shapes(np.shape(numerator), np.shape(denominator)))
    return np.divide(numerator, denominator, out=out, where=np.asarray(denominator) != 0)


def confusion(outcome: Outcome) -> IntArray:
    """int64 (classes, classes): rows by true class, columns by predicted class."""
    k = len(outcome.labels)
    cells = outcome.targets * k + predicted(outcome)
    return np.bincount(cells, minlength=k * k).reshape(k, k).astype(np.int64)


def class_counts(matrix: IntArray | FloatArray) -> ClassCounts:
    """The counts per class of a confusion matrix (…, classes, classes)."""
    matrix = np.asarray(matrix, dtype=np.float64)
    return ClassCounts(np.diagonal(matrix, axis1=-2, axis2=-1), matrix.sum(axis=-1), matrix.sum(axis=-2))


def ratio(kind: Kind, counts: ClassCounts) -> tuple[FloatArray, FloatArray]:
    """Numerator and denominator of precision, recall or F1 of each class, float64 (…, classes)."""
    if kind == "precision":
        return counts.right, counts.predicted
    if kind == "recall":
        return counts.right, counts.true
    return 2 * counts.right, counts.true + counts.predicted


def per_class_values(kind: Kind, counts: ClassCounts) -> FloatArray:
    """Precision, recall or F1 of each class, float64 (…, classes); 0 where there is nothing to divide by."""
    return divide(*ratio(kind, counts))


def accuracy_value(counts: ClassCounts) -> FloatArray:
    """Share of right answers."""
    return np.asarray(counts.right.sum(axis=-1) / counts.total)


def macro_value(kind: Kind) -> Callable[[ClassCounts], FloatArray]:
    """The plain mean over the classes that are true or predicted at least once."""

    def value(counts: ClassCounts) -> FloatArray:
        present = counts.present
        total = (per_class_values(kind, counts) * present).sum(axis=-1)
        return np.asarray(total / present.sum(axis=-1))

    return value


def weighted_value(kind: Kind) -> Callable[[ClassCounts], FloatArray]:
    """The mean over classes, each weighted by its number of rows."""

    def value(counts: ClassCounts) -> FloatArray:
        return np.asarray((per_class_values(kind, counts) * counts.true).sum(axis=-1) / counts.total)

    return value


def mcc_value(counts: ClassCounts) -> FloatArray:
    """Matthews correlation coefficient of any number of classes (Gorodkin 2004, eq. 8); 0 for constant answers."""
    total = counts.total
    covariance = total * counts.right.sum(axis=-1) - (counts.true * counts.predicted).sum(axis=-1)
    spread_true = total**2 - (counts.true**2).sum(axis=-1)
    spread_predicted = total**2 - (counts.predicted**2).sum(axis=-1)
    return divide(covariance, np.sqrt(np.maximum(spread_true * spread_predicted, 0)))


def smoothed(matrix: IntArray) -> FloatArray:
    """The confusion matrix with one imagined row per class, which sets variances where nothing was seen to vary.

    The imagined row of each class is right with the probability (right + 1) / (rows + 2) of the whole matrix and
    otherwise spread as the predictions are. Shrinking towards the overall accuracy keeps many small perfect
    classes from being pulled towards a half one by one.
    """
    k = len(matrix)
    rows = matrix.sum()
    right = (np.trace(matrix) + 1) / (rows + 2)
    if k == 1:
        return np.asarray(matrix + 1.0, dtype=np.float64)
    wrong = np.tile((matrix.sum(axis=0) + 1) / (rows + k), (k, 1))
    np.fill_diagonal(wrong, 0)
    imagined = (1 - right) * wrong / wrong.sum(axis=1, keepdims=True)
    np.fill_diagonal(imagined, right)
    return np.asarray(matrix + imagined, dtype=np.float64)


def count_warning(counts: ClassCounts, labels: tuple[str, ...]) -> str | None:
    """Why an average over classes is to be read with care: a class without test rows or with few, or few mistakes."""
    absent = [label for label, rows in zip(labels, counts.true, strict=True) if rows == 0]
    if absent:
        named = ", ".join(repr(label) for label in absent[:3]) + (" and others" if len(absent) > 3 else "")
        return f"no test row has the label {named}: the score cannot say anything about it"
    fewest = int(counts.true.min())
    if fewest < _FEW_ROWS:
        label = labels[int(counts.true.argmin())]
        return f"interval is approximate: the class {label!r} has only {fewest} test rows"
    return few_mistakes_warning(counts)


def few_mistakes_warning(counts: ClassCounts) -> str | None:
    """Why a share is to be read with care: whole numbers of so few mistakes make coverage jump."""
    right, rows = int(counts.right.sum()), int(counts.total)
    rarer, name = min((rows - right, "wrong"), (right, "right"))
    if rarer >= _FEW_MISTAKES:
        return None
    return f"interval is approximate (covers 92 to 98 %): it rests on {rarer} {name} answers among {rows} rows"
