"""The best of what a search found, read together with the query and put in a better order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from supertune.errors import UserError
from supertune.passages import NOTHING, Found
from supertune.recipes.cross_encoder import CrossEncoder, open_cross_encoder

USUAL_DEPTH = 50
"""Passages of each query that are read: every one more costs as much as the one before, and is less likely right."""


@dataclass(frozen=True, eq=False)
class Reranker:
    """A model that reads query and passage together, behind a search.

    Attributes:
        model: What reads them.
        depth: Passages of each query that it reads, the best that the search has found.
    """

    model: CrossEncoder
    depth: int

    def reordered(self, queries: Sequence[str], found: Found, text_of: Callable[[int], str]) -> Found:
        """The same passages in the order of logit − weight · ln(place); see `supertune.tasks.RerankTask.calibrated`.

        Of a reranker that learned with passages that words had found the weight is what was chosen then; of others it
        is 0. Scores are these numbers.

        Args:
            queries: What was asked.
            found: What the search has found for each, the best first.
            text_of: Passage → its text.
        """
        at, places = np.nonzero(found.ids != NOTHING)
        numbers = found.ids[at, places].tolist()
        texts = {number: text_of(number) for number in set(numbers)}
        pairs = [(queries[query], texts[number]) for query, number in zip(at.tolist(), numbers, strict=True)]
        logits = self.model.score(pairs)[0] if pairs else np.zeros(0, np.float32)
        scores = np.full(found.scores.shape, -np.inf)
        scores[at, places] = logits - self.model.task.words * np.log(places + 1)
        order = np.argsort(-scores, axis=1, kind="stable")
        ids, ordered = (np.take_along_axis(values, order, axis=1) for values in (found.ids, scores))
        return Found(ids, ordered.astype(np.float32))


def open_reranker(name: str, depth: int = USUAL_DEPTH, *, where: str = "reranker") -> Reranker:
    """Open a run of the task ``rerank``, or a cross-encoder of somebody else with one output.

    Args:
        name: A run, a folder or a hub id.
        depth: Passages of each query that it reads.
        where: What named it, for messages.

    Raises:
        UserError: It cannot be opened, or does not give a pair one score.
    """
    if depth < 1:
        raise UserError(f"{depth} passages cannot be read", where="depth", fix="at least 1")
    return Reranker(open_cross_encoder(name, where=where), depth)
