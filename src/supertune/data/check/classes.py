"""The classes there are to learn from, for the checks that count them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from supertune.contracts import IntArray
from supertune.data.check.input import CheckInput
from supertune.data.check.texts import BLANK


def training_classes(check_input: CheckInput) -> tuple[IntArray, NDArray[np.bool_]]:
    """The classes of the split that is learned from.

    Returns:
        int64 (labels,): rows of each class that training will use, so without those that have no text.
        bool (labels,): whether the class occurs there at all.
    """
    split = check_input.training_split
    labels = check_input.classes
    usable = labels.counts(split, without=check_input.texts.of[split] == BLANK)
    return usable, labels.counts(split) > 0


def rows_of(check_input: CheckInput, split: str, classes: IntArray) -> tuple[int, ...]:
    """Row numbers of a split's rows that belong to one of the classes."""
    return check_input.row_numbers(split, check_input.classes.rows_with(split, classes))
