"""Which sets hang together: a union-find over arrays."""

from __future__ import annotations

import numpy as np

from supertune.contracts import IntArray


class Forest:
    """Numbers from 0 on, each at first alone; joined, they have the same root, the least of them."""

    def __init__(self, count: int) -> None:
        self._parents = np.arange(count, dtype=np.int64)

    def __len__(self) -> int:
        return len(self._parents)

    def roots(self, numbers: IntArray) -> IntArray:
        """The root of each."""
        found = self._parents[numbers]
        while True:
            above = self._parents[found]
            if np.array_equal(above, found):
                break
            found = above
        self._parents[numbers] = found
        return found

    def join(self, one: IntArray, other: IntArray) -> None:
        """Join the two of each pair, and with them all that they hang together with."""
        while True:
            first, second = self.roots(one), self.roots(other)
            apart = first != second
            if not apart.any():
                return
            one, other = first[apart], second[apart]
            # Every root takes the least one that it meets for its parent: no circles, and fewer roots each time.
            np.minimum.at(self._parents, np.maximum(one, other), np.minimum(one, other))
