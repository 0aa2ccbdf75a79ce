"""From features and labels to the rows whose label is probably wrong: ranked, and as many as the data say.

How many are listed follows from the model of the noise alone. With p_i the probability that row i's label is wrong,
a list of the k surest holds Σ p_i wrong ones of an expected total W, so its expected F1 is 2 Σ p_i / (k + W), and k is
where that is highest (Lipton et al. 2014, "Optimal Thresholding of Classifiers to Maximize F1 Measure"). The list is
cut before less than half of it is expected to be wrong: where the labels are explained without noise it is empty.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from supertune.contracts import FloatArray, IntArray
from supertune.data.label_errors.folds import FOLDS, KeyArray, fold_of, groups_per_class
from supertune.data.label_errors.heads import View, class_heads
from supertune.data.label_errors.noise import fit_noise

FEWEST_ROWS = 50
"""Rows below which nothing is said: a fold of ten rows cannot tell hard from wrong."""
WORTH_A_LOOK = 0.5
ROUNDS = 2
_LEAST_WEIGHT = 0.02


@dataclass(frozen=True)
class Suspects:
    """Rows whose label is probably wrong, and how many there seem to be.

    Attributes:
        rows: int64 (listed,): indices of the rows on the list, the surest first.
        wrong: Float64 (rows,): the probability that each label is wrong; NaN where it was not judged.
        suggested: (rows,) what the label should rather be: a class, or a number; the given one where not judged.
        share: Float64 (rows,): of classes the probability that ``suggested`` is right; of numbers NaN.
        expected: How many of the judged labels are wrong, listed or not.
        low: Lower end of its 95 % interval.
        high: Upper end.
        precision: The share of the list that is expected to be wrong; NaN for an empty one.
        judged: How many rows were.
    """

    rows: IntArray
    wrong: FloatArray
    suggested: NDArray[np.int64] | FloatArray
    share: FloatArray
    expected: float
    low: float
    high: float
    precision: float
    judged: int


def steps_of(views: int) -> int:
    """How often ``done`` is called by `find_suspects`."""
    return ROUNDS * views * FOLDS


def judgeable(labels: IntArray, keys: KeyArray) -> NDArray[np.bool_]:
    """Bool (rows,): rows of classes with a text for every fold; none where fewer than 50 rows or two classes are left.

    Args:
        labels: (rows,) the class of each row; negative: it has none.
        keys: (rows,) equal for copies.
    """
    there = labels >= 0
    if not there.any():
        return there
    counts = groups_per_class(labels[there], keys[there], int(labels.max()) + 1)
    kept = there & (counts >= FOLDS)[np.maximum(labels, 0)]
    if kept.sum() < FEWEST_ROWS or len(np.unique(labels[kept])) < 2:
        return np.zeros(len(labels), bool)
    return np.asarray(kept)


def find_suspects(
    views: Sequence[View],
    labels: IntArray,
    keys: KeyArray,
    *,
    seed: int = 0,
    done: Callable[[], None] = lambda: None,
) -> Suspects:
    """Judge the label of every row by heads that have not seen it.

    The result does not depend on the order of the rows. In a second round, with other folds, rows count the less the
    more probably they are wrong; what is said in both is averaged.

    Args:
        views: Features of the same rows: float arrays (rows, width) or ``scipy.sparse`` matrices.
        labels: (rows,) the class of each row, from 0; negative: it has none.
        keys: (rows,) made of the texts: copies, and near copies, have the same.
        seed: Of the folds.
        done: Called after each step; see `steps_of`.
    """
    kept = np.flatnonzero(judgeable(labels, keys))
    if not len(kept):
        return unjudged(labels)
    kept = kept[np.lexsort((labels[kept], keys[kept]))]
    classes, own = np.unique(labels[kept], return_inverse=True)
    some, together = [rows_of(view, kept) for view in views], keys[kept]
    weights = np.ones(len(kept))
    said = np.zeros((len(views), len(kept), len(classes)))
    for number in range(ROUNDS):
        folds = fold_of(own, together, seed=seed + number)
        said += class_heads(some, own, folds, weights, done)
        model = fit_noise(said / (number + 1), own, seed=seed, interval=number + 1 == ROUNDS)
        wrong = 1.0 - model.right[np.arange(len(own)), own]
        weights = np.maximum(1.0 - wrong, _LEAST_WEIGHT)
    others = model.right.copy()
    others[np.arange(len(own)), own] = -1.0
    best = others.argmax(axis=1)
    suggested = labels.copy()
    suggested[kept] = classes[best]
    ends = (model.low * len(kept), model.high * len(kept))
    return listed(kept, wrong, suggested, others.max(axis=1), ends, len(labels))


def listed(
    kept: IntArray,
    wrong: FloatArray,
    suggested: NDArray[np.int64] | FloatArray,
    share: FloatArray,
    ends: tuple[float, float],
    rows: int,
) -> Suspects:
    """The list that is cut where its expected F1 is highest.

    Args:
        kept: (judged,) indices of the judged rows.
        wrong: (judged,) the probability that each label is wrong.
        suggested: (rows,) what it should rather be.
        share: (judged,) how probable that is.
        ends: The interval of how many are wrong by what is known of their rate.
        rows: How many there are, judged or not.
    """
    order = np.argsort(-wrong, kind="stable")
    total, count = float(wrong.sum()), np.arange(1, len(wrong) + 1)
    right = np.cumsum(wrong[order])
    cut = int(np.argmax(2 * right / (count + total))) + 1
    worth = np.flatnonzero(right[:cut] >= WORTH_A_LOOK * count[:cut])
    cut = int(worth[-1]) + 1 if len(worth) else 0
    every, shares = np.full(rows, np.nan), np.full(rows, np.nan)
    every[kept], shares[kept] = wrong, share
    precision = float(right[cut - 1] / cut) if cut else float("nan")
    # The rate is not known, and of these rows chance has made a few more or fewer wrong.
    chance = 1.96**2 * float((wrong * (1 - wrong)).sum())
    low = max(0.0, total - math.sqrt((total - ends[0]) ** 2 + chance))
    high = min(float(len(wrong)), total + math.sqrt((ends[1] - total) ** 2 + chance))
    return Suspects(kept[order[:cut]], every, suggested, shares, total, low, high, precision, len(kept))


def unjudged(labels: NDArray[np.int64] | FloatArray) -> Suspects:
    """Nothing can be said of any row."""
    nothing = np.full(len(labels), np.nan)
    return Suspects(np.zeros(0, np.int64), nothing, labels, nothing, 0.0, 0.0, 0.0, float("nan"), 0)


def rows_of(view: View, rows: IntArray) -> View:
    """Some rows of a dense or a sparse view."""
    return view.tocsr()[rows] if hasattr(view, "tocsr") else np.asarray(view)[rows]
