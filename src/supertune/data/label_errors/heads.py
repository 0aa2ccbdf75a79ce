"""What simple heads on frozen features say of rows that they have not learned from.

A head on a dense view (vectors of an encoder) is a multinomial logistic regression, one on a sparse view (terms) a
logistic regression for each class. The strengths are those that served best on TREC, SST-2 and SICK with flipped
labels (docs/label-errors.md); how much each head counts is decided by the noise model on the data at hand.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from supertune.contracts import FloatArray, IntArray
from supertune.data.label_errors.folds import FOLDS

View = Any
"""Features of rows: a float array (rows, width) or a scipy.sparse matrix of that shape."""

_DENSE_STRENGTH = 1.0
_SPARSE_STRENGTH = 3.0
_RIDGE = (0.1, 0.5, 2.0, 10.0)
_LEAST = 1e-6
"""Probabilities below are not told apart: a head that is sure to 1 in a million has seen no million rows."""


def class_heads(
    views: Sequence[View], labels: IntArray, folds: IntArray, weights: FloatArray, done: Callable[[], None]
) -> FloatArray:
    """(views, rows, classes): natural logarithms of out-of-fold probabilities, one head per view.

    Args:
        views: Features of the same rows.
        labels: (rows,) classes, 0 to classes - 1, each in at least two folds.
        folds: (rows,) the fold in which each row is held out.
        weights: (rows,) how much a row counts where it is learned from.
        done: Called after each fold of each view.
    """
    classes = int(labels.max()) + 1
    found = np.zeros((len(views), len(labels), classes))
    for each, view in zip(found, map(_scaled, views), strict=True):
        for fold in range(FOLDS):
            out = folds == fold
            learned = np.flatnonzero(~out)
            if out.any():
                known, head = _class_head(view[learned], labels[learned], weights[learned])
                each[np.ix_(out, known)] = head(view[np.flatnonzero(out)])
            done()
    return np.asarray(np.log(np.clip(found, _LEAST, 1.0)))


def number_heads(views: Sequence[View], numbers: FloatArray, folds: IntArray, done: Callable[[], None]) -> FloatArray:
    """(views, rows): out-of-fold predictions of ridge regressions, whose strength is chosen within what is learned."""
    found = np.zeros((len(views), len(numbers)))
    for each, view in zip(found, map(_scaled, views), strict=True):
        for fold in range(FOLDS):
            out = folds == fold
            if out.any():
                learned = np.flatnonzero(~out)
                each[out] = _number_head(view[learned], numbers[learned], view[np.flatnonzero(out)])
            done()
    return found


def _class_head(view: View, labels: IntArray, weights: FloatArray) -> tuple[IntArray, Callable[[View], FloatArray]]:
    """The classes that it knows, and what gives their probabilities."""
    from sklearn.linear_model import LogisticRegression

    known = np.unique(labels)
    if len(known) == 1:
        return known, lambda rows: np.ones((rows.shape[0], 1))
    with warnings.catch_warnings():
        # A head that stopped a little early is as good as one that did not: none is shown to anyone.
        warnings.simplefilter("ignore")
        if not hasattr(view, "tocsr"):
            head = LogisticRegression(C=_DENSE_STRENGTH, max_iter=200, tol=1e-3)
            head.fit(view, labels, sample_weight=weights)
            return known, lambda rows: np.asarray(head.predict_proba(rows), np.float64)
        heads = [
            LogisticRegression(C=_SPARSE_STRENGTH, solver="liblinear").fit(view, labels == each, sample_weight=weights)
            for each in (known if len(known) > 2 else known[1:])
        ]

    def each_against_rest(rows: View) -> FloatArray:
        one = np.stack([head.predict_proba(rows)[:, 1] for head in heads], axis=1)
        if len(known) == 2:
            return np.concatenate([1.0 - one, one], axis=1)
        return np.asarray(one / np.maximum(one.sum(axis=1, keepdims=True), _LEAST))

    return known, each_against_rest


def _number_head(view: View, numbers: FloatArray, held_out: View) -> FloatArray:
    from sklearn.linear_model import Ridge

    # A fifth of what is learned tells the strength; the rows stand in an order that says nothing of them.
    inner = np.arange(len(numbers)) % FOLDS == 0
    mean, best, least = float(numbers.mean()), _RIDGE[0], np.inf

    def fitted(rows: Any, strength: float) -> Any:
        return Ridge(alpha=strength, solver="lsqr", tol=1e-3, fit_intercept=False).fit(view[rows], numbers[rows] - mean)

    for strength in _RIDGE:
        missed = fitted(np.flatnonzero(~inner), strength).predict(view[np.flatnonzero(inner)]) + mean - numbers[inner]
        # The mean of absolute values, so that wrong numbers do not choose.
        if (error := float(np.abs(missed).mean())) < least:
            best, least = strength, error
    return np.asarray(fitted(np.arange(len(numbers)), best).predict(held_out) + mean, np.float64)


def _scaled(view: View) -> View:
    """The view with rows of length 1 on average (root mean square), so that one strength means the same for all."""
    if hasattr(view, "tocsr"):
        view = view.tocsr().astype(np.float64)
        length = float(np.sqrt(view.multiply(view).sum() / max(1, view.shape[0])))
    else:
        view = np.asarray(view, np.float64)
        length = float(np.sqrt((view**2).sum() / max(1, len(view))))
    return view / length if length > 0 else view
