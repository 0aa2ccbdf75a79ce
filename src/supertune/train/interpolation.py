"""Weights between those that training began with and those that it came to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def interpolated(
    weights: Mapping[str, torch.Tensor], before: Mapping[str, torch.Tensor], share: float
) -> dict[str, torch.Tensor]:
    """(1 − share) · weights + share · before, by name: much of what was forgotten comes back, and little is lost.

    Source: Wortsman et al. 2022, "Robust fine-tuning of zero-shot models", section 4. What LoRA adds to a matrix is a
    product of two, of which the second (``lora_B``) begins at 0: it alone is drawn back, so that the product is.

    Args:
        weights: Float, as trained.
        before: As they began, of the same names and shapes.
        share: From 0 (as trained) to 1 (as they began).
    """
    import torch

    return {
        name: tensor if "lora_A" in name else torch.lerp(tensor, before[name].to(tensor), share)
        for name, tensor in weights.items()
    }
