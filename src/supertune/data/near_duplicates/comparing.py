"""Compares the pairs that are proposed, exactly, and joins those that are alike."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from supertune.contracts import FloatArray, IntArray
from supertune.data.near_duplicates.forest import Forest
from supertune.data.near_duplicates.stored import StoredSets

_AT_ONCE = 1 << 15


class Comparison:
    """Exact comparisons of sets, and what hangs together by them.

    A pair whose sets hang together already is not compared: it would change no cluster.
    """

    def __init__(self, stored: StoredSets, threshold: float) -> None:
        self.forest = Forest(len(stored))
        self.stored = stored
        self.threshold = threshold
        self._ones: list[IntArray] = []
        self._others: list[IntArray] = []
        self._similarities: list[FloatArray] = []

    def compare(self, pairs: Iterable[tuple[IntArray, IntArray]]) -> None:
        """Compare the pairs of sets that come, many at a time."""
        waiting: list[tuple[IntArray, IntArray]] = []
        count = 0
        for pair in pairs:
            waiting.append(pair)
            count += len(pair[0])
            if count >= _AT_ONCE:
                self._settle(waiting)
                waiting, count = [], 0
        self._settle(waiting)

    @property
    def links(self) -> tuple[IntArray, IntArray, FloatArray]:
        """The pairs that were found alike, and how much."""
        empty = np.zeros(0, np.int64)
        ones, others = np.concatenate([empty, *self._ones]), np.concatenate([empty, *self._others])
        return ones, others, np.concatenate([np.zeros(0), *self._similarities])

    def _settle(self, pairs: list[tuple[IntArray, IntArray]]) -> None:
        if not pairs:
            return
        ends = [np.concatenate(side).astype(np.int64) for side in zip(*pairs, strict=True)]
        one, other = np.minimum(*ends), np.maximum(*ends)
        apart = self.forest.roots(one) != self.forest.roots(other)
        one, other = one[apart], other[apart]
        maybe = self.stored.may_be_alike(one, other, self.threshold)
        one, other = one[maybe], other[maybe]
        similarities = self.stored.jaccard(one, other)
        alike = similarities >= self.threshold
        if alike.any():
            self._ones.append(one[alike])
            self._others.append(other[alike])
            self._similarities.append(similarities[alike])
            self.forest.join(one[alike], other[alike])
