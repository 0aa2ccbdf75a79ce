"""Which sets meet: pairs that share a band, and what is done where very many do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from supertune.contracts import IntArray
from supertune.data.near_duplicates.shingling import Hashes
from supertune.data.near_duplicates.stored import StoredSets

CROWD = 64
"""Sets with the same band from which on not all of them are compared with each other."""
WINDOW = 64
"""Sets that share a rare shingle and with which each is compared, where more do."""
_TABLE_BITS = 22
_CHUNK = 1 << 22

Numbers = NDArray[np.int32]


@dataclass(frozen=True)
class Meetings:
    """The sets that share a band with another one.

    Attributes:
        bands: Of each band: int32 set numbers, ordered so that those that meet are neighbours, and int64 how many.
        crowded: bool (sets,): the set shares a band with `CROWD` others or more.
    """

    bands: tuple[tuple[Numbers, IntArray], ...]
    crowded: NDArray[np.bool_]

    @property
    def involved(self) -> NDArray[np.bool_]:
        """Bool (sets,): there is a set to compare this one with."""
        met = self.crowded.copy()
        for members, _ in self.bands:
            met[members] = True
        return met


def meetings_of(bands: Iterable[Hashes], count: int) -> Meetings:
    """Who meets whom.

    Args:
        bands: Of each band the keys of all sets, uint64 (sets,).
        count: Number of sets.
    """
    crowded = np.zeros(count, bool)
    found = []
    for keys in bands:
        order = np.argsort(keys).astype(np.int32)
        changes = np.flatnonzero(np.diff(keys[order])) + 1
        sizes = np.diff(np.concatenate([[0], changes, [count]]))
        of_member = np.repeat(sizes, sizes)
        crowded[order[of_member > CROWD]] = True
        met = (of_member > 1) & (of_member <= CROWD)
        found.append((order[met], sizes[(sizes > 1) & (sizes <= CROWD)]))
    return Meetings(tuple(found), crowded)


def crowd_pairs(stored: StoredSets, crowd: IntArray, threshold: float) -> Iterator[tuple[IntArray, IntArray]]:
    """Pairs among sets of which very many are partly alike: those that share a shingle that is rare among them.

    Two sets of n and more shingles with a similarity of t or more have one of the n - ceil(t n) + 1 rarest in common
    (prefix filtering: Chaudhuri et al. 2006; Bayardo et al. 2007), so nothing is lost by this. It keeps apart letters
    that share a heading or a signature. Where one shingle leads more than `WINDOW` sets together, each is compared
    with the next ones only, in an order that depends on what the sets hold and on nothing else. Copies of one template
    are found all the same, as each is like its neighbours; copies of many templates that share their rarest
    shingles may be missed.

    Args:
        stored: The sets.
        crowd: int64, numbers of those to look at, in an order that follows from what they hold.
        threshold: Least similarity.
    """
    yield from neighbours(*_rarest(stored, crowd, threshold), WINDOW)


def neighbours(members: IntArray, sizes: IntArray, most: int) -> Iterator[tuple[IntArray, IntArray]]:
    """Pairs of members of one group that are at most so many places apart: of nearest ones first.

    Args:
        members: Groups one after another.
        sizes: Members of each.
        most: Places.
    """
    ends = np.repeat(np.cumsum(sizes), sizes)
    places = np.arange(len(members))
    for step in range(1, most + 1):
        places = places[places + step < ends[places]]
        if not len(places):
            return
        yield members[places], members[places + step]


def _rarest(stored: StoredSets, crowd: IntArray, threshold: float) -> tuple[IntArray, IntArray]:
    """Sets by their rarest shingles: those that share one are neighbours, and how many do."""
    frequency = np.zeros(1 << _TABLE_BITS, np.int64)
    for _, hashes, _ in stored.pieces(crowd, _CHUNK):
        frequency += np.bincount(_cell(hashes), minlength=len(frequency))
    kept_hashes, kept_sets = [], []
    for sets, hashes, sizes in stored.pieces(crowd, _CHUNK):
        owners = np.repeat(np.arange(len(sets)), sizes)
        order = np.lexsort((hashes, frequency[_cell(hashes)], owners))
        ranks = np.arange(len(hashes)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        # A hair less, so that a product that should be whole is not rounded up past it.
        prefix = sizes - np.ceil(threshold * sizes - 1e-9).astype(np.int64) + 1
        kept = ranks < prefix[owners]
        kept_hashes.append(hashes[order][kept])
        kept_sets.append(sets[owners[kept]])
    hashes = np.concatenate(kept_hashes)
    members = np.concatenate(kept_sets)
    order = np.argsort(hashes, kind="stable")
    changes = np.flatnonzero(np.diff(hashes[order])) + 1
    return members[order], np.diff(np.concatenate([[0], changes, [len(order)]]))


def _cell(hashes: Hashes) -> IntArray:
    return (hashes >> np.uint64(64 - _TABLE_BITS)).astype(np.int64)
