"""From probabilities of labels to sets of them: where each label's probability is cut."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from supertune.contracts import FloatArray

_GRID = np.linspace(0.02, 0.98, 97)
_IMAGINED = 10.0
"""Rows with each label that its threshold counts beside those seen, as all labels together have them: so few that a
label with hundreds decides for itself, so many that one with two does not."""
UNDECIDED = 0.5


@dataclass(frozen=True)
class Cut:
    """Where probabilities become answers.

    Attributes:
        thresholds: float64 (labels,): a label is given from this probability on.
        some: Every row has a label: one whose labels all fall short is given the one that comes nearest.
    """

    thresholds: FloatArray
    some: bool

    def given(self, probabilities: FloatArray) -> NDArray[np.bool_]:
        """Bool (rows, labels): the labels that rows with these probabilities (rows, labels) are given."""
        given: NDArray[np.bool_] = probabilities >= self.thresholds
        if self.some and len(given):
            # The nearest is above its threshold wherever any is.
            given[np.arange(len(given)), (probabilities - self.thresholds).argmax(axis=1)] = True
        return given


def chosen_cut(probabilities: FloatArray, truth: NDArray[np.bool_], *, some: bool) -> Cut:
    """The thresholds under which each label has the best F1 on these rows, rare labels drawn towards the common one.

    A threshold chosen on a handful of rows fits their chance (Lewis et al. 2004, "RCV1", section 8 on SCutFBR; Fan and
    Lin 2007, "A study on threshold selection for multi-label classification"). Here every label counts ten more rows,
    which are as all labels' rows are on average.

    Args:
        probabilities: float64 (rows, labels), of rows that were not learned from.
        truth: Which labels apply, of that shape.
        some: See `Cut`.
    """
    if not truth.any():
        return Cut(np.full(truth.shape[1], UNDECIDED), some)
    # One threshold after the other: all at once would take a hundred times the probabilities' memory.
    right, named = np.empty((len(_GRID), truth.shape[1])), np.empty((len(_GRID), truth.shape[1]))
    for place, threshold in enumerate(_GRID):
        given = probabilities >= threshold
        right[place], named[place] = (given & truth).sum(axis=0), given.sum(axis=0)
    true = truth.sum(axis=0).astype(np.float64)
    # (thresholds, 1): what a row with a label adds on average, whichever label it is.
    share = _IMAGINED / true.sum()
    usual_right, usual_named = (counts.sum(axis=1, keepdims=True) * share for counts in (right, named))
    f1 = 2 * (right + usual_right) / (named + usual_named + true + _IMAGINED)
    # Of equally good ones the middle, which chance moves least.
    best = f1 >= f1.max(axis=0) - 1e-12
    return Cut((best * _GRID[:, None]).sum(axis=0) / best.sum(axis=0), some)
