"""How much of what an exact search in whole vectors finds another search finds as well."""

from __future__ import annotations

import numpy as np

from supertune.contracts import FloatArray, IntArray
from supertune.passages.exact import rescored
from supertune.passages.ranking import Found
from supertune.passages.vectors import Vector32, Vectors

_EQUAL = 1e-6


def without(found: Found, own: IntArray) -> Found:
    """What was found without the passage that each query is itself, and one fewer for all."""
    count = found.ids.shape[1] - 1
    others = found.ids != own[:, None]
    # Those that did not find themselves lose their last.
    keep = np.argsort(~others, axis=1, kind="stable")[:, :count]
    return Found(np.take_along_axis(found.ids, keep, axis=1), np.take_along_axis(found.scores, keep, axis=1))


def recall(found: Found, truth: Found, whole: Vectors, queries: Vector32) -> FloatArray:
    """float64 (queries,): the share of each query's nearest passages that was found.

    A passage counts that lies as near as the last of the truth: among equals there is no right one (Aumüller,
    Bernhardsson and Faithfull 2020, "ANN-Benchmarks", section 2.2).

    Args:
        found: By the search that is measured.
        truth: By an exact search in ``whole``, as many for each query.
        whole: The vectors in single precision.
        queries: float32 (queries, width).
    """
    there = np.isfinite(truth.scores)
    last = np.where(there, truth.scores, np.inf).min(axis=1)
    scores = rescored(whole, queries, found.ids, found.ids.shape[1]).scores
    near = (scores >= last[:, None] - _EQUAL).sum(axis=1)
    return np.asarray(np.minimum(near / np.maximum(there.sum(axis=1), 1), 1), np.float64)
