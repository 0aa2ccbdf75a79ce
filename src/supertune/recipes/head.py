"""The head of a model that learns by similarity: fitted to what the model gives out for the training rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from supertune.contracts import Features, IntArray, LearnsBySimilarity, model_inputs
from supertune.train import generator, predict_outputs

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

MOST_ROWS = 5_000
"""Rows that the head is fitted to: where there are more, they are drawn, and memory and time stay bounded."""
_FEWEST_OF_A_CLASS = 16
_BATCH = 64


def fit_head(
    strategy: LearnsBySimilarity,
    model: PreTrainedModel,
    features: Features,
    *,
    padding: Mapping[str, int],
    seed: int,
    class_weights: Sequence[float] | None,
) -> None:
    """Fit the head to the training rows, as the model lays them now.

    Args:
        strategy: Knows what the head is.
        model: As the strategy prepared it.
        features: The training rows, encoded as the model reads them.
        padding: Token column → id to pad with.
        seed: Draws the rows where they are too many.
        class_weights: A factor for the rows of each label.
    """
    some = features.take(head_rows(features.targets["labels"], seed))
    embeddings = predict_outputs(model, some, embedded, batch_size=_BATCH, padding=padding)
    strategy.fit_head(model, embeddings, some.targets["labels"], class_weights)


def embedded(model: torch.nn.Module, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
    """One vector per text, float (items, width)."""
    vectors: torch.Tensor = cast(Any, model).embed(**model_inputs(batch))
    return vectors


def head_rows(labels: IntArray, seed: int) -> IntArray:
    """Positions of at most `MOST_ROWS` rows, drawn; of a rare label 16 at least, or all, where that many fit.

    With more labels than `MOST_ROWS`, one row of each.
    """
    if len(labels) <= MOST_ROWS:
        return np.arange(len(labels))
    shuffled = generator(seed, "head-rows").permutation(len(labels))
    by_label = shuffled[np.argsort(labels[shuffled], kind="stable")]
    counts = np.unique(labels, return_counts=True)[1]
    place = np.arange(len(labels)) - np.repeat(np.cumsum(counts) - counts, counts)
    fewest = max(1, min(_FEWEST_OF_A_CLASS, MOST_ROWS // len(counts)))
    first, others = by_label[place < fewest], by_label[place >= fewest]
    drawn = generator(seed, "head-rows", 1).permutation(others)[: max(0, MOST_ROWS - len(first))]
    return np.sort(np.concatenate([first, drawn]))
