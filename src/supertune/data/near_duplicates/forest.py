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
        from scipy.sparse import coo_array
        from scipy.sparse.csgraph import connected_components

        ends = np.concatenate([self.roots(one), self.roots(other)])
        roots, places = np.unique(ends, return_inverse=True)
        first, second = places.reshape(2, -1)
        edges = coo_array((np.ones(len(first), bool), (first, second)), shape=(len(roots), len(roots)))
        _, component = connected_components(edges, directed=False)
        # The roots ascend, so the first of each component is the least.
        _, least = np.unique(component, return_index=True)
        self._parents[roots] = roots[least[component]]
