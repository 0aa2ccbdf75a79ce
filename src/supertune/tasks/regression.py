"""Regression: a number for each text, or several; ratings are numbers on a scale."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from supertune.contracts import Columns, Features, FloatArray, Head, Outcome, Prediction, Rows
from supertune.errors import UserError
from supertune.language import shorten
from supertune.tasks.text import TextTask, by_row, sequence_head

if TYPE_CHECKING:
    import torch

    Criterion = Callable[[torch.Tensor, torch.Tensor], tuple[torch.Tensor, torch.Tensor]]

_MOST_RATINGS = 20
"""Different whole numbers up to which they are taken for ratings: more are counts."""
_ROUNDING = 1e-5
"""What 32 bits may lose of a number, in units of its column's spread."""


@dataclass(frozen=True)
class Scale:
    """One column of numbers, as the training rows have it.

    Attributes:
        mean: Of the training rows: what is learned are differences from it, in units of ``spread``.
        spread: Their standard deviation.
        low: The smallest of them.
        high: The largest.
        ratings: Whether all are whole and of at most 20 kinds: answers are rounded to the scale then.
    """

    mean: float
    spread: float
    low: float
    high: float
    ratings: bool

    def answer(self, value: float) -> float | int:
        """A number as the user would write it: a rating is whole, and on the scale."""
        return int(min(max(round(value), self.low), self.high)) if self.ratings else value


class RegressionTask(TextTask):
    """Learns to give each text the numbers of one column, or of several.

    Numbers are standardised inside, so that the same rates and losses suit every unit, and brought back outside.

    Args:
        columns: The text columns and the columns of numbers.
        scales: Of each column of numbers, when they are known already (a saved model).
        criterion: (outputs float (items, columns), standardised targets float32 of the same shape) → (summed loss,
            items); only training needs it.
    """

    name = "regression"
    answers = "numbers"
    primary_metric = "r2"
    headline = ("r2", "pearson", "spearman", "quadratic_kappa", "rmse", "mae")

    def __init__(self, columns: Columns, *, scales: tuple[Scale, ...] = (), criterion: Criterion | None = None) -> None:
        super().__init__(columns, criterion)
        self.scales = scales

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> RegressionTask:
        """The task as it was saved by `state`."""
        columns = Columns(
            tuple(state["text"]), tuple(state["labels"]), pair=state["pair"], symmetric=state["symmetric"]
        )
        return cls(columns, scales=tuple(Scale(**scale) for scale in state["scales"]))

    def state(self) -> dict[str, Any]:
        """Columns, and the scale of each column of numbers."""
        scales = [vars(scale) for scale in self.scales]
        known = self.columns
        columns = {"text": list(known.text), "pair": known.pair, "symmetric": known.symmetric}
        return {**columns, "labels": list(known.labels), "scales": scales}

    def minimising(self, criterion: Criterion) -> RegressionTask:
        """The same task with what its training minimises."""
        return RegressionTask(self.columns, scales=self.scales, criterion=criterion)

    def fit_state(self, rows: Rows) -> None:
        """Take the scale of each column from the training rows.

        Raises:
            UserError: A value is no number, or a column has the same one everywhere.
        """
        numbers = self.numbers(rows)
        known = numbers[~np.isnan(numbers).any(axis=1)]
        scales = []
        for name, values in zip(self.columns.labels, known.T, strict=True):
            if len(np.unique(values)) < 2:
                raise UserError(
                    "has the same number in every training row, so there is nothing to learn",
                    where=f"column {name!r}",
                    fix="name another column with --label NAME",
                )
            whole = bool((values == np.round(values)).all()) and len(np.unique(values)) <= _MOST_RATINGS
            low, high = float(values.min()), float(values.max())
            scales.append(Scale(float(values.mean()), float(values.std()), low, high, whole))
        self.scales = tuple(scales)

    def numbers(self, rows: Rows) -> FloatArray:
        """Float64 (rows, columns): the numbers as they stand, NaN where there is none.

        Raises:
            UserError: A value is no number.
        """
        names = self.columns.labels
        found = np.empty((len(rows), len(names)))
        start = 0
        for batch in rows.batches(columns=names):
            for position, name in enumerate(names):
                for row, value in enumerate(batch[name], start):
                    found[row, position] = _number(value, name, int(rows.row_ids[row]))
            start += len(batch[names[0]])
        return found

    def head(self) -> Head:
        """A sequence-classification head with an output for each column."""
        return sequence_head(self.columns.labels, "regression")

    def targets(self, rows: Rows) -> Mapping[str, NDArray[Any]]:
        """``labels``: float32 (rows, columns), standardised, NaN without one; nothing where a column is missing.

        Raises:
            UserError: A value is no number.
        """
        if not self.columns.labels or not set(self.columns.labels) <= set(rows.column_names):
            return {}
        means, spreads = self._units()
        return {"labels": ((self.numbers(rows) - means) / spreads).astype(np.float32)}

    def restored(self, outputs: NDArray[Any]) -> FloatArray:
        """Float64 (items, columns): answers in the user's own units."""
        means, spreads = self._units()
        restored: FloatArray = outputs.astype(np.float64) * spreads + means
        return restored

    def decode(self, outputs: NDArray[Any], features: Features) -> list[Prediction]:
        """A number for each row, of several columns one for each; ratings are rounded, and told exactly beside."""
        names = self.columns.labels
        means, first = by_row(outputs, features)
        predictions = []
        for row, values in zip(features.rows[first], self.restored(means), strict=True):
            answers = {name: s.answer(float(v)) for name, s, v in zip(names, self.scales, values, strict=True)}
            exact = {name: float(v) for name, s, v in zip(names, self.scales, values, strict=True) if s.ratings}
            predictions.append(Prediction(int(row), answers if len(names) > 1 else answers[names[0]], exact or None))
        return predictions

    def labelled(self, features: Features) -> NDArray[np.bool_]:
        """Bool (items,): which items have a number in every column."""
        labelled: NDArray[np.bool_] = ~np.isnan(features.targets["labels"]).any(axis=1)
        return labelled

    def outcome(self, outputs: NDArray[Any], features: Features) -> Outcome:
        """Truth and answers of the labelled rows, in the user's own units; ratings before they are rounded."""
        means, first = by_row(outputs, features)
        labelled = self.labelled(features)[first]
        truth = self.restored(features.targets["labels"][first][labelled])
        answers = self.restored(means[labelled])
        # Standardised in 32 bits: what was whole is whole again.
        whole = np.abs(truth - np.round(truth)) < _ROUNDING * self._units()[1]
        ratings = tuple((scale.low, scale.high) if scale.ratings else None for scale in self.scales)
        return Outcome(np.where(whole, np.round(truth), truth), answers, self.columns.labels, self.answers, ratings)

    def _units(self) -> tuple[FloatArray, FloatArray]:
        return np.array([scale.mean for scale in self.scales]), np.array([scale.spread for scale in self.scales])


def _number(value: object, column: str, row: int) -> float:
    """The value as a number; NaN where there is none.

    Raises:
        UserError: It is none.
    """
    if value is None or (isinstance(value, str) and not value.strip()):
        return math.nan
    if isinstance(value, int | float) and not isinstance(value, bool) and not math.isinf(value):
        return float(value)
    if isinstance(value, str):
        try:
            number = float(value)
        except ValueError:
            number = math.inf
        if math.isfinite(number):
            return number
    raise UserError(
        f"row {row} has {shorten(repr(value), 40)}, which is no number",
        where=f"column {column!r}",
        fix="correct it, or leave it empty; for classes leave out --task regression",
    )
