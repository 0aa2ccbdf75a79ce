"""The sets that are compared exactly: their hashes one after another, in memory or in a temporary file."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO

import numpy as np
from numpy.typing import NDArray

from supertune.contracts import FloatArray, IntArray
from supertune.data.near_duplicates.shingling import Hashes, ShingleHashes
from supertune.data.near_duplicates.sketch import padded_blocks

IN_MEMORY = 1 << 30
"""Bytes of hashes from which on they are kept in a temporary file."""
_WORDS = 4
_PAIRS_AT_ONCE = 4096
_ELEMENTS_AT_ONCE = 1 << 20
_PAIR_SHIFT = np.uint64(52)

PairIndices = NDArray[np.int64]


@dataclass(frozen=True)
class Distinct:
    """Sets of a batch of texts.

    Attributes:
        hashes: uint64: the different hashes of each text, ascending, text after text.
        sizes: int64 (texts,): how many.
        bitmaps: uint64 (texts, 4): a bit of 256 for each hash, by its last eight bits.
    """

    hashes: Hashes
    sizes: IntArray
    bitmaps: Hashes


def distinct_of(shingles: ShingleHashes) -> Distinct:
    """The set of each text, without repetitions."""
    sizes = np.zeros(len(shingles), np.int64)
    bitmaps = np.zeros((len(shingles), _WORDS), np.uint64)
    kept = []
    for texts, block in padded_blocks(shingles):
        block.sort(axis=1)
        fresh = np.ones(block.shape, bool)
        np.not_equal(block[:, 1:], block[:, :-1], out=fresh[:, 1:])
        sizes[texts] = fresh.sum(axis=1)
        bits = np.uint64(1) << (block & np.uint64(63))
        words = (block >> np.uint64(6)) & np.uint64(_WORDS - 1)
        for word in range(_WORDS):
            bitmaps[texts, word] = np.bitwise_or.reduce(np.where(words == word, bits, np.uint64(0)), axis=1)
        kept.append((texts, block, fresh))
    starts = np.cumsum(sizes) - sizes
    hashes = np.empty(int(sizes.sum()), np.uint64)
    for texts, block, fresh in kept:
        places = starts[texts][:, None] + np.cumsum(fresh, axis=1) - 1
        hashes[places[fresh]] = block[fresh]
    return Distinct(hashes, sizes, bitmaps)


@dataclass
class StoreBuilder:
    """Takes sets batch by batch; keeps up to `IN_MEMORY` bytes of them in memory and the rest in a temporary file."""

    in_memory: int = IN_MEMORY
    _pieces: list[Hashes] = field(default_factory=list)
    _sizes: list[IntArray] = field(default_factory=list)
    _bitmaps: list[Hashes] = field(default_factory=list)
    _bytes: int = 0
    _file: IO[bytes] | None = None

    def add(self, batch: Distinct) -> None:
        """Keep these sets behind those that were added before."""
        self._sizes.append(batch.sizes)
        self._bitmaps.append(batch.bitmaps)
        self._pieces.append(batch.hashes)
        self._bytes += batch.hashes.nbytes
        if self._file is None and self._bytes > self.in_memory:
            # Gone when nobody uses it any more.
            self._file = tempfile.TemporaryFile()  # noqa: SIM115
        if self._file is not None:
            for piece in self._pieces:
                self._file.write(piece.tobytes())
            self._pieces.clear()

    def stored(self) -> StoredSets:
        """All that was added."""
        sizes = np.concatenate([np.zeros(0, np.int64), *self._sizes])
        bitmaps = np.concatenate([np.zeros((0, _WORDS), np.uint64), *self._bitmaps])
        offsets = np.append(0, np.cumsum(sizes))
        if self._file is not None:
            self._file.flush()
            hashes: Hashes = np.memmap(self._file, np.uint64, "r", shape=(int(offsets[-1]),))
            # The mapping keeps it.
            self._file.close()
        else:
            hashes = np.concatenate([np.zeros(0, np.uint64), *self._pieces])
        self._pieces.clear()
        return StoredSets(hashes, offsets, bitmaps)


@dataclass(frozen=True, eq=False)
class StoredSets:
    """Sets of hashes, by their number.

    Attributes:
        hashes: uint64: of each set its hashes, ascending.
        offsets: int64 (sets + 1,): where each begins.
        bitmaps: uint64 (sets, 4): see `Distinct`.
    """

    hashes: Hashes
    offsets: IntArray
    bitmaps: Hashes

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def sizes(self, sets: IntArray) -> IntArray:
        """How many shingles these sets have."""
        return self.offsets[sets + 1] - self.offsets[sets]

    def gathered(self, sets: IntArray) -> tuple[Hashes, IntArray]:
        """The hashes of these sets one after another, and how many of each."""
        sizes = self.sizes(sets)
        begins = np.cumsum(sizes) - sizes
        places = np.arange(int(sizes.sum())) + np.repeat(self.offsets[sets] - begins, sizes)
        return np.asarray(self.hashes[places]), sizes

    def pieces(self, sets: IntArray, elements: int) -> Iterator[tuple[IntArray, Hashes, IntArray]]:
        """These sets some at a time, about so many hashes at once: their numbers, hashes and sizes."""
        for start, stop in _portions(self.sizes(sets), elements, len(sets)):
            yield sets[start:stop], *self.gathered(sets[start:stop])

    def may_be_alike(self, one: IntArray, other: IntArray, threshold: float) -> NDArray[np.bool_]:
        """False for pairs that cannot reach the threshold, by their sizes and bitmaps alone.

        Each bit in which two bitmaps differ is a shingle that one set has and the other has not (Sandes, Teodoro and
        Melo 2020, "Bitmap filter").
        """
        first, second = self.sizes(one), self.sizes(other)
        # Their union is no smaller than the larger one; a hair more, so that rounding refuses nothing.
        alike = np.minimum(first, second) >= threshold * np.maximum(first, second) - 1e-9
        total = first + second
        most_apart = (1 - threshold) / (1 + threshold) * total + 1e-9
        rest = np.flatnonzero(alike)
        differing = np.bitwise_count(self.bitmaps[one[rest]] ^ self.bitmaps[other[rest]]).sum(axis=1, dtype=np.int64)
        alike[rest] = differing <= most_apart[rest]
        return alike

    def jaccard(self, one: IntArray, other: IntArray) -> FloatArray:
        """The exact similarity of each pair of sets, 0 to 1."""
        found = np.empty(len(one), np.float64)
        sizes = self.sizes(one) + self.sizes(other)
        for start, stop in _portions(sizes, _ELEMENTS_AT_ONCE, _PAIRS_AT_ONCE):
            common = self._common(one[start:stop], other[start:stop])
            found[start:stop] = common / (sizes[start:stop] - common)
        return found

    def _common(self, one: IntArray, other: IntArray) -> IntArray:
        """How many hashes the sets of each pair share: the pair's number in front of 52 bits of each, and sorted.

        Two different shingles with the same 52 bits are met once in billions of pairs of texts of a thousand words.
        """
        elements = []
        for side in (one, other):
            hashes, sizes = self.gathered(side)
            pairs = np.repeat(np.arange(len(side), dtype=np.uint64) << _PAIR_SHIFT, sizes)
            elements.append((hashes >> np.uint64(12)) | pairs)
        merged = np.concatenate(elements)
        merged.sort()
        twice = merged[1:][merged[1:] == merged[:-1]]
        return np.bincount((twice >> _PAIR_SHIFT).astype(np.int64), minlength=len(one))


def _portions(sizes: IntArray, elements: int, count: int) -> Iterator[tuple[int, int]]:
    """Ranges of at most ``count`` entries, of ``elements`` together or of a single larger one."""
    ends = np.cumsum(sizes)
    start = 0
    while start < len(sizes):
        before = int(ends[start - 1]) if start else 0
        stop = int(np.searchsorted(ends, before + elements, side="right"))
        stop = min(max(stop, start + 1), start + count)
        yield start, stop
        start = stop
