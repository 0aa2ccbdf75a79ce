"""Which parameters learn, and at what rate: strategies, and what some of them can do besides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from supertune.contracts.rows import FloatArray, IntArray
from supertune.contracts.work import Head

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerBase


@dataclass(frozen=True)
class ParameterGroup:
    """Parameters that learn at one rate.

    Attributes:
        names: Names as in ``model.named_parameters()``.
        learning_rate: Peak rate.
        weight_decay: Decoupled weight decay.
    """

    names: tuple[str, ...]
    learning_rate: float
    weight_decay: float


@dataclass(frozen=True)
class FrozenPrefix:
    """What every text passes first and never changes, so that it need be computed only once.

    Attributes:
        beside: Names of the body's other modules, of which nothing learns either: embeddings and their like.
        layers: Names of the lowest layers, from the bottom, of which nothing learns; empty where the first one does.
    """

    beside: tuple[str, ...] = ()
    layers: tuple[str, ...] = ()


class Strategy(Protocol):
    """Which parameters learn, and at what rate.

    Attributes:
        name: What the user types.
        adapter: Whether `save` writes only what was learned, for `load` to put on the same base again; otherwise it
            writes a whole model.
        own_head: Whether it puts a head of its own in the place of the task's, and `load` does so again.
        passes: How many times the usual number of passes over the rows suits it.
        mergeable: Whether `merge` makes a plain model that computes the same.
        extra_tokens: Positions of the model that it uses besides those of the text.
    """

    name: str
    adapter: bool
    own_head: bool
    passes: float
    mergeable: bool

    @property
    def extra_tokens(self) -> int:
        """See the class."""
        ...

    def prepare(self, model: PreTrainedModel) -> PreTrainedModel:
        """Freeze and inject; returns the model to train."""
        ...

    def parameter_groups(
        self, model: PreTrainedModel, learning_rate: float, weight_decay: float
    ) -> list[ParameterGroup]:
        """Every parameter that learns, each in exactly one group."""
        ...

    def joins(self, model: PreTrainedModel) -> Mapping[str, float]:
        """Parameter → share of the steps after which it begins to learn; others learn from the first on."""
        ...

    def frozen_prefix(self, model: PreTrainedModel) -> FrozenPrefix:
        """The leading modules of a prepared model whose outputs never change, and may be kept."""
        ...

    def save(self, model: PreTrainedModel, folder: str, base: str) -> None:
        """Write what was learned so that plain transformers or peft opens it; ``base`` is what the base is called."""
        ...

    def load(self, model: PreTrainedModel, folder: str) -> PreTrainedModel:
        """The base model with a head of any weights as it was when `save` wrote to ``folder``."""
        ...

    def load_lines(self, auto_class: str) -> str:
        """Python lines that make ``tokenizer`` and ``model`` from the folder saved and the ``base`` of an adapter."""
        ...

    def merge(self, model: PreTrainedModel) -> PreTrainedModel:
        """The plain model that computes the same; only where `mergeable`."""
        ...

    def caution(self, parameters: int) -> str | None:
        """Why it is known to be weak on a model of so many weights; None where it is not."""
        ...

    def default_learning_rate(self) -> float:
        """The rate that was measured to work for this strategy."""
        ...


@runtime_checkable
class LearnsBySimilarity(Protocol):
    """A strategy in two phases: texts of one label move together, then a head is fitted to where they lie.

    Its models have ``embed(input_ids, attention_mask)`` → float (items, width), of length 1.

    Attributes:
        similarity: How texts are compared, ``softmax`` or ``cosine``.
        temperature: How much the nearest texts count more than others, for ``softmax``.
    """

    @property
    def similarity(self) -> str:
        """See the class."""
        ...

    @property
    def temperature(self) -> float:
        """See the class."""
        ...

    def label_texts(self, labels: Sequence[str]) -> list[list[str]]:
        """What each label means, in one text or several, or none: learned from like rows of the label.

        Raises:
            UserError: The strategy describes a label that is none.
        """
        ...

    def fit_head(
        self,
        model: PreTrainedModel,
        embeddings: FloatArray,
        labels: IntArray,
        class_weights: Sequence[float] | None = None,
    ) -> None:
        """Fit the model's head to embeddings (rows, width) and indices of labels (rows,), each of which occurs."""
        ...


@runtime_checkable
class ReadsLabels(Protocol):
    """A strategy that learns from no rows, but from what the labels are called or said to mean."""

    def head(self, wanted: Head, config: PreTrainedConfig) -> Head:
        """What to open a model of this configuration with; ``wanted`` is the task's head."""
        ...

    def meanings(self, labels: Sequence[str]) -> list[list[str]]:
        """What each label means, in one text or several.

        Raises:
            UserError: It is not known what a label means.
        """
        ...

    def lines_of(self, model: PreTrainedModel) -> str:
        """Python lines that make ``tokenizer`` and ``model`` from the folder that ``model`` was saved to."""
        ...

    def read_labels(
        self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, labels: Sequence[str], *, scale: float
    ) -> None:
        """Make the model answer for these labels, in index order.

        Args:
            model: As the strategy prepared it.
            tokenizer: Its tokenizer.
            labels: What they are called.
            scale: What cosines are multiplied by before the softmax, where the model compares vectors.

        Raises:
            UserError: It is not known what a label means.
        """
        ...
