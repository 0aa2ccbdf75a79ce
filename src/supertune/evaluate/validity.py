"""What can be measured at all: answers and truth of the right shape, and numbers among them that are numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from supertune.contracts import Outcome
from supertune.errors import UserError


def check_outcome(outcome: Outcome) -> None:
    """Refuse what cannot be measured, by its kind of answers.

    Raises:
        UserError: No rows, or answers or targets that are none of this kind.
    """
    _CHECKS[outcome.answers](outcome)


def check_numbers(outcome: Outcome) -> None:
    """Refuse what cannot be measured.

    Raises:
        UserError: No rows, or answers or targets that are not finite numbers.
    """
    shape = (len(outcome.targets), len(outcome.labels))
    if not shape[0]:
        raise UserError("there are no labelled rows to measure", fix="give a split that has rows with a number")
    if outcome.targets.shape != shape or outcome.outputs.shape != shape:
        raise UserError(
            f"the answers have the shape {outcome.outputs.shape} and the truth {outcome.targets.shape}, not {shape}",
            fix="give one number per row and column",
        )
    _check_finite(outcome)
    if not np.isfinite(outcome.targets).all():
        row = int(np.flatnonzero(~np.isfinite(outcome.targets).all(axis=1))[0])
        raise UserError(f"the target of row {row} is not a number", fix="leave rows without one out before measuring")


def _check_finite(outcome: Outcome) -> None:
    finite = np.isfinite(outcome.outputs).all(axis=1)
    if not finite.all():
        raise UserError(
            f"the model's answer is not a number (first in row {int(np.flatnonzero(~finite)[0])})",
            fix="training has diverged: lower train.learning_rate and train again",
        )


def check_classifier(outcome: Outcome) -> None:
    """Refuse what cannot be measured.

    Raises:
        UserError: No rows, answers that are not numbers, or targets that are no class index.
    """
    n, k = len(outcome.targets), len(outcome.labels)
    if n == 0:
        raise UserError("there are no labelled rows to measure", fix="give a split that has rows with a label")
    if outcome.outputs.shape != (n, k):
        raise UserError(
            f"the answers have the shape {outcome.outputs.shape}, but there are {n} rows and {k} labels",
            fix="give one probability per row and label",
        )
    _check_finite(outcome)
    if outcome.targets.min() < 0 or outcome.targets.max() >= k:
        row = int(np.flatnonzero((outcome.targets < 0) | (outcome.targets >= k))[0])
        raise UserError(
            f"the target {outcome.targets[row]} of row {row} is none of the {k} classes",
            fix="leave rows without a known label out before measuring",
        )


def check_sets(outcome: Outcome) -> None:
    """Refuse what cannot be measured.

    Raises:
        UserError: No rows, or probabilities that are not finite numbers.
    """
    shape = (len(outcome.targets), len(outcome.labels))
    if not shape[0]:
        raise UserError("there are no labelled rows to measure", fix="give a split that has rows with labels")
    given = () if outcome.given is None else outcome.given.shape
    shapes = [outcome.targets.shape, outcome.outputs.shape, given]
    if any(found != shape for found in shapes):
        raise UserError(
            f"truth, probabilities and answers have the shapes {', '.join(map(str, shapes))}, not {shape}",
            fix="give one value per row and label",
        )
    _check_finite(outcome)


_CHECKS: Mapping[str, Callable[[Outcome], None]] = {
    "classes": check_classifier,
    "numbers": check_numbers,
    "sets": check_sets,
}
