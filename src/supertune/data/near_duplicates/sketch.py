"""A text's shingles in a few numbers: by which it meets the texts that are like it, and which tell equal sets.

MinHash (Broder 1997): for a random order of all shingles, the probability that two sets have the same first one is
their Jaccard similarity. Bands of several such firsts (Leskovec, Rajaraman and Ullman, "Mining of Massive Datasets",
section 3.4) meet with a probability that rises steeply with the similarity.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from supertune.contracts import IntArray
from supertune.data.near_duplicates.shingling import Hashes, ShingleHashes

RECALL = 0.99
"""Share of the pairs exactly at the threshold that meet; of those above it more do."""
_UNLIKE, _FALSE_MEETINGS = 0.1, 2e-4
_MOST_HASHES = 256
_BLOCK = 1 << 15
_SHORT = 1024
_SEED = 0x3A57

Halves = NDArray[np.uint32]


@dataclass(frozen=True)
class Banding:
    """How many bands, of how many hashes each.

    Attributes:
        bands: Two texts meet where one band or more is the same.
        rows: Hashes of a band.
    """

    bands: int
    rows: int

    @staticmethod
    def at(threshold: float) -> Banding:
        """The bands that let `RECALL` of the pairs with that similarity meet, and few that are unlike.

        As few hashes as let at most one in 5,000 of the pairs with a similarity of 0.1 meet; below a threshold of 0.7
        that would take more than 256 hashes, and more meetings are put up with.
        """
        choice = Banding(_bands(threshold, 1), 1)
        for rows in range(2, 33):
            if choice.meeting(_UNLIKE) <= _FALSE_MEETINGS:
                break
            following = Banding(_bands(threshold, rows), rows)
            if following.hashes > _MOST_HASHES:
                break
            choice = following
        return choice

    @property
    def hashes(self) -> int:
        """Hashes in all."""
        return self.bands * self.rows

    def meeting(self, similarity: float) -> float:
        """The probability that two texts of this Jaccard similarity meet: 1 - (1 - s^rows)^bands."""
        return 1 - (1 - similarity**self.rows) ** self.bands


def _bands(threshold: float, rows: int) -> int:
    alike = threshold**rows
    return 1 if alike >= RECALL else math.ceil(math.log(1 - RECALL) / math.log1p(-alike))


@dataclass(frozen=True)
class Sketches:
    """What is kept of each text.

    Attributes:
        keys: uint64 (bands, texts): texts with the same number in a band meet.
        sets: uint64 (texts,): the same for the same set of shingles; 0 for none.
    """

    keys: Hashes
    sets: Hashes


def sketches_of(shingles: ShingleHashes, banding: Banding) -> Sketches:
    """Sketch a batch of texts."""
    keys = np.zeros((banding.bands, len(shingles)), np.uint64)
    sets = np.zeros(len(shingles), np.uint64)
    for texts, block in padded_blocks(shingles):
        block.sort(axis=1)
        sets[texts] = _set_numbers(block)
        keys[:, texts] = _band_keys(block, banding)
    return Sketches(keys, sets)


def padded_blocks(shingles: ShingleHashes) -> Iterator[tuple[IntArray, Hashes]]:
    """Texts with about as many shingles each: their numbers, and a matrix (texts, shingles) of their hashes.

    Shorter rows repeat their last hash, which changes no set. Texts without shingles are left out.
    """
    counts = shingles.counts
    widths = counts.copy()
    for above, step in ((16, 4), (64, 16), (256, 64)):
        wide = counts > above
        widths[wide] = -(-counts[wide] // step) * step
    order = np.argsort(widths, kind="stable")
    order = order[np.searchsorted(widths[order], 1) :]
    borders = np.flatnonzero(np.diff(widths[order], prepend=0, append=0))
    for start, stop in zip(borders[:-1].tolist(), borders[1:].tolist(), strict=True):
        width = int(widths[order[start]])
        at_once = max(_BLOCK // width, 1)
        for low in range(start, stop, at_once):
            texts = order[low : min(low + at_once, stop)]
            places = shingles.offsets[texts][:, None] + np.arange(width)
            np.minimum(places, shingles.offsets[texts + 1][:, None] - 1, out=places)
            yield texts, shingles.hashes[places]


def _set_numbers(block: Hashes) -> Hashes:
    """A number for each row's set of hashes, whatever their order: the sum of the different ones, stirred again."""
    stirred = block * np.uint64(0xD6E8FEB86659FD93)
    stirred ^= stirred >> np.uint64(32)
    stirred *= np.uint64(0xD6E8FEB86659FD93)
    stirred[:, 1:][block[:, 1:] == block[:, :-1]] = 0
    numbers: Hashes = stirred.sum(axis=1, dtype=np.uint64)
    # 0 stands for no set.
    numbers[numbers == 0] = 1
    return numbers


def _band_keys(block: Hashes, banding: Banding) -> Hashes:
    """uint64 (bands, texts): the least hash under each of the random orders, a band of them as one number.

    An order is the product with an odd number modulo 2^32, of hashes that are random already.
    """
    orders, factors = _orders(banding)
    halves = (block >> np.uint64(32)).astype(np.uint32)
    least = np.full((banding.hashes, len(block)), np.iinfo(np.uint32).max, np.uint32)
    if len(block) > 8:
        products = np.empty_like(least)
        for column in np.ascontiguousarray(halves.T):
            np.multiply(orders, column, out=products)
            np.minimum(least, products, out=least)
    else:
        # Few long texts: along their shingles instead of along the texts.
        for low in range(0, halves.shape[1], _SHORT):
            products = orders[:, :, None] * halves[None, :, low : low + _SHORT]
            np.minimum(least, products.min(axis=2), out=least)
    weighted = least.astype(np.uint64) * factors
    keys: Hashes = weighted.reshape(banding.bands, banding.rows, -1).sum(axis=1, dtype=np.uint64)
    return keys


@lru_cache(maxsize=8)
def _orders(banding: Banding) -> tuple[Halves, Hashes]:
    drawn = np.random.PCG64(_SEED).random_raw(2 * banding.hashes).reshape(2, -1, 1) | np.uint64(1)
    # The upper half of a random number is odd only by chance.
    return (drawn[0] >> np.uint64(32)).astype(np.uint32) | np.uint32(1), drawn[1]
