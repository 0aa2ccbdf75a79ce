"""Which words a text has, as a sparse view: what an encoder's one vector of a text leaves out.

Also which texts are near copies: they would tell each other's labels across folds.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from supertune.contracts import IntArray
from supertune.data.label_errors.folds import KeyArray
from supertune.language import search_terms

_NEAR = 0.8
"""Jaccard similarity of their terms from which two texts are near copies."""
_BANDS, _ROWS = 10, 4
"""Of MinHash: texts at 0.8 meet in some band with 99.5 %, texts at 0.4 with 23 %."""


def term_view(texts: Sequence[Sequence[str]]) -> Any:
    """A ``scipy.sparse`` matrix (texts, terms): TF-IDF of the terms and pairs of terms that two texts have or more.

    Args:
        texts: The sides of each text: one, or two of a pair, whose terms are kept apart.
    """
    from scipy.sparse import csr_matrix
    from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer

    counter = CountVectorizer(analyzer=_terms, dtype=np.float64)
    if not any(True for sides in texts for _ in _marked(sides)):
        # Signs alone.
        return csr_matrix((len(texts), 1))
    counts = counter.fit_transform(texts)
    # What one text alone has tells nothing of another.
    shared = np.flatnonzero(np.asarray((counts > 0).sum(axis=0)).reshape(-1) >= 2)
    if not len(shared):
        return csr_matrix((len(texts), 1))
    return TfidfTransformer(sublinear_tf=True).fit_transform(counts[:, shared])


def _terms(sides: Sequence[str]) -> Iterator[str]:
    """Terms and neighbouring pairs of them."""
    yield from _marked(sides)
    for number, side in enumerate(sides):
        for one, other in pairwise(search_terms(side)):
            yield f"{number}\x1f{one}\x1f{other}"


def _marked(sides: Sequence[str]) -> Iterator[str]:
    """Terms, which are others on the other side of a pair."""
    for number, side in enumerate(sides):
        for term in search_terms(side):
            yield f"{number}\x1f{term}"


def copies_together(texts: Sequence[Sequence[str]], keys: KeyArray) -> KeyArray:
    """The keys with those of near copies made the same: the lowest among them.

    Near are texts whose different terms have a Jaccard similarity of 0.8 or more, and pairs whose sides have the same
    terms: in a pair one word decides. MinHash proposes, the terms decide (Broder 1997, "On the resemblance and
    containment of documents").

    Args:
        texts: The sides of each text.
        keys: (texts,) equal for equal texts.
    """
    from scipy.sparse import csr_matrix
    from scipy.sparse.csgraph import connected_components

    _, first = np.unique(keys, return_index=True)
    known: dict[str, int] = {}
    sets = [
        np.array(sorted({known.setdefault(term, len(known)) for term in _marked(texts[at])}), np.int64)
        for at in first.tolist()
    ]
    filled = np.flatnonzero([len(each) > 0 for each in sets])
    if len(filled) < 2:
        return keys
    least = _NEAR if len(texts[0]) == 1 else 1.0
    one, other = _proposed([sets[at] for at in filled.tolist()], list(known))
    near = np.fromiter(
        (_jaccard(sets[filled[a]], sets[filled[b]]) > least - 1e-9 for a, b in zip(one, other, strict=True)),
        bool,
        len(one),
    )
    count = len(first)
    links = csr_matrix((np.ones(int(near.sum())), (filled[one[near]], filled[other[near]])), shape=(count, count))
    _, component = connected_components(links, directed=False)
    lowest = np.full(count, np.iinfo(np.uint64).max, np.uint64)
    np.minimum.at(lowest, component, keys[first])
    together = dict(zip(keys[first].tolist(), lowest[component].tolist(), strict=True))
    return np.array([together[key] for key in keys.tolist()], np.uint64)


def _proposed(sets: Sequence[IntArray], terms: Sequence[str]) -> tuple[IntArray, IntArray]:
    """Pairs of neighbours among the sets that share a band's signature."""
    from supertune.data.check.texts import blake2b_key

    # Of the terms themselves, so that the order of the rows changes nothing.
    hashed = np.array([blake2b_key(term) for term in terms], np.uint64)
    flat, starts = np.concatenate(sets), np.concatenate([[0], np.cumsum([len(each) for each in sets])[:-1]])
    random = np.random.default_rng(0)
    pairs = []
    for _ in range(_BANDS):
        signature = []
        for _ in range(_ROWS):
            factor, shift = random.integers(1, 2**63, 2, dtype=np.uint64)
            # Odd factors mix modulo 2^64; the high half is kept, whose bits are mixed best.
            mixed = (hashed * (factor | np.uint64(1)) + shift) >> np.uint64(32)
            signature.append(np.minimum.reduceat(mixed[flat], starts))
        band = signature[0] * np.uint64(0x9E3779B97F4A7C15)
        for each in signature[1:]:
            band = (band ^ each) * np.uint64(0x9E3779B97F4A7C15)
        order = np.argsort(band, kind="stable")
        same = band[order][1:] == band[order][:-1]
        pairs.append(np.stack([order[:-1][same], order[1:][same]]))
    found = np.unique(np.concatenate(pairs, axis=1), axis=1)
    return found[0], found[1]


def _jaccard(one: IntArray, other: IntArray) -> float:
    shared = len(np.intersect1d(one, other, assume_unique=True))
    return shared / (len(one) + len(other) - shared)
