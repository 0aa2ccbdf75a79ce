"""What is found, measured, predicted and told."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from supertune.contracts.rows import Label

Severity = Literal["info", "warning", "error"]
SEVERITIES: tuple[Severity, ...] = ("info", "warning", "error")


@dataclass(frozen=True)
class Finding:
    """Something a check found in the data.

    Attributes:
        check: The check's name, e.g. ``label-conflicts``; what ``--allow`` takes.
        severity: ``error`` stops training unless allowed.
        split: The split it was found in (``train``, ``validation``, ``test``), or ``all`` before a split.
        rows: 0-based row numbers in that split's file.
        message: One sentence in plain words, with the numbers.
        fix: What to do, a command where there is one.
    """

    check: str
    severity: Severity
    message: str
    fix: str
    split: str = "all"
    rows: tuple[int, ...] = ()


@dataclass(frozen=True)
class Score:
    """A measured value with its 95 % interval.

    Attributes:
        value: The estimate.
        low: Lower end of the interval (equal to ``value`` where none exists).
        high: Upper end.
        n: Number of rows it was measured on.
        signature: What exactly was computed, e.g. ``f1_macro|classes:6|ci:...|sklearn-definition|v1``.
        warning: Why the interval should be read with care, if so.
    """

    value: float
    low: float
    high: float
    n: int
    signature: str
    warning: str | None = None

    def as_dict(self) -> dict[str, object]:
        """The shape stored in metrics.json."""
        stored: dict[str, object] = {
            "value": self.value,
            "low": self.low,
            "high": self.high,
            "n": self.n,
            "signature": self.signature,
        }
        if self.warning:
            stored["warning"] = self.warning
        return stored


@dataclass(frozen=True)
class Prediction:
    """What a model says about one row.

    Attributes:
        row: Index of the row within the table that was predicted.
        prediction: The answer, in the user's own label type; of several columns, column → answer; of several labels,
            those that apply; of entities what is said of each. None where nothing was written.
        scores: Label (as text) → probability, for classifiers; column → number before it was rounded, for ratings.
        more: Whatever else there is to say, by name, as JSON.
    """

    row: int
    prediction: Label | Mapping[str, Label] | Sequence[Label] | Sequence[Mapping[str, Any]] | None
    scores: Mapping[str, float] | None = None
    more: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Event:
    """Something that happened while training; one line of events.jsonl.

    Attributes:
        event: What: ``start``, ``step``, ``epoch``, ``validation``, ``stop``, ...
        step: Optimizer steps taken so far.
        values: JSON-able values.
    """

    event: str
    step: int
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """The truth and the answers of one split, side by side, as arrays that metrics can count.

    Attributes:
        targets: (rows, …) the truth: indices of classes int64 (rows,), numbers float64 (rows, columns), or which labels
            apply bool (rows, labels). Of texts tuples of acceptable ones, object (rows,), of answers to questions an
            empty one where there is none. Of likelihoods int64 (rows, 2), how many tokens were to be written and how
            many characters they are. Of rankings tuples of the relevances of all that is relevant to the query,
            above 0 and descending. Of spans tuples of (start, end, index of the label), object (rows,).
        outputs: (rows, …) the answers: probabilities float64 (rows, classes or labels), or numbers as the targets are.
            Texts, object (rows,), "" for no answer. Of likelihoods −ln of the probability of those tokens together,
            float64 (rows,). Of rankings the relevances of the first items found for each
            query, float64 (rows, items), 0 for what is irrelevant. Of spans as the targets are.
        labels: What the classes or labels are called, in index order, or the columns of numbers.
        answers: The kind of answers that these are, which says by what metrics they are measured: ``classes``,
            ``numbers``, ``sets`` of labels, ``answers`` to questions, ``spans`` of texts, ``texts``, texts that were
            ``generated``, ``likelihoods`` of texts, or ``ranking``.
        given: For sets: bool (rows, labels), the labels that the answers hold.
        ended: For generated texts: what ended each, object (rows,), ``length`` where nothing but a limit did.
        ratings: For numbers: the lowest and the highest rating of each column, None for one that is not rated.
    """

    targets: NDArray[Any]
    outputs: NDArray[Any]
    labels: tuple[str, ...] = ()
    answers: str = "classes"
    ratings: tuple[tuple[float, float] | None, ...] = ()
    given: NDArray[np.bool_] | None = None
    ended: NDArray[Any] | None = None

    def __len__(self) -> int:
        return len(self.targets)

    def take(self, rows: NDArray[Any]) -> Outcome:
        """Some of the rows, by index or by a mask."""
        given, ended = (None if each is None else each[rows] for each in (self.given, self.ended))
        return replace(self, targets=self.targets[rows], outputs=self.outputs[rows], given=given, ended=ended)


def worst(findings: Iterable[Finding]) -> Severity | None:
    """The highest severity among the findings; None when there are none."""
    return max((finding.severity for finding in findings), key=SEVERITIES.index, default=None)
