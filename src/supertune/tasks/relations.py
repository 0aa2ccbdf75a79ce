"""Which passage is what a query asks for, looked up for any batch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from supertune.contracts import Groups, IntArray

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Relations:
    """Pairs of items of which the relevance is known and above 0.

    Attributes:
        keys: int64 (pairs,), ascending: query × ``items`` + passage.
        relevance: float32 (pairs,).
        items: Number of items there are.
    """

    keys: IntArray
    relevance: Any
    items: int

    @classmethod
    def of(cls, groups: Groups, items: int) -> Relations:
        """Those of the groups; a pair that is named twice has the higher relevance."""
        positive = groups.relevance > 0
        keys = groups.items[positive, 0] * items + groups.items[positive, 1]
        values = groups.relevance[positive]
        order = np.lexsort((-values, keys))
        unique, first = np.unique(keys[order], return_index=True)
        return cls(unique, values[order][first].astype(np.float32), items)

    def between(self, queries: torch.Tensor, passages: torch.Tensor) -> torch.Tensor:
        """float32 (queries, passages): how relevant each passage is to each query, 0 where nothing is known.

        Args:
            queries: int64 (queries,): items.
            passages: int64 (passages,): items.
        """
        import torch

        wanted = (queries[:, None] * self.items + passages[None]).contiguous()
        keys = torch.from_numpy(self.keys).to(wanted.device)
        values = torch.from_numpy(self.relevance).to(wanted.device)
        if not len(keys):
            return torch.zeros(wanted.shape, device=wanted.device)
        places = torch.searchsorted(keys, wanted).clamp(max=len(keys) - 1)
        return torch.where(keys[places] == wanted, values[places], 0.0)
