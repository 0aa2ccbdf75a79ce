"""What any model must beat: the most frequent class, and TF-IDF with logistic regression."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from supertune.contracts import FloatArray, IntArray, Label
from supertune.errors import UserError
from supertune.language import has_unspaced_script

_INVERSE_REGULARISATION = 10.0
"""scikit-learn's C, the same for every data set. Of 3, 10 and 30 it is within 0.2 points of the best accuracy in
three-fold cross-validation on training rows of SST-2, TREC and waimai_10k; log-loss is lowest on two of them."""

_MAX_FEATURES = 100_000
_MAX_COEFFICIENTS = 20_000_000
_ROWS_FOR_WORD_PARTS = 30_000
_ROWS_TO_DROP_SINGLES = 1_000
_SCRIPT_SHARE = 0.1


class MajorityBaseline:
    """Always answers with the frequencies of the classes among the training rows.

    Args:
        labels: All labels, in index order.
    """

    name = "majority"

    def __init__(self, labels: Sequence[Label]) -> None:
        self.labels = tuple(labels)
        self._shares: FloatArray = np.full(len(self.labels), 1 / max(len(self.labels), 1))

    def fit(self, texts: Sequence[str], labels: Sequence[Label]) -> None:
        """Count the labels.

        Raises:
            UserError: There are no rows, or a label was not given at construction.
        """
        counts = np.bincount(_indices(labels, self.labels), minlength=len(self.labels))
        self._shares = counts / counts.sum()

    def predict(self, texts: Sequence[str]) -> FloatArray:
        """Float64 (rows, classes): the same row for every text."""
        return np.tile(self._shares, (len(texts), 1))


class TfidfBaseline:
    """TF-IDF of words, word pairs and runs of characters, then logistic regression. Deterministic.

    Where at least a tenth of the texts are in a spaced script: word 1–2-grams, and 2–5 characters within words (up
    to 30,000 rows: with more, words suffice and the characters would cost minutes). Where at least a tenth hold
    Chinese or Japanese: 1–3 characters, as there are no spaces to find words by. Nothing learnable in the texts,
    or a single class: the majority baseline answers.

    Args:
        labels: All labels, in index order.
    """

    name = "tfidf"

    def __init__(self, labels: Sequence[Label]) -> None:
        self.labels = tuple(labels)
        self._majority = MajorityBaseline(labels)
        self._vectorizers: list[Any] = []
        self._classifier: Any = None

    def fit(self, texts: Sequence[str], labels: Sequence[Label]) -> None:
        """Learn from texts and their labels.

        Raises:
            UserError: There are no rows, or a label was not given at construction.
        """
        targets = _indices(labels, self.labels)
        self._majority.fit(texts, labels)
        self._classifier = None
        self._vectorizers, blocks = fitted_vectorizers(texts, len(self.labels))
        if not blocks or len(np.unique(targets)) < 2:
            return
        self._classifier = _fit_classifier(stack(blocks), targets)

    def predict(self, texts: Sequence[str]) -> FloatArray:
        """Float64 (rows, classes): probabilities, 0 for classes that no training row had."""
        probabilities = self._majority.predict(texts)
        if self._classifier is None or not len(texts):
            return probabilities
        features = stack([vectorizer.transform(texts) for vectorizer in self._vectorizers])
        probabilities[:] = 0.0
        probabilities[:, self._classifier.classes_] = self._classifier.predict_proba(features)
        return probabilities


def _indices(labels: Sequence[Label], known: Sequence[Label]) -> IntArray:
    """Index of each label among the known ones; ``1`` and ``true`` are different labels."""
    if not len(labels):
        raise UserError("there are no rows to fit a baseline on", fix="give labelled training rows")
    places = {(type(label), label): index for index, label in enumerate(known)}
    missing = next((label for label in labels if (type(label), label) not in places), None)
    if missing is not None:
        raise UserError(f"the label {missing!r} is not among the known labels", fix="pass all labels")
    return np.array([places[type(label), label] for label in labels], dtype=np.int64)


def vectorizers(texts: Sequence[str], columns: int) -> list[Any]:
    """TF-IDF of what the texts' scripts have: words, parts of words, runs of characters; not fitted."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    common = {
        "sublinear_tf": True,
        "dtype": np.float32,
        "max_features": max(1_000, min(_MAX_FEATURES, _MAX_COEFFICIENTS // (2 * max(columns, 1)))),
        "min_df": 2 if len(texts) >= _ROWS_TO_DROP_SINGLES else 1,
    }
    unspaced = sum(map(has_unspaced_script, texts)) / len(texts)
    chosen = []
    if unspaced <= 1 - _SCRIPT_SHARE:
        every_word = common | {"min_df": 1}
        chosen.append(TfidfVectorizer(**every_word, ngram_range=(1, 2), token_pattern=r"(?u)\b\w+\b"))
        if len(texts) <= _ROWS_FOR_WORD_PARTS:
            chosen.append(TfidfVectorizer(**common, analyzer="char_wb", ngram_range=(2, 5)))
    if unspaced >= _SCRIPT_SHARE:
        chosen.append(TfidfVectorizer(**common, analyzer="char", ngram_range=(1, 3)))
    return chosen


def fitted_vectorizers(texts: Sequence[str], columns: int) -> tuple[list[Any], list[Any]]:
    """Those of the vectorizers that find something in the texts, and what they make of them.

    Args:
        texts: The training texts.
        columns: Classes or numbers that a linear model is to learn: the fewer, the more terms are kept.
    """
    fitted, blocks = [], []
    for vectorizer in vectorizers(texts, columns):
        try:
            blocks.append(vectorizer.fit_transform(texts))
        except ValueError as error:
            if "vocabulary" not in str(error) and "no terms remain" not in str(error).lower():
                raise
            continue
        fitted.append(vectorizer)
    return fitted, blocks


def stack(blocks: list[Any]) -> Any:
    """Sparse matrices side by side."""
    from scipy.sparse import hstack

    return hstack(blocks, format="csr")


def _fit_classifier(features: Any, targets: IntArray) -> Any:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    classifier = LogisticRegression(C=_INVERSE_REGULARISATION, max_iter=200, tol=1e-3)
    with warnings.catch_warnings():
        # Two hundred steps are a bound on time; the last digits of an optimum decide nothing here.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return classifier.fit(features, targets)
