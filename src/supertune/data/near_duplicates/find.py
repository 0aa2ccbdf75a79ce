"""Finds the texts of a set that are nearly the same, in time that grows with their number and not with its square."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import compress
from typing import Protocol

import numpy as np

from supertune.contracts import IntArray
from supertune.data.near_duplicates.batches import Batch, Workers, batches, workers_of
from supertune.data.near_duplicates.clusters import ALONE, NearDuplicates, clusters_of
from supertune.data.near_duplicates.comparing import Comparison
from supertune.data.near_duplicates.meetings import CROWD, Meetings, crowd_pairs, meetings_of, neighbours
from supertune.data.near_duplicates.shingling import NGRAM, Hashes, shingle_hashes
from supertune.data.near_duplicates.sketch import Banding, Sketches, sketches_of
from supertune.data.near_duplicates.stored import Distinct, StoreBuilder, StoredSets, distinct_of
from supertune.errors import UserError

THRESHOLD = 0.8
_SKETCHED, _READ_AGAIN = 0.6, 0.8
"""How far the work is, as a share of all of it, after the first reading and after the second."""

Progress = Callable[[float], None]
"""Called now and then with the share of the work that is done, 0 to 1."""


class Texts(Protocol):
    """Texts that can be gone through more than once, and counted: a list, or a reader of a table's column."""

    def __iter__(self) -> Iterator[str]: ...

    def __len__(self) -> int: ...


def near_duplicates(
    texts: Texts,
    *,
    threshold: float = THRESHOLD,
    ngram: int = NGRAM,
    workers: int = 1,
    progress: Progress | None = None,
) -> NearDuplicates:
    """Find the texts that are nearly the same, by the exact Jaccard similarity of their sets of shingles.

    What is compared of a text is `shingles`; `jaccard` of two texts is the similarity meant here. Texts meet by MinHash
    and locality-sensitive hashing, and each pair that meets is compared exactly, so what is found is never a matter
    of chance, but one pair in a hundred exactly at the threshold meets nowhere; of pairs above it fewer (`Banding`).
    Equal sets always do. The clusters do not depend on the order of the texts, nor on ``workers``.

    Goes through the texts twice; keeps about 150 bytes of each, and 8 for every shingle of those that meet others
    (above a gigabyte of these, in a temporary file).

    Args:
        texts: The texts; blank ones are like no others.
        threshold: Least similarity, 0.5 to 1.
        ngram: Units of a shingle, 1 to 16.
        workers: Processes; above 1 a script needs ``if __name__ == "__main__"``.
        progress: Told how far it is.

    Raises:
        UserError: The threshold, ngram or workers make no sense.
        TypeError: The texts can be gone through only once.
    """
    _check(texts, threshold, ngram, workers)
    tell = progress or _tell_nobody
    banding = Banding.at(threshold)
    with workers_of(workers) as pool:
        sketch = partial(_sketch, ngram=ngram, banding=banding)
        read = _told(batches(texts), len(texts), tell, 0.0, _SKETCHED)
        sketches = list(pool.mapped(sketch, read))
        sets = np.concatenate([np.zeros(0, np.uint64), *(part.sets for part in sketches)])
        # Numbers of sets follow from what they hold, so that nothing depends on the order of the texts.
        numbers, examples, set_of = np.unique(sets, return_index=True, return_inverse=True)
        meetings = meetings_of((_band(sketches, band, examples) for band in range(banding.bands)), len(numbers))
        sketches.clear()
        involved = np.flatnonzero(meetings.involved)
        stored = _stored(texts, np.sort(examples[involved]), ngram, pool, tell)
    place = np.full(len(numbers), ALONE, np.int64)
    place[involved[np.argsort(examples[involved])]] = np.arange(len(involved))
    comparison = _compared(meetings, stored, place, threshold, tell)
    tell(1.0)
    return clusters_of(comparison, place, examples, np.where(sets == 0, ALONE, set_of), ngram)


def _compared(meetings: Meetings, stored: StoredSets, place: IntArray, threshold: float, tell: Progress) -> Comparison:
    """What comparing all that met brings; ``place`` says where each set is stored."""
    comparison = Comparison(stored, threshold)
    for done, (members, sizes) in enumerate(meetings.bands):
        comparison.compare(neighbours(place[members], sizes, CROWD))
        tell(_READ_AGAIN + (1 - _READ_AGAIN) * (done + 1) / (len(meetings.bands) + 1))
    crowd = np.flatnonzero(meetings.crowded)
    if len(crowd):
        comparison.compare(crowd_pairs(stored, place[crowd], threshold))
    return comparison


def _check(texts: Texts, threshold: float, ngram: int, workers: int) -> None:
    if isinstance(texts, Iterator) or not hasattr(texts, "__len__"):
        raise TypeError("near_duplicates goes through the texts twice: give a list, not an iterator")
    limits = {"threshold": (threshold, 0.5, 1), "ngram": (ngram, 1, 16), "workers": (workers, 1, 512)}
    for name, (value, low, high) in limits.items():
        if not low <= value <= high:
            raise UserError(f"{name} is {value}", where="near duplicates", fix=f"choose {low} to {high}")


def _tell_nobody(_: float) -> None:
    """For those who want to hear nothing."""


def _sketch(batch: Batch, *, ngram: int, banding: Banding) -> Sketches:
    return sketches_of(shingle_hashes(batch, ngram), banding)


def _sets(batch: Batch, *, ngram: int) -> Distinct:
    return distinct_of(shingle_hashes(batch, ngram))


def _told(read: Iterable[Batch], total: int, tell: Progress, low: float, high: float) -> Iterator[Batch]:
    """The batches as they come; says how far that is, between two shares of the whole work."""
    done = 0
    for batch in read:
        yield batch
        done += len(batch)
        tell(low + (high - low) * done / max(total, 1))


def _band(sketches: Sequence[Sketches], band: int, examples: IntArray) -> Hashes:
    """The keys of one band, of the texts that stand for their sets."""
    return np.concatenate([np.zeros(0, np.uint64), *(part.keys[band] for part in sketches)])[examples]


def _stored(texts: Texts, rows: IntArray, ngram: int, pool: Workers, tell: Progress) -> StoredSets:
    """The sets of these texts, whose numbers ascend, read once more."""
    builder = StoreBuilder()
    read = _told(batches(_chosen(texts, rows)), len(rows), tell, _SKETCHED, _READ_AGAIN)
    for batch in pool.mapped(partial(_sets, ngram=ngram), read):
        builder.add(batch)
    return builder.stored()


def _chosen(texts: Texts, rows: IntArray) -> Iterator[str]:
    wanted = np.zeros(len(texts), bool)
    wanted[rows] = True
    return compress(texts, wanted.tolist())
