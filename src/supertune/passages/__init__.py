"""Passages to be found: kept with their vectors and words, and searched by either.

This room knows texts, numbers and arrays; what makes vectors of texts is not its business.
"""

from __future__ import annotations

from supertune.passages.bm25 import Bm25
from supertune.passages.exact import nearest, nearest_bits, rescored
from supertune.passages.folder import (
    BM25,
    FINER,
    GRAPH,
    ROW_IDS,
    ROWS,
    SPANS,
    VECTORS,
    PassageIndex,
    open_folder,
    seal,
)
from supertune.passages.graph import EFFORTS, build_graph, check_installed, enough, open_graph
from supertune.passages.partial import Partial, begin, begun, place_of, sole_maker
from supertune.passages.ranking import NOTHING, Found, fused
from supertune.passages.recall import recall, without
from supertune.passages.rows import BATCH_ROWS, write_rows
from supertune.passages.vectors import STORAGES, Storage, Vectors, compressed, shortened, write_vectors
from supertune.passages.windows import windows_of

__all__ = [
    "BATCH_ROWS",
    "BM25",
    "EFFORTS",
    "FINER",
    "GRAPH",
    "NOTHING",
    "ROWS",
    "ROW_IDS",
    "SPANS",
    "STORAGES",
    "VECTORS",
    "Bm25",
    "Found",
    "Partial",
    "PassageIndex",
    "Storage",
    "Vectors",
    "begin",
    "begun",
    "build_graph",
    "check_installed",
    "compressed",
    "enough",
    "fused",
    "nearest",
    "nearest_bits",
    "open_folder",
    "open_graph",
    "place_of",
    "recall",
    "rescored",
    "seal",
    "shortened",
    "sole_maker",
    "windows_of",
    "without",
    "write_rows",
    "write_vectors",
]
