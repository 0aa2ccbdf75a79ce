"""Rows: what every room may rely on about a table, the roles of its columns, and its encoded form."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from supertune.contracts.layout import Layout

if TYPE_CHECKING:
    import torch

Label = str | int | float | bool
"""A class label as the user wrote it; its JSON type is kept from the data to the predictions."""

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]


class Rows(Protocol):
    """What every room may rely on about a table of rows, without knowing how it is stored."""

    @property
    def column_names(self) -> tuple[str, ...]:
        """Names of the user's columns, in order."""
        ...

    @property
    def row_ids(self) -> IntArray:
        """int64 (rows,): 0-based number of each row in the file it came from; stable through every step."""
        ...

    def __len__(self) -> int: ...

    def column(self, name: str) -> list[Any]:
        """All values of one column as Python objects."""
        ...

    def batches(self, size: int = 8192, columns: Sequence[str] | None = None) -> Iterator[Mapping[str, list[Any]]]:
        """The rows in order, as column → values, at most ``size`` rows at a time; of ``columns`` only, if given."""
        ...


@dataclass(frozen=True)
class Columns:
    """Which of the user's columns play which role.

    Attributes:
        text: One column or several, joined by `supertune.language.join_fields` (title, then body).
        labels: The columns to learn; several for several numbers, or where each says whether its label applies. Empty
            for rows that only need a prediction.
        pair: The two text columns are two texts that the model compares, and not one text in two parts.
        symmetric: The order of a pair means nothing: both are learned from, and answers are the mean of both.
        answers: The kind of answers that the columns to learn hold: ``classes``, ``numbers``, ``sets`` of labels,
            ``answers`` that stand in the second of two texts, of which the first is a question, ``spans`` of a text,
            ``texts``, of which each is acceptable, ``ranking``: how much the second of two texts is what the first
            one asks for, or ``generated``: what a model is to write.
        separator: What stands between the labels of a row in text; None where each text is one label.
        starts: For answers in a text: the column that says at which character each begins, if it is one of its own.
        negatives: For rankings: columns of further texts that are not what the first one asks for.
        tag_names: For spans: what tags that are written as numbers are called, in the order of the numbers.
        group: Rows with the same value in this column are never divided between splits; None: only equal texts are
            kept together.
        strata: Of several data sets that were put together: the column that says which one a row is of. Each split gets
            its share of each.
        layout: For what is generated: how a row becomes a conversation.
        announcements: How the roles were found, one sentence each, for the user to read.
    """

    text: tuple[str, ...]
    labels: tuple[str, ...] = ()
    announcements: tuple[str, ...] = ()
    pair: bool = False
    symmetric: bool = False
    answers: str = "classes"
    separator: str | None = None
    starts: str | None = None
    negatives: tuple[str, ...] = ()
    tag_names: tuple[str, ...] = ()
    group: str | None = None
    strata: str | None = None
    layout: Layout | None = None

    @property
    def label(self) -> str | None:
        """The first of the columns to learn; None where there is none."""
        return self.labels[0] if self.labels else None


@dataclass(frozen=True)
class Groups:
    """Items that are learned from together: a query, what it asks for, and what it does not.

    Attributes:
        items: int64 (groups, most): the query, a passage, further passages that are not asked for; -1 for none.
        relevance: float32 (groups,): how much the passage is what is asked for; NaN where nobody has said.
        scores: float32 of the shape of ``items``: what a teacher says of the query and each passage, NaN where it was
            not asked, and for the query itself; None where there is no teacher.
    """

    items: IntArray
    relevance: NDArray[np.float32]
    scores: NDArray[np.float32] | None = None

    def __len__(self) -> int:
        return len(self.items)


@dataclass(frozen=True)
class Features:
    """Encoded rows, ragged and flat so that a million of them fit in memory.

    Attributes:
        tokens: Per-token columns, each (total tokens,), e.g. ``input_ids`` int32, ``token_type_ids`` int8.
        offsets: int64 (items + 1,): item i owns ``tokens[...][offsets[i]:offsets[i + 1]]``.
        targets: Per-item columns, each (items, …), e.g. ``labels`` int64; empty when there is nothing to learn.
        rows: int64 (items,): the index of the row (within the table encoded) that each item came from.
        full_lengths: int64 (items,): number of tokens before truncation, special tokens included.
        groups: Which items are learned from together; None where each is learned from alone.
        notes: What became of the rows that are no items, or not whole ones, as JSON; None where nobody counts them. Of
            several pieces those of the last hold for all.
        table: The rows that ``rows`` counts in, where they are at hand: answers may be cut out of them. Only a
            reference; no text is copied.
    """

    tokens: Mapping[str, NDArray[Any]]
    offsets: IntArray
    targets: Mapping[str, NDArray[Any]]
    rows: IntArray
    full_lengths: IntArray
    table: Rows | None = None
    groups: Groups | None = None
    notes: Mapping[str, Any] | None = None

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> IntArray:
        """int64 (items,): number of tokens of each item after truncation."""
        return np.diff(self.offsets)

    def take(self, items: IntArray) -> Features:
        """The named items as features of their own, each alone; ``rows`` still point into the table encoded."""
        lengths = self.lengths[items]
        # The position of every token taken: where its item begins, plus how far it is into its item.
        begins = np.repeat(self.offsets[items] - (np.cumsum(lengths) - lengths), lengths)
        positions = begins + np.arange(int(lengths.sum()))
        return Features(
            tokens={name: flat[positions] for name, flat in self.tokens.items()},
            offsets=np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)]),
            targets={name: values[items] for name, values in self.targets.items()},
            rows=self.rows[items],
            full_lengths=self.full_lengths[items],
            table=self.table,
            notes=self.notes,
        )


_MODEL_INPUTS = ("input_ids", "attention_mask", "token_type_ids", "decoder_input_ids")

SEAMS = "seams"
"""Where the items of a packed batch begin, and where the last one ends; see `supertune.train.pack`."""


def model_inputs(batch: Mapping[str, torch.Tensor]) -> dict[str, Any]:
    """What of a batch a model is called with, as far as it is there.

    Of a packed batch that is what kernels for texts of different lengths are told, and no mask: there is no padding.
    """
    if SEAMS not in batch:
        return {name: batch[name] for name in _MODEL_INPUTS if name in batch}
    seams, positions = batch[SEAMS], batch["position_ids"]
    longest = int(positions.max()) + 1
    lengths = {"max_length_q": longest, "max_length_k": longest}
    return {
        "input_ids": batch["input_ids"],
        "position_ids": positions,
        "cu_seq_lens_q": seams,
        "cu_seq_lens_k": seams,
        **lengths,
    }
