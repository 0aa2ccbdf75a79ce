"""Approximate search: a graph of near neighbours, walked towards the query (HNSW).

Malkov and Yashunin 2018, "Efficient and robust approximate nearest neighbor search using hierarchical navigable small
world graphs", by the library usearch. The graph holds its own copy of the vectors in 8 bits to find its way; what it
finds is scored by the vectors that are kept, so that scores are the same as in an exact search.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from supertune.contracts import IntArray
from supertune.errors import MissingExtraError
from supertune.passages.ranking import NOTHING
from supertune.passages.vectors import Vector32, compressed, damaged

NEIGHBOURS = 16
EXPANSION_ADD = 128
EFFORTS = (16, 32, 64, 128, 256, 512)
"""How many passages are kept in sight while walking: what is tried, from quick to thorough."""


@dataclass(frozen=True)
class Graph:
    """A graph over passages.

    Attributes:
        index: The library's.
        passages: How many there are.
    """

    index: Any
    passages: int

    def near(self, queries: Vector32, effort: int) -> IntArray:
        """int64 (queries, effort or all): passages that are probably among the nearest; `NOTHING` beyond the last."""
        count = min(effort, self.passages)
        if not len(queries) or not count:
            return np.zeros((len(queries), count), np.int64)
        self.index.expansion_search = max(effort, count)
        matches = self.index.search(_codes(queries), count, threads=1)
        keys, counts = np.atleast_2d(matches.keys), np.atleast_1d(matches.counts if len(queries) > 1 else len(matches))
        ids = keys.astype(np.int64)
        ids[np.arange(count) >= counts[:, None]] = NOTHING
        return ids


def build_graph(
    blocks: Iterable[Vector32], width: int, path: Path, *, progress: Callable[[float], None] | None = None
) -> None:
    """Write the graph of vectors to ``path``; the same each time, since passages are added one by one.

    Args:
        blocks: Vectors of the passages in order, each float32 (some, width), as long as queries will be.
        width: Numbers in a vector.
        path: The file to write.
        progress: Told the number of passages done so far.

    Raises:
        MissingExtraError: usearch is not installed.
    """
    index = _library().Index(ndim=width, metric="cos", dtype="i8", connectivity=NEIGHBOURS, expansion_add=EXPANSION_ADD)
    done = 0
    for block in blocks:
        index.add(np.arange(done, done + len(block)), _codes(block), threads=1)
        done += len(block)
        if progress is not None:
            progress(done)
    index.save(str(path))


def open_graph(path: Path, *, passages: int, width: int) -> Graph:
    """Open a graph, memory-mapped. The file must be known to be whole: the library believes what stands there.

    Raises:
        UserError: It is another one, or cannot be read.
        MissingExtraError: usearch is not installed.
    """
    library = _library()
    try:
        index = library.Index.restore(str(path), view=True)
    except (ValueError, RuntimeError, OSError) as error:
        raise damaged(path) from error
    if index is None or len(index) != passages or index.ndim != width:
        raise damaged(path)
    return Graph(index, passages)


def enough(recalls: Sequence[tuple[int, float]], wanted: float) -> int:
    """The least effort whose recall is at least ``wanted``; the one with the highest where none is.

    Args:
        recalls: (effort, recall) from quick to thorough.
        wanted: From 0 to 1.
    """
    for effort, recall in recalls:
        if recall >= wanted:
            return effort
    return max(recalls, key=lambda pair: pair[1])[0]


def check_installed() -> None:
    """Check, before any work is done, that graphs can be made.

    Raises:
        MissingExtraError: usearch is not installed.
    """
    _library()


def _library() -> Any:
    try:
        import usearch.index
    except ImportError as error:
        raise MissingExtraError("usearch", "index", purpose="approximate search") from error
    return usearch.index


def _codes(vectors: Vector32) -> Any:
    """int8 (vectors, width). The scale of a vector does not change its angle to others."""
    return compressed(vectors, "int8").values
