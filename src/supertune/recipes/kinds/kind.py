"""What a kind of answers must say of itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from supertune.config import TrainConfig
from supertune.console import Console
from supertune.contracts import Features, Outcome, Section, Task
from supertune.data import Table
from supertune.recipes.measured import Held, Measurement

if TYPE_CHECKING:
    import torch

    Criterion = Callable[[torch.Tensor, torch.Tensor], tuple[torch.Tensor, torch.Tensor]]


@dataclass(frozen=True)
class Described:
    """What a model card says of the answers.

    Attributes:
        title: What the model was made to do, to stand behind its name.
        summary: What it is, as the beginning of a sentence.
        pipeline_tag: The hub's name for it.
        labels: Classes or columns, in index order.
        usage: Lines that ask ``model`` about ``batch``.
        examples: Two texts of a pair to show how it is asked; None for any.
        together: Whether the two texts of a pair are read together, as ``batch``.
    """

    title: str
    summary: str
    pipeline_tag: str
    labels: tuple[str, ...]
    usage: str
    examples: tuple[str, str] | None = None
    together: bool = True


class AnswerKind(Protocol):
    """Losses, baselines, report and words for one kind of answers.

    Attributes:
        loss: What ``train.loss=auto`` stands for.
        told: Metrics of the validation rows that every epoch tells, beside the one that chooses.
        tie_breaker: The one among them by which equal scores are told apart.
        rival: The baseline that the model is compared with in pairs.
        head_learning_rate: The least that a new head should learn at; None where the body's rate suits it.
    """

    loss: str
    told: tuple[str, ...]
    tie_breaker: str
    rival: str
    head_learning_rate: float | None

    def check(self, train: TrainConfig) -> None:
        """Check the settings that some kinds do not know.

        Raises:
            UserError: One means nothing here.
        """
        ...

    def check_metric(self, task: Task, metric: str) -> None:
        """Check that the metric that chooses the epoch has a value for what the task has learned of the rows.

        Raises:
            UserError: It has none.
        """
        ...

    def criterion(self, task: Task, train: TrainConfig, rows: Table) -> Criterion:
        """The loss of ``train.loss``: (outputs, targets) → (summed loss, items)."""
        ...

    def first_bias(self, learned: Features) -> list[float] | None:
        """What each output of a new head begins with, where 0 would be far from any answer; None where it is near.

        Args:
            learned: The training rows.
        """
        ...

    def divergence(self) -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]:
        """How far two answers to the same items are apart, for R-Drop: (items,)."""
        ...

    def learned_nothing(self, outcome: Outcome, learned: Features) -> bool:
        """Whether every validation row gets the same answer, which is no better than a guess.

        Args:
            outcome: The validation rows.
            learned: The training rows.
        """
        ...

    def remarks(self, task: Task, features: Features) -> tuple[str, ...]:
        """What is to be told of rows once they are tokens, one sentence each."""
        ...

    def guesses(self, task: Task, train: Table, test: Held, console: Console) -> dict[str, Outcome]:
        """Baseline → its answers for the labelled test rows, learned from the training rows."""
        ...

    def sections(self, measured: Measurement, task: Task, *, show_text: bool, language: str) -> tuple[Section, ...]:
        """The report's pictures and tables, what is right and wrong first."""
        ...

    def verdict(self, measured: Measurement, task: Task, train: Table, language: str) -> str:
        """How good the model is and how sure we are, in plain words."""
        ...

    def described(self, task: Task) -> Described:
        """What the model card says."""
        ...
