"""Classes of very different sizes."""

from __future__ import annotations

import numpy as np

from supertune.contracts import Finding
from supertune.data.check.classes import training_classes
from supertune.data.check.input import CheckInput
from supertune.data.check.labels import written

_NOTABLE, _STRONG = 3, 10


def check_imbalance(check_input: CheckInput) -> list[Finding]:
    """Compare the largest and the smallest class of the training rows."""
    if check_input.columns.answers in ("numbers", "answers", "spans", "texts", "ranking", "generated"):
        return []
    counts, _ = training_classes(check_input)
    classes = np.flatnonzero(counts)
    if len(classes) < 2:
        return []
    smallest, largest = classes[np.argmin(counts[classes])], classes[np.argmax(counts[classes])]
    few, many = int(counts[smallest]), int(counts[largest])
    if many < _NOTABLE * few:
        return []
    labels = check_input.classes.labels
    usual = "f1_micro" if check_input.columns.answers == "sets" else "accuracy"
    return [
        Finding(
            check="imbalance",
            severity="warning" if many >= _STRONG * few else "info",
            split=check_input.training_split,
            message=f"the largest class, {written(labels[largest])} ({many:,}), has {_times(many, few)} as many rows "
            f"as the smallest, {written(labels[smallest])} ({few:,})",
            fix=f"look at f1_macro rather than {usual}; to weigh the classes evenly: "
            "--set train.class_weights=balanced",
        )
    ]


def _times(many: int, few: int) -> str:
    return f"{many / few:,.1f}".removesuffix(".0") + " times"
