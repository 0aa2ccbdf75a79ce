"""What any model of numbers must beat: the mean, and TF-IDF with ridge regression."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from supertune.contracts import FloatArray
from supertune.errors import UserError
from supertune.evaluate.baselines import fitted_vectorizers, stack

_STRENGTHS = (0.1, 0.3, 1.0, 3.0, 10.0)
_FOLDS = 3


class MeanBaseline:
    """Always answers with the means of the training rows."""

    name = "mean"

    def __init__(self) -> None:
        self._means: FloatArray = np.zeros(0)

    def fit(self, texts: Sequence[str], targets: FloatArray) -> None:
        """Take the means of targets float64 (rows, columns).

        Raises:
            UserError: There are no rows.
        """
        if not len(targets):
            raise UserError("there are no rows to fit a baseline on", fix="give labelled training rows")
        self._means = targets.mean(axis=0)

    def predict(self, texts: Sequence[str]) -> FloatArray:
        """Float64 (rows, columns): the same row for every text."""
        return np.tile(self._means, (len(texts), 1))


class TfidfRidge:
    """TF-IDF of words and characters, as `TfidfBaseline` has it, then ridge regression. Deterministic.

    Its strength is the best of 0.1, 0.3, 1, 3 and 10 by squared error over three folds of the training rows. Nothing
    learnable in the texts: the mean answers.
    """

    name = "tfidf"

    def __init__(self) -> None:
        self._mean = MeanBaseline()
        self._vectorizers: list[Any] = []
        self._model: Any = None

    def fit(self, texts: Sequence[str], targets: FloatArray) -> None:
        """Learn from texts and targets float64 (rows, columns).

        Raises:
            UserError: There are no rows.
        """
        from sklearn.linear_model import Ridge
        from sklearn.model_selection import GridSearchCV, KFold

        self._mean.fit(texts, targets)
        self._model = None
        self._vectorizers, blocks = fitted_vectorizers(texts, targets.shape[1])
        if not blocks or len(texts) < 2 * _FOLDS:
            return
        search = GridSearchCV(
            # The intercept of sparse rows is found by this solver alone.
            Ridge(solver="sparse_cg"),
            {"alpha": _STRENGTHS},
            scoring="neg_mean_squared_error",
            cv=KFold(_FOLDS, shuffle=True, random_state=0),
        )
        self._model = search.fit(stack(blocks), targets).best_estimator_

    def predict(self, texts: Sequence[str]) -> FloatArray:
        """Float64 (rows, columns)."""
        if self._model is None or not len(texts):
            return self._mean.predict(texts)
        answers = self._model.predict(stack([vectorizer.transform(texts) for vectorizer in self._vectorizers]))
        return np.asarray(answers, np.float64).reshape(len(texts), -1)
