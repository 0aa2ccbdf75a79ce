"""Batches of rows of like length, in an order that depends on the seed and the epoch alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from supertune.contracts import Features, Groups, IntArray
from supertune.train.randomness import generator

if TYPE_CHECKING:
    import torch

_BUCKET = 50
"""Batches per bucket: enough that rows of a bucket differ little in length, few enough that order stays random."""


def token_type(column: NDArray[Any]) -> Any:
    """int64 for whole numbers, one for each token, as torch looks things up by; else the column's own type.

    Several for each token are the bits of what NumPy has no type for.
    """
    return np.int64 if column.ndim == 1 and np.issubdtype(column.dtype, np.integer) else column.dtype


def collate(features: Features, items: IntArray, padding: Mapping[str, int]) -> dict[str, torch.Tensor]:
    """The named items as one batch: token columns padded on the right to the longest, plus ``attention_mask``.

    Returns:
        Token columns (items, longest, …) padded with zeros where nothing else is said, in their `token_type`,
        ``attention_mask`` int64 (items, longest), targets (items, …).
    """
    import torch

    starts = features.offsets[items]
    lengths = features.offsets[items + 1] - starts
    positions = np.arange(int(lengths.max(initial=1)))
    mask = positions < lengths[:, None]
    batch = {"attention_mask": torch.from_numpy(mask.astype(np.int64))}
    for name, flat in features.tokens.items():
        kind = token_type(flat)
        padded = np.full((*mask.shape, *flat.shape[1:]), padding.get(name, 0), kind)
        padded[mask] = flat[(starts[:, None] + positions)[mask]]
        batch[name] = torch.from_numpy(padded)
    for name, values in features.targets.items():
        batch[name] = torch.from_numpy(values[items])
    return batch


@dataclass(frozen=True)
class Batching:
    """What makes up one optimizer step.

    Attributes:
        rows: Items per step.
        tokens: Padded tokens per step, instead: as many items of like length as fit; an item that is longer than
            that is a step of its own. None for a number of items.
        paired_by: A target: items stand in pairs of the same value of it, whatever their lengths, so that there is
            something to compare in every batch.
    """

    rows: int = 16
    tokens: int | None = None
    paired_by: str | None = None


def epoch_order(features: Features, batching: Batching, seed: int, epoch: int) -> list[IntArray]:
    """The items of each batch of one epoch; every item is in exactly one batch, and the last one may be smaller.

    Items are shuffled, cut into buckets of 50 batches, sorted by length within a bucket and cut into batches,
    whose order is shuffled: most padding disappears (random batches of 16 pad about 60 % on film-review
    sentences), while every epoch mixes its batches anew. Items in pairs are only shuffled: texts of like length
    would meet each other alone where rows are few. So are groups, of which a batch holds as many as it has rows, each
    item once and the shortest first; an item may then be in several batches.
    """
    random = generator(seed, "order", epoch)
    lengths = features.lengths
    if features.groups is not None:
        return _of_groups(features.groups, lengths, batching, random)
    if batching.paired_by is not None:
        items = _in_pairs(features.targets[batching.paired_by], random)
        return np.split(items, _cuts(lengths[items], batching)) if len(items) else []
    shuffled = random.permutation(len(lengths))
    span = _BUCKET * _usual_rows(lengths, batching)
    batches: list[NDArray[np.int64]] = []
    for start in range(0, len(shuffled), span):
        bucket = shuffled[start : start + span]
        bucket = bucket[np.argsort(lengths[bucket], kind="stable")]
        batches += np.split(bucket, _cuts(lengths[bucket], batching))
    return [batches[index] for index in random.permutation(len(batches))]


def _of_groups(groups: Groups, lengths: IntArray, batching: Batching, random: np.random.Generator) -> list[IntArray]:
    """The items of groups that are drawn together, the shortest first."""
    shuffled = groups.items[random.permutation(len(groups))]
    sizes = np.where(shuffled >= 0, lengths[shuffled], 0).sum(axis=1)
    batches = []
    for part in np.split(shuffled, _cuts(sizes, batching)) if len(shuffled) else []:
        items = np.unique(part[part >= 0])
        batches.append(items[np.argsort(lengths[items], kind="stable")])
    return batches


def _usual_rows(lengths: IntArray, batching: Batching) -> int:
    if batching.tokens is None:
        return batching.rows
    return max(1, int(batching.tokens / max(1.0, float(lengths.mean()) if len(lengths) else 1.0)))


def _in_pairs(values: IntArray, random: np.random.Generator) -> IntArray:
    """All items, two of the same value after each other; the odd ones out are scattered among them."""
    shuffled = random.permutation(len(values))
    by_value = shuffled[np.argsort(values[shuffled], kind="stable")]
    _, begins = np.unique(values[by_value], return_index=True)
    pairs = [part[at : at + 2] for part in np.split(by_value, begins[1:]) for at in range(0, len(part), 2)]
    return np.concatenate([pairs[index] for index in random.permutation(len(pairs))]) if pairs else shuffled


def _cuts(lengths: IntArray, batching: Batching) -> list[int]:
    """Where to cut items, whose padded batches are as long as their longest, into batches."""
    if batching.tokens is None:
        return list(range(batching.rows, len(lengths), batching.rows))
    cuts, start, longest = [], 0, 0
    for index, length in enumerate(lengths.tolist()):
        longest = max(longest, length)
        if index > start and (index - start + 1) * longest > batching.tokens:
            cuts.append(index)
            start, longest = index, length
    return cuts


def sequential_order(lengths: IntArray, batch_size: int) -> Iterator[IntArray]:
    """The items of each batch for prediction, the longest first, so that memory peaks at once and not late."""
    order = np.argsort(-lengths, kind="stable")
    for at in range(0, len(order), batch_size):
        yield order[at : at + batch_size]
