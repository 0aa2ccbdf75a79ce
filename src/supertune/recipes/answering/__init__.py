"""Who answers rows with a trained model: by what it says of them, or by writing.

A way to answer is one file with an `Answerer`, and one line in `ANSWERERS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from supertune.recipes.answering.answerer import Answerer
from supertune.recipes.answering.cleaned import Cleaned
from supertune.recipes.answering.reader import Reader
from supertune.recipes.answering.writer import Writer
from supertune.recipes.saved import SavedModel

ANSWERERS: Mapping[str, Callable[[SavedModel], Answerer]] = {"generated": Writer}
"""Kind of answers → who gives them, where that is not a model that reads."""


def answerer_of(saved: SavedModel, *, clean: bool = True) -> Answerer:
    """Who answers rows with a model.

    Args:
        saved: The model.
        clean: Whether texts are cleaned before as those were that it learned from.
    """
    answerer = ANSWERERS.get(saved.task.answers, Reader)(saved)
    return Cleaned(answerer, saved.cleaning) if clean and saved.cleaning else answerer


__all__ = ["ANSWERERS", "Answerer", "answerer_of"]
