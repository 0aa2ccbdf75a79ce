"""Folds in which a text and its copies stay together, the same for the same rows in whatever order they come."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from supertune.contracts import IntArray

FOLDS = 5

KeyArray = NDArray[np.uint64]


def fold_of(labels: IntArray, keys: KeyArray, *, seed: int) -> IntArray:
    """int64 (rows,): the fold of each row, each class spread evenly; rows with the same key are in the same fold.

    Args:
        labels: (rows,) the class of each row.
        keys: (rows,) made of the texts, not of where they stand: copies have the same.
        seed: Another one, other folds.
    """
    distinct, first, group = np.unique(keys, return_index=True, return_inverse=True)
    # A group of copies with several labels counts under its lowest, whichever row comes first.
    lowest = np.full(len(distinct), np.iinfo(np.int64).max)
    np.minimum.at(lowest, group, labels)
    shuffled = np.random.default_rng(seed).permutation(len(first))
    dealt = shuffled[np.argsort(lowest[shuffled], kind="stable")]
    folds = np.empty(len(distinct), np.int64)
    # Dealing goes on where the class before left off, so that small classes do not all begin with fold 0.
    folds[dealt] = np.arange(len(dealt)) % FOLDS
    return np.asarray(folds[group])


def groups_per_class(labels: IntArray, keys: KeyArray, classes: int) -> IntArray:
    """int64 (classes,): how many different texts each class has."""
    pairs = np.unique(np.stack([labels.astype(np.uint64), keys]), axis=1)
    return np.bincount(pairs[0].astype(np.int64), minlength=classes)
