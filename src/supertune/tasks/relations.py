"""Which passage is what a query asks for, and what a teacher says of the two, looked up for any batch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from supertune.contracts import Groups, IntArray

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Pairs:
    """A number for some pairs of a query and a passage.

    Attributes:
        keys: int64 (pairs,), ascending: query × ``items`` + passage.
        values: float32 (pairs,).
        items: Number of items there are.
    """

    keys: IntArray
    values: NDArray[np.float32]
    items: int

    @classmethod
    def of(cls, queries: IntArray, passages: IntArray, values: NDArray[Any], items: int) -> Pairs:
        """Those of some pairs; one that is named twice has the higher number."""
        keys = queries * items + passages
        order = np.lexsort((-values, keys))
        unique, first = np.unique(keys[order], return_index=True)
        return cls(unique, values[order][first].astype(np.float32), items)

    def between(self, queries: torch.Tensor, passages: torch.Tensor, otherwise: float) -> torch.Tensor:
        """float32 (queries, passages): the number of each pair, and of those that have none ``otherwise``.

        Args:
            queries: int64 (queries,): items.
            passages: int64 (passages,): items.
            otherwise: What stands for nothing.
        """
        import torch

        wanted = (queries[:, None] * self.items + passages[None]).contiguous()
        if not len(self.keys):
            return torch.full(wanted.shape, otherwise, device=wanted.device)
        keys = torch.from_numpy(self.keys).to(wanted.device)
        values = torch.from_numpy(self.values).to(wanted.device)
        places = torch.searchsorted(keys, wanted).clamp(max=len(keys) - 1)
        return torch.where(keys[places] == wanted, values[places], otherwise)


@dataclass(frozen=True)
class Relations:
    """What is known of pairs of items.

    Attributes:
        relevance: Of pairs that belong together how much they do, above 0.
        scores: What a teacher says, of the pairs that it was asked about; None where there is no teacher.
    """

    relevance: Pairs
    scores: Pairs | None = None

    @classmethod
    def of(cls, groups: Groups, items: int) -> Relations:
        """Those of the groups; a pair that is named twice has the higher relevance."""
        positive = groups.relevance > 0
        together = groups.items[positive]
        relevance = Pairs.of(together[:, 0], together[:, 1], groups.relevance[positive], items)
        if groups.scores is None:
            return cls(relevance)
        rows, places = np.nonzero(~np.isnan(groups.scores))
        queries, passages = groups.items[rows, 0], groups.items[rows, places]
        return cls(relevance, Pairs.of(queries, passages, groups.scores[rows, places], items))

    def between(self, queries: torch.Tensor, passages: torch.Tensor) -> torch.Tensor:
        """float32 (queries, passages): how relevant each passage is to each query, 0 where nothing is known.

        With a teacher (2, queries, passages): that, and its scores, NaN where it was not asked.

        Args:
            queries: int64 (queries,): items.
            passages: int64 (passages,): items.
        """
        import torch

        relevance = self.relevance.between(queries, passages, 0.0)
        if self.scores is None:
            return relevance
        return torch.stack([relevance, self.scores.between(queries, passages, float("nan"))])
