"""What was found: clusters of texts, and how much alike they are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from supertune.contracts import FloatArray, IntArray
from supertune.data.near_duplicates.comparing import Comparison

ALONE = -1


@dataclass(frozen=True, eq=False)
class NearDuplicates:
    """Which texts are nearly the same.

    Attributes:
        cluster: int64 (texts,): number of each text's cluster, numbered by their first texts; `ALONE` (-1) for one that
            is like no other. In a cluster each text is linked with another by a similarity of ``threshold`` or more,
            and all hang together by such links; two of them that are linked through others may be less alike.
        first: int64 (texts,): the first text of its cluster; its own number for one that is alone.
        similarity: float64 (texts,): exact Jaccard similarity with the first text of its cluster; 1 for a text that
            is alone, or the first.
        links: int64 (links, 2): pairs of texts that were compared and found alike, the smaller number first; they hold
            every cluster together. Texts with equal sets count as one here, by the first of them.
        link_similarity: float64 (links,): exact Jaccard similarity of each, ``threshold`` or more.
        threshold: Least similarity of a link.
        ngram: Units of a shingle.
    """

    cluster: IntArray
    first: IntArray
    similarity: FloatArray
    links: IntArray
    link_similarity: FloatArray
    threshold: float
    ngram: int

    @property
    def count(self) -> int:
        """Number of clusters."""
        return int(self.cluster.max(initial=ALONE)) + 1


def clusters_of(
    comparison: Comparison, place: IntArray, examples: IntArray, set_of: IntArray, ngram: int
) -> NearDuplicates:
    """Clusters of texts from what was found of their sets.

    Args:
        comparison: What was compared, by the places of sets among those that were.
        place: int64 (sets,): where among the compared ones each set is; `ALONE` for one that met no other.
        examples: int64 (sets,): the first text with each set.
        set_of: int64 (texts,): the set of each text; `ALONE` for a blank one.
        ngram: Units of a shingle.
    """
    rows = np.flatnonzero(set_of != ALONE)
    whole = _joined_sets(comparison, place)[set_of[rows]]
    _, starts, member, counts = np.unique(whole, return_index=True, return_inverse=True, return_counts=True)
    first = np.arange(len(set_of))
    first[rows] = rows[starts[member]]
    together = rows[counts[member] > 1]
    cluster = np.full(len(set_of), ALONE, np.int64)
    # Numbered by their first texts.
    _, cluster[together] = np.unique(first[together], return_inverse=True)
    ones, others, link_similarity = comparison.links
    example_of = np.full(len(comparison.forest), ALONE, np.int64)
    example_of[place[place != ALONE]] = examples[place != ALONE]
    links = np.stack([example_of[ones], example_of[others]], axis=1)
    return NearDuplicates(
        cluster=cluster,
        first=first,
        similarity=_similarities(comparison, place, set_of, first),
        links=np.sort(links, axis=1),
        link_similarity=link_similarity,
        threshold=comparison.threshold,
        ngram=ngram,
    )


def _joined_sets(comparison: Comparison, place: IntArray) -> IntArray:
    """int64 (sets,): the same number for sets that hang together."""
    compared = np.flatnonzero(place != ALONE)
    at_place = np.empty(len(compared), np.int64)
    at_place[place[compared]] = compared
    whole = np.arange(len(place))
    whole[compared] = at_place[comparison.forest.roots(place[compared])]
    return whole


def _similarities(comparison: Comparison, place: IntArray, set_of: IntArray, first: IntArray) -> FloatArray:
    """float64 (texts,): how much each is like the first of its cluster."""
    similarity = np.ones(len(set_of))
    other = np.flatnonzero(set_of != set_of[first])
    pairs = np.stack([place[set_of[other]], place[set_of[first[other]]]], axis=1)
    pairs, which = np.unique(pairs, axis=0, return_inverse=True)
    similarity[other] = comparison.stored.jaccard(pairs[:, 0], pairs[:, 1])[which]
    return similarity
