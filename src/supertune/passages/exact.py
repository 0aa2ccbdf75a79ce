"""The nearest vectors, every one looked at: brute force, in blocks, so that memory does not grow with the passages."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from supertune.contracts import IntArray
from supertune.passages.ranking import NOTHING, Found, best, joined
from supertune.passages.vectors import Vector32, Vectors, bits_of

_QUERIES = 256
_ROWS = 8192
_PAIRS = 512
"""Pairs of a query and a passage that are looked at more closely at once: few enough for the processor's cache."""


def nearest(vectors: Vectors, queries: Vector32, count: int) -> Found:
    """The ``count`` passages with the highest inner products, as they are in double precision; ties by number.

    A product in single precision depends in its last digit on how many are computed together. So it only says which
    passages may be among the best: all that are not behind by more than its rounding error are computed again, each
    pair on its own. What is found then depends on neither the other queries nor the number of threads.

    Args:
        vectors: Those of the passages.
        queries: float32 (queries, width), of length 1 each.
        count: How many to find for each query.
    """
    starts = range(0, len(queries), _QUERIES)
    found = [_nearest(vectors, queries[start : start + _QUERIES], count) for start in starts]
    return joined(found) if found else Found.none(0, count)


def _nearest(vectors: Vectors, queries: Vector32, count: int) -> Found:
    found = Found.none(len(queries), count)
    for start in range(0, len(vectors), _ROWS):
        rough = vectors.products(queries, start, min(start + _ROWS, len(vectors)))
        at, column = _promising(rough, found, count, 2 * _rounding(vectors.width))
        ids = (column + start).astype(np.int64)
        found = _merged(found, at, ids, _scores(vectors, queries, at, ids), count)
    return found


def _promising(rough: Vector32, found: Found, count: int, slack: float) -> tuple[IntArray, IntArray]:
    """Pairs (query, column) that may be among the best: within ``slack`` of the worst that is to be found, or above."""
    least = found.scores[:, -1]
    if rough.shape[1] >= count and np.isneginf(least).any():
        place = rough.shape[1] - count
        least = np.maximum(least, np.partition(rough, place, axis=1)[:, place])
    at, column = np.nonzero(rough >= (least - np.float32(slack))[:, None])
    return at, column


def _rounding(width: int) -> float:
    """How far an inner product of two vectors of length 1 in single precision can be off, in any order of summing.

    Higham 2002, "Accuracy and stability of numerical algorithms", section 3.1: ``n u / (1 - n u)`` with u = 2⁻²⁴. Kept
    numbers make vectors a little longer than 1.
    """
    return 1.05 * width * 2.0**-24


def _scores(vectors: Vectors, queries: Vector32, at: IntArray, ids: IntArray) -> NDArray[np.float32]:
    """Float32 (pairs,): inner products in double precision, each computed by itself."""
    scores = np.empty(len(at), np.float32)
    for start in range(0, len(at), _PAIRS):
        part = slice(start, start + _PAIRS)
        scores[part] = (queries[at[part]].astype(np.float64) * vectors.take(ids[part])).sum(axis=1)
    return scores


def _merged(found: Found, at: IntArray, ids: IntArray, scores: NDArray[np.float32], count: int) -> Found:
    known = np.nonzero(found.ids != NOTHING)
    return best(
        len(found),
        count,
        np.concatenate([known[0], at]),
        np.concatenate([found.ids[known], ids]),
        np.concatenate([found.scores[known], scores]),
    )


def rescored(vectors: Vectors, queries: Vector32, candidates: IntArray, count: int) -> Found:
    """The best of each query's candidates by the inner product with the query, as `nearest` computes it.

    Args:
        vectors: Those of the passages.
        queries: float32 (queries, width).
        candidates: int64 (queries, any number); `NOTHING` where there are fewer, and none twice.
        count: How many to find.
    """
    at, column = np.nonzero(candidates != NOTHING)
    ids = candidates[at, column]
    return best(len(queries), count, at, ids, _scores(vectors, queries, at, ids))


def nearest_bits(vectors: Vectors, queries: Vector32, count: int) -> IntArray:
    """int64 (queries, count): the passages of ``binary`` vectors that differ in the fewest bits; ties by number."""
    columns, count = vectors.bit_columns, min(count, len(vectors))
    found = np.empty((len(queries), count), np.int64)
    for row, words in enumerate(bits_of(queries)):
        distances = np.zeros(len(vectors), np.uint16)
        for word, column in zip(words, columns, strict=True):
            distances += np.bitwise_count(column ^ word)
        # As many as there are up to each distance: the last one that is needed is not needed whole.
        last = int(np.searchsorted(np.bincount(distances, minlength=1).cumsum(), count))
        near = np.flatnonzero(distances < last)
        far = np.flatnonzero(distances == last)[: count - len(near)]
        near = near[np.argsort(distances[near], kind="stable")]
        found[row] = np.concatenate([near, far])
    return found
