"""Losses: (outputs, targets) → (summed loss, number of supervised items).

The loop divides sums by the true count of the whole step, so that cutting a step into pieces changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

Criterion = Callable[["torch.Tensor", "torch.Tensor"], "tuple[torch.Tensor, torch.Tensor]"]


def cross_entropy(class_weights: Sequence[float] | None = None, label_smoothing: float = 0.0) -> Criterion:
    """Softmax cross-entropy over logits float (items, classes) and targets int64 (items,).

    Args:
        class_weights: A factor for the rows of each class; None for 1. The count stays the number of rows, so
            weights that average 1 over the training rows leave the scale of the loss as it was.
        label_smoothing: Share of the target spread evenly over all classes (Szegedy et al. 2016, section 7).
    """

    def criterion(logits: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        import torch

        losses = torch.nn.functional.cross_entropy(logits, targets, reduction="none", label_smoothing=label_smoothing)
        if class_weights is not None:
            losses = losses * torch.tensor(class_weights, dtype=losses.dtype, device=losses.device)[targets]
        return losses.sum(), torch.tensor(targets.numel(), device=losses.device)

    return criterion


def balanced_weights(counts: Sequence[int]) -> list[float]:
    """Weights inverse to the classes' row counts, averaging 1 over the rows: rows / (classes × count).

    Source: King and Zeng 2001, "Logistic regression in rare events data"; scikit-learn's ``balanced``.
    """
    present = sum(count > 0 for count in counts)
    return [sum(counts) / (present * count) if count else 0.0 for count in counts]
