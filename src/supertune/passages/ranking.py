"""The best of what was found, in an order that is the same every time: by score, then by number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from supertune.contracts import IntArray

Scores = NDArray[np.float32]

NOTHING = -1
"""The number that stands where a query found fewer passages than it was to; its score is minus infinity."""


@dataclass(frozen=True)
class Found:
    """What queries found.

    Attributes:
        ids: int64 (queries, count): numbers of passages, the best first; `NOTHING` where there are fewer.
        scores: float32 (queries, count): the higher the better; minus infinity where there is none.
    """

    ids: IntArray
    scores: Scores

    def __len__(self) -> int:
        return len(self.ids)

    @staticmethod
    def none(queries: int, count: int) -> Found:
        """What is found where there is nothing."""
        return Found(np.full((queries, count), NOTHING, np.int64), np.full((queries, count), -np.inf, np.float32))


def best(queries: int, count: int, at: NDArray[Any], ids: NDArray[Any], scores: NDArray[Any]) -> Found:
    """The ``count`` highest scores of each query; of equal ones those of the lowest numbers.

    Args:
        queries: How many queries there are.
        count: How many passages each is to find.
        at: int (candidates,): the query of each candidate.
        ids: int (candidates,): its passage; no passage twice for a query.
        scores: float (candidates,): its score.
    """
    found = Found.none(queries, count)
    scores = scores.astype(np.float32)
    order = np.lexsort((ids, -scores, at))
    at, ids, scores = at[order], ids[order], scores[order]
    rank = np.arange(len(at)) - np.searchsorted(at, at)
    kept = rank < count
    found.ids[at[kept], rank[kept]] = ids[kept]
    found.scores[at[kept], rank[kept]] = scores[kept]
    return found


def joined(found: Sequence[Found]) -> Found:
    """What further queries found, below what the first ones did."""
    return Found(np.concatenate([part.ids for part in found]), np.concatenate([part.scores for part in found]))


def fused(found: Sequence[Found], count: int, *, constant: int = 60) -> Found:
    """Several rankings of the same queries as one, by reciprocal rank fusion.

    A passage scores the sum of ``1 / (constant + rank)`` over the rankings that have it, the first rank being 1
    (Cormack, Clarke and Büttcher 2009, "Reciprocal rank fusion outperforms Condorcet and individual rank learning
    methods", whose constant is 60). Scores of the rankings do not count: a cosine and a BM25 score have no common unit.
    """
    queries = len(found[0])
    places = [np.nonzero(part.ids != NOTHING) for part in found]
    at = np.concatenate([place[0] for place in places])
    ids = np.concatenate([part.ids[place] for part, place in zip(found, places, strict=True)])
    worth = np.concatenate([1 / (constant + 1 + place[1]) for place in places])
    # A passage of several rankings is one candidate, with the sum of what it is worth in each.
    pairs, where = np.unique(np.stack([at, ids], axis=1), axis=0, return_inverse=True)
    return best(queries, count, pairs[:, 0], pairs[:, 1], np.bincount(where.reshape(-1), worth, len(pairs)))
