"""What can be measured at all: answers and truth of the right shape, and numbers among them that are numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from supertune.contracts import FloatArray, Outcome
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


def check_answers(outcome: Outcome) -> None:
    """Refuse what cannot be measured; questions without an answer have no reference.

    Raises:
        UserError: No rows, or answers or references that are not texts.
    """
    _check_texts(outcome, least=0)


def check_texts(outcome: Outcome) -> None:
    """Refuse what cannot be measured.

    Raises:
        UserError: No rows, answers or references that are not texts, or a row without a reference.
    """
    _check_texts(outcome, least=1)


def check_generated(outcome: Outcome) -> None:
    """Refuse what cannot be measured.

    Raises:
        UserError: As for texts; or it is told of some rows alone how they ended.
    """
    _check_texts(outcome, least=1)
    if outcome.ended is not None and outcome.ended.shape != outcome.targets.shape:
        raise UserError(
            f"it is told of {len(outcome.ended)} of {len(outcome.targets)} texts how they ended",
            fix="tell it of each, or of none",
        )


def check_likelihoods(outcome: Outcome) -> None:
    """Refuse what cannot be measured.

    Raises:
        UserError: No rows, losses that are not finite numbers, or rows of which nothing was to be written.
    """
    _check_rows(outcome, "an answer")
    n = len(outcome.targets)
    if outcome.targets.shape != (n, 2) or outcome.outputs.shape != (n,):
        raise UserError(
            f"the losses have the shape {outcome.outputs.shape} and their counts {outcome.targets.shape}",
            fix="give a sum of losses for each row, and its tokens and characters",
        )
    if not np.isfinite(outcome.outputs).all():
        raise UserError(
            f"the loss of row {int(np.flatnonzero(~np.isfinite(outcome.outputs))[0])} is not a number",
            fix="training has diverged: lower train.learning_rate and train again",
        )
    if (outcome.targets[:, 0] < 1).any() or (outcome.targets[:, 1] < 0).any():
        row = int(np.flatnonzero((outcome.targets[:, 0] < 1) | (outcome.targets[:, 1] < 0))[0])
        raise UserError(f"row {row} has no tokens to be written", fix="leave such rows out before measuring")


def _check_texts(outcome: Outcome, *, least: int) -> None:
    _check_rows(outcome, "a reference")
    if outcome.outputs.shape != outcome.targets.shape:
        raise UserError(
            f"there are {len(outcome.outputs)} answers and {len(outcome.targets)} rows with references",
            fix="give one text per row",
        )
    for row, (references, answer) in enumerate(zip(outcome.targets, outcome.outputs, strict=True)):
        if not isinstance(answer, str):
            raise UserError(f"the answer of row {row} is {answer!r}, not a text", fix='give "" where there is none')
        if not isinstance(references, tuple) or not all(isinstance(text, str) for text in references):
            raise UserError(
                f"the references of row {row} are {references!r}, not a tuple of texts",
                fix="give each row a tuple of the texts that are acceptable",
            )
        if len(references) < least:
            raise UserError(f"row {row} has no reference", fix="leave rows without one out before measuring")


def check_spans(outcome: Outcome) -> None:
    """Refuse what cannot be measured; texts without any entity have empty tuples.

    Raises:
        UserError: No rows, or entities that are not (start, end, index of the label).
    """
    _check_rows(outcome, "entities, if only an empty list of them")
    if outcome.outputs.shape != outcome.targets.shape:
        raise UserError(
            f"there are answers for {len(outcome.outputs)} rows and {len(outcome.targets)} rows with entities",
            fix="give each row a tuple of entities",
        )
    labels = range(len(outcome.labels))
    for column in (outcome.targets, outcome.outputs):
        for row, spans in enumerate(column):
            if not isinstance(spans, tuple) or not all(len(one) == 3 and one[0] < one[1] for one in spans):
                raise UserError(
                    f"the entities of row {row} are {spans!r}", fix="give a tuple of (start, end, index of the label)"
                )
            if any(one[2] not in labels for one in spans):
                raise UserError(f"an entity of row {row} has a label that is none of {len(labels)}", fix="name it")


def check_ranking(outcome: Outcome) -> None:
    """Refuse what cannot be measured.

    Raises:
        UserError: No rows, relevances that are not finite numbers from 0, a query to which nothing is relevant, or
            one for which more was found than there is.
    """
    _check_rows(outcome, "relevant items")
    found = outcome.outputs
    if found.ndim != 2 or len(found) != len(outcome.targets) or not found.shape[1]:
        raise UserError(
            f"the retrieved items have the shape {found.shape}, but there are {len(outcome.targets)} queries",
            fix="give the relevances of the first items of each query, at least one",
        )
    for row, relevant in enumerate(outcome.targets):
        if not isinstance(relevant, tuple) or not relevant:
            raise UserError(f"nothing is relevant to the query of row {row}", fix="leave such queries out")
        _check_relevances(row, np.sort(found[row])[::-1], np.asarray(relevant, dtype=np.float64))


def _check_relevances(row: int, found: FloatArray, relevant: FloatArray) -> None:
    """Both in descending order, as the relevant ones must be given."""
    for given, wrong, wanted in ((found, found < 0, "from 0"), (relevant, relevant <= 0, "above 0")):
        if wrong.any() or not np.isfinite(given).all():
            raise UserError(
                f"a relevance of row {row} is not a number {wanted}",
                fix="the higher, the more relevant; what is irrelevant has 0, and no place in the targets",
            )
    if (np.diff(relevant) > 0).any():
        raise UserError(f"the relevances of row {row} do not descend", fix="sort them, the highest first")
    found = found[found > 0]
    if len(found) > len(relevant) or (found > relevant[: len(found)]).any():
        raise UserError(
            f"more was found for the query of row {row} than is relevant to it",
            fix="give the relevances of all relevant items as its target, and count no item twice",
        )


def _check_rows(outcome: Outcome, needed: str) -> None:
    if not len(outcome.targets):
        raise UserError("there are no rows to measure", fix=f"give a split that has rows with {needed}")


_CHECKS: Mapping[str, Callable[[Outcome], None]] = {
    "classes": check_classifier,
    "numbers": check_numbers,
    "sets": check_sets,
    "answers": check_answers,
    "spans": check_spans,
    "texts": check_texts,
    "generated": check_generated,
    "likelihoods": check_likelihoods,
    "ranking": check_ranking,
}
