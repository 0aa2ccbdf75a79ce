"""Loss of pointing to tokens: scores float (items, tokens, pointers), positions int64 (items, pointers)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from supertune.train.losses.cross_entropy import Criterion

if TYPE_CHECKING:
    import torch

IGNORED = -100
"""Position of an item that is passed over, and not counted."""


def pointing() -> Criterion:
    """The cross-entropy of each pointer over the tokens of its item; an item's loss is their mean.

    An item counts once, and not at all where its positions are `IGNORED`.
    """

    def criterion(outputs: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        import torch

        if outputs.ndim != 3 or targets.shape != (len(outputs), outputs.shape[2]):
            raise ValueError(f"scores of shape {tuple(outputs.shape)} for positions of shape {tuple(targets.shape)}")
        losses = torch.nn.functional.cross_entropy(outputs, targets, ignore_index=IGNORED, reduction="none")
        return losses.mean(dim=1).sum(), (targets[:, 0] != IGNORED).sum()

    return criterion
