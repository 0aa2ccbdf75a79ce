"""Rows that stand for all of a table, found without a model: by their words and characters, weighted.

Each row is a vector of its search terms (words, of Chinese characters and pairs of them), weighted by how often they
stand in it and how few rows have them (TF-IDF; Salton and Buckley 1988), of length 1. Chosen next is the row that adds
most to how well every row is like one of the chosen: facility location, by the greedy choice that comes to at least
1 - 1/e of the best (Nemhauser, Wolsey and Fisher 1978), as Lin and Bilmes 2011 choose sentences, evaluated lazily
(Minoux 1978). Greedy k-center (Gonzalez 1985), tried on the
same vectors, was no better than chance up to 200 rows: it takes odd ones first (docs/cleaning.md).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np

from supertune.contracts import FloatArray, IntArray
from supertune.language import search_terms

_COVERED = 8192
_AT_ONCE = 32
"""Rows that are evaluated at once, for speed alone."""
_NOTHING = 1e-3
"""Gains below this are rounding."""
_SEED = 0xD1FF
_BUCKETS = 2**18
"""Terms are numbered as they are met and fold over beyond this; then unlike terms may count as one."""


def diverse_rows(texts: Iterable[str], count: int) -> IntArray:
    """Ascending indices of ``count`` texts that stand for all of them; of all, if there are no more.

    Of more than 8,192 texts that many, always the same, are drawn to be stood for; any may be chosen. Once every one
    of those is like a chosen one, the rest is filled up in the order of the rows.
    """
    vectors = term_vectors(texts)
    rows = vectors.shape[0]
    if count >= rows:
        return np.arange(rows, dtype=np.int64)
    covered = vectors
    if rows > _COVERED:
        covered = vectors[np.sort(np.random.default_rng(_SEED).choice(rows, _COVERED, replace=False))]
    # Nothing is like a chosen row yet, so what a row adds is the sum of its similarities, none of which is negative.
    gains = np.asarray(vectors @ np.asarray(covered.sum(axis=0)).ravel(), np.float64)
    likeness = np.zeros(covered.shape[0])
    chosen: list[int] = []
    while len(chosen) < count:
        best, column = _next(vectors, covered, gains, likeness)
        if gains[best] <= _NOTHING:
            left = np.setdiff1d(np.arange(rows), chosen)
            chosen += left[: count - len(chosen)].tolist()
            break
        chosen.append(best)
        np.maximum(likeness, column, out=likeness)
        gains[best] = -np.inf
    return np.sort(np.array(chosen, np.int64))


def _next(vectors: Any, covered: Any, gains: FloatArray, likeness: FloatArray) -> tuple[int, FloatArray]:
    """The row that adds most now, and how like it every covered row is.

    What a row adds only falls as more are chosen, so gains of before are bounds: those with the highest are computed
    anew, some at a time, until the best of them is above all bounds. ``gains`` is brought up to date where they are.
    """
    best, column = -1, likeness
    fresh = np.zeros(len(gains), bool)
    while True:
        bounds = np.where(fresh, -np.inf, gains)
        some = np.argpartition(-bounds, min(_AT_ONCE, len(bounds) - 1))[:_AT_ONCE]
        some = np.sort(some[bounds[some] > -np.inf])
        if not len(some) or (best >= 0 and gains[best] >= bounds[some].max()):
            return best, column
        like = np.asarray((covered @ vectors[some].T).toarray(), np.float64)
        gains[some] = np.maximum(like - likeness[:, None], 0).sum(axis=0)
        fresh[some] = True
        top = int(np.argmax(gains[some]))
        if best < 0 or gains[some[top]] > gains[best]:
            best, column = int(some[top]), like[:, top]


def term_vectors(texts: Iterable[str]) -> Any:
    """``scipy.sparse.csr_array`` float32 (texts, terms), rows of length 1; of a text without terms all zeros."""
    from scipy.sparse import csr_array

    known: dict[str, int] = {}
    counts: list[float] = []
    terms: list[int] = []
    ends = [0]
    for text in texts:
        for term, times in Counter(search_terms(text)).items():
            terms.append(known.setdefault(term, len(known) % _BUCKETS))
            counts.append(1 + np.log(times))
        ends.append(len(terms))
    columns, values = np.array(terms, np.int32), np.array(counts, np.float32)
    width = max(1, min(len(known), _BUCKETS))
    rare = np.log((1 + len(ends) - 1) / (1 + np.bincount(columns, minlength=width))) + 1
    vectors = csr_array((values * rare[columns].astype(np.float32), columns, np.array(ends)), (len(ends) - 1, width))
    lengths = np.sqrt(np.asarray(vectors.multiply(vectors).sum(axis=1)).ravel())
    vectors.data /= np.repeat(np.where(lengths > 0, lengths, 1), np.diff(vectors.indptr)).astype(np.float32)
    return vectors
