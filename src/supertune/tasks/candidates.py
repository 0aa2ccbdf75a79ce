"""What can be found: passages with their vectors, each text once, and which of them each query finds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from supertune.contracts import IntArray
from supertune.relevance import MOST_FOUND, best

_QUERIES = 256
"""Queries compared at once: with 100,000 passages that takes 100 MB."""


@dataclass(frozen=True)
class Candidates:
    """Passages that queries are compared with.

    Attributes:
        texts: Each of them, in the order in which they were first seen.
        vectors: float32 (passages, width), of length 1.
        numbers: Text → its place.
    """

    texts: tuple[str, ...]
    vectors: NDArray[np.float32]
    numbers: dict[str, int] = field(repr=False)

    @classmethod
    def of(cls, texts: Sequence[str], vectors: NDArray[Any]) -> Candidates:
        """Those of some texts, of which several may be the same."""
        numbers: dict[str, int] = {}
        kept = []
        for place, text in enumerate(texts):
            if text not in numbers:
                numbers[text] = len(numbers)
                kept.append(place)
        return cls(tuple(texts[place] for place in kept), vectors[kept].astype(np.float32), numbers)

    def nearest(self, queries: NDArray[Any], count: int = MOST_FOUND) -> IntArray:
        """int64 (queries, count): see `nearest`."""
        return nearest(self.vectors, queries, count)


def nearest(vectors: NDArray[Any], queries: NDArray[Any], count: int) -> IntArray:
    """int64 (queries, count): the vectors with the highest products, the highest first; fewer where there are fewer."""
    found = [
        best(queries[start : start + _QUERIES].astype(np.float32) @ vectors.T, count)
        for start in range(0, len(queries), _QUERIES)
    ]
    return np.concatenate(found) if found else np.zeros((0, min(count, len(vectors))), np.int64)
