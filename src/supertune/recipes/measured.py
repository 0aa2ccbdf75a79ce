"""What was measured of a model, as it is handed on to those who tell it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from supertune.contracts import Features, Outcome, Prediction, Score, Task
from supertune.data import Table

WITHOUT_LEAKED = "without_leaked"


@dataclass(frozen=True)
class Held:
    """One held-out split and what the model says about it.

    Attributes:
        table: Every row of it, in input order.
        features: The rows encoded.
        predictions: One per row.
        outcome: Truth and answers of the labelled rows.
        labelled: Positions of those in ``table``.
        task: What found them: it may know what there is in other splits.
        outputs: What the task kept of every item to answer by, float32 (items, …).
    """

    table: Table
    features: Features
    predictions: tuple[Prediction, ...]
    outcome: Outcome
    labelled: NDArray[np.int64]
    task: Task
    outputs: NDArray[Any]


@dataclass(frozen=True)
class Evaluated:
    """How good a model is on rows that somebody named.

    Attributes:
        table: The rows that were looked at.
        scores: Metric → score.
        predictions: Makes one for each of the rows.
        more: What else is to be told, by name.
    """

    table: Table
    scores: Mapping[str, Score]
    predictions: Callable[[], Sequence[Prediction]]
    more: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Writings:
    """What was written for some rows of the final split, by the model and by those it is compared with.

    Attributes:
        rows: int64, their positions in the split's table.
        asked: What was asked, as people wrote it.
        model: What the model wrote, beside what people did.
        others: Baseline → what it wrote.
        likely: Baseline → how likely it found what people wrote for these rows, where it was asked in another way than
            the model.
    """

    rows: NDArray[np.int64]
    asked: tuple[str, ...]
    model: Outcome
    others: Mapping[str, Outcome]
    likely: Mapping[str, Outcome] = field(default_factory=dict)


@dataclass(frozen=True)
class Measurement:
    """Everything that was measured.

    Attributes:
        held: Split → the model's answers.
        scores: Split → metric → score: ``validation``, ``test``, ``test_without_leaked`` where rows leaked, and
            ``test_<baseline>`` for each baseline.
        undefined: Metric → why it has no value on the test split.
        baselines: Baseline → metric → score on the test split.
        primary: The metric that heads the report.
        rival: The baseline that the model is compared with.
        difference: How much better than its rival the model is in the primary metric, paired.
        writings: What was written, where something is to be.
        forgotten: General texts → bits per character after training minus before; see `measure_forgetting`.
    """

    held: Mapping[str, Held]
    scores: Mapping[str, Mapping[str, Score]]
    primary: str
    rival: str
    undefined: Mapping[str, str] = field(default_factory=dict)
    baselines: Mapping[str, Mapping[str, Score]] = field(default_factory=dict)
    difference: Score | None = None
    writings: Writings | None = None
    forgotten: Mapping[str, Score] = field(default_factory=dict)

    @property
    def final_split(self) -> str:
        """The split whose scores say how good the model is: test; validation where there is no test."""
        return "test" if "test" in self.held else "validation"

    @property
    def final(self) -> Held:
        """The model's answers on that split."""
        return self.held[self.final_split]
