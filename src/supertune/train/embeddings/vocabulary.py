"""Train only the word embeddings that occur: the same result as training all of them, at a fraction of the cost.

An embedding row that no text uses has a zero gradient at every step, so that its moments and its update are zero
as well. Yet clearing, clipping and stepping over it costs as much as any other: a multilingual encoder has 250,000
rows, 82 % of its weights, and a data set touches a few thousand. So the rows that occur are trained as a small
matrix of their own and put back afterwards. One thing differs from training the whole matrix: rows that never occur
are not decayed, but stay as they were pre-trained.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from supertune.contracts import Features

if TYPE_CHECKING:
    from transformers import PreTrainedModel

IDS = "input_ids"


class UsedVocabulary:
    """The token ids that some features use, as a vocabulary of their own.

    While it is in force, the model's input embedding holds these rows alone, and takes ids from `encode` only.

    Args:
        model: Its input embedding is replaced, in place.
        features: Everything the model will read until `restore`.
        padding: The id that pads batches.
    """

    def __init__(self, model: PreTrainedModel, features: Iterable[Features], padding: int) -> None:
        import torch

        used = [np.unique(encoded.tokens[IDS]) for encoded in features]
        self.ids = np.unique(np.concatenate([*used, [padding]])).astype(np.int64)
        whole = model.get_input_embeddings()
        assert isinstance(whole, torch.nn.Embedding)
        self._whole = whole
        self.padding = int(self._positions(np.array([padding]))[0])
        rows = torch.from_numpy(self.ids)
        weight = whole.weight.detach()[rows.to(whole.weight.device)].clone()
        count, width = weight.shape
        small = torch.nn.Embedding(count, width, padding_idx=self._padding_index(), _weight=weight)
        small.requires_grad_(whole.weight.requires_grad)
        model.set_input_embeddings(small)

    def _padding_index(self) -> int | None:
        # The row that torch keeps from learning; only padding uses it, so it is there whenever it matters.
        index = self._whole.padding_idx
        found = np.flatnonzero(self.ids == index) if index is not None else np.zeros(0)
        return int(found[0]) if len(found) else None

    def _positions(self, ids: NDArray[Any]) -> NDArray[np.int32]:
        return np.searchsorted(self.ids, ids).astype(np.int32)

    def encode(self, features: Features) -> Features:
        """The same items with their ids in this vocabulary."""
        ids = self._positions(features.tokens[IDS])
        return replace(features, tokens={**features.tokens, IDS: ids})

    def restore(self, model: PreTrainedModel) -> None:
        """Put the trained rows back into the whole embedding, and that back into the model."""
        import torch

        trained = model.get_input_embeddings().weight
        assert isinstance(trained, torch.nn.Parameter)
        with torch.no_grad():
            self._whole.weight[torch.from_numpy(self.ids).to(trained.device)] = trained.to(self._whole.weight.device)
        model.set_input_embeddings(self._whole)
