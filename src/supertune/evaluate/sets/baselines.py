"""What any model of label sets must beat: always the same labels, and TF-IDF with a logistic regression per label."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from supertune.contracts import FloatArray
from supertune.errors import UserError
from supertune.evaluate.baselines import fitted_vectorizers, stack

_INVERSE_REGULARISATION = 10.0


class LabelShares:
    """Always answers with the shares of the labels among the training rows."""

    name = "majority"

    def __init__(self) -> None:
        self._shares: FloatArray = np.zeros(0)

    def fit(self, texts: Sequence[str], targets: NDArray[np.bool_]) -> None:
        """Count targets bool (rows, labels).

        Raises:
            UserError: There are no rows.
        """
        if not len(targets):
            raise UserError("there are no rows to fit a baseline on", fix="give labelled training rows")
        self._shares = targets.mean(axis=0)

    def predict(self, texts: Sequence[str]) -> FloatArray:
        """Float64 (rows, labels): the same row for every text."""
        return np.tile(self._shares, (len(texts), 1))


class TfidfLabels:
    """TF-IDF of words and characters, as `TfidfBaseline` has it, then a logistic regression for each label.

    Deterministic. Labels that every row has, or none, keep their share; so do all where nothing in the texts can be
    learned.
    """

    name = "tfidf"

    def __init__(self) -> None:
        self._shares = LabelShares()
        self._vectorizers: list[Any] = []
        self._models: dict[int, Any] = {}

    def fit(self, texts: Sequence[str], targets: NDArray[np.bool_]) -> None:
        """Learn from texts and targets bool (rows, labels).

        Raises:
            UserError: There are no rows.
        """
        from sklearn.linear_model import LogisticRegression

        self._shares.fit(texts, targets)
        self._models = {}
        self._vectorizers, blocks = fitted_vectorizers(texts, targets.shape[1])
        if not blocks:
            return
        features = stack(blocks)
        for label in np.flatnonzero(targets.any(axis=0) & ~targets.all(axis=0)):
            # liblinear is several times as fast as the default on sparse rows, and as good.
            model = LogisticRegression(C=_INVERSE_REGULARISATION, solver="liblinear", random_state=0)
            self._models[int(label)] = model.fit(features, targets[:, label])

    def predict(self, texts: Sequence[str]) -> FloatArray:
        """Float64 (rows, labels)."""
        probabilities = self._shares.predict(texts)
        if self._models and len(texts):
            features = stack([vectorizer.transform(texts) for vectorizer in self._vectorizers])
            for label, model in self._models.items():
                probabilities[:, label] = model.predict_proba(features)[:, 1]
        return probabilities
