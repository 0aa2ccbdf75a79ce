"""Losses: (outputs, targets) → (summed loss, number of supervised items).

The loop divides sums by the true count of the whole step, so that cutting a step into pieces changes nothing. All of
them compute in the type of the outputs: whoever computes in bfloat16 hands over ``outputs.float()``.
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

    def row_losses(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        import torch

        return torch.nn.functional.cross_entropy(logits, targets, reduction="none", label_smoothing=label_smoothing)

    return per_row(row_losses, class_weights)


def focal(gamma: float = 2.0, class_weights: Sequence[float] | None = None, label_smoothing: float = 0.0) -> Criterion:
    """Focal loss −(1 − p)^gamma · ln p over logits float (items, classes) and targets int64 (items,).

    Rows that the model already gets right with certainty count less, so that many easy rows cannot drown few hard
    ones. It equals `cross_entropy` at ``gamma`` 0. Source: Lin et al. 2017, equation 5, whose alpha is
    ``class_weights`` here.

    Args:
        gamma: How fast the weight of easy rows falls; 2 was best in the paper (table 1b).
        class_weights: As in `cross_entropy`.
        label_smoothing: As in `cross_entropy`; every class's share of the target has its own focal factor.
    """

    def row_losses(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        import torch

        log_probabilities = torch.log_softmax(logits, dim=-1)
        # Never quite 0, where the power has no gradient for gamma below 1.
        rest = (-torch.expm1(log_probabilities)).clamp(min=torch.finfo(logits.dtype).tiny)
        wanted = smoothed_targets(logits, targets, label_smoothing)
        return -(wanted * rest**gamma * log_probabilities).sum(dim=-1)

    return per_row(row_losses, class_weights)


def balanced_weights(counts: Sequence[int]) -> list[float]:
    """Weights inverse to the classes' row counts, averaging 1 over the rows: rows / (classes × count).

    Source: King and Zeng 2001, "Logistic regression in rare events data"; scikit-learn's ``balanced``.
    """
    present = sum(count > 0 for count in counts)
    return [sum(counts) / (present * count) if count else 0.0 for count in counts]


def per_row(
    row_losses: Callable[[torch.Tensor, torch.Tensor], torch.Tensor], class_weights: Sequence[float] | None
) -> Criterion:
    """A criterion from losses float (items,), each multiplied by the weight of its row's true class."""

    def criterion(logits: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        import torch

        losses = row_losses(logits, targets)
        if class_weights is not None:
            losses = losses * torch.tensor(class_weights, dtype=losses.dtype, device=losses.device)[targets]
        return losses.sum(), count_of(targets)

    return criterion


def smoothed_targets(logits: torch.Tensor, targets: torch.Tensor, label_smoothing: float) -> torch.Tensor:
    """The wanted probabilities, of the logits' shape and type: 1 − s at the target, and s spread over all classes."""
    import torch

    classes = logits.shape[-1]
    one_hot = torch.nn.functional.one_hot(targets, classes).to(logits.dtype)
    return one_hot * (1 - label_smoothing) + label_smoothing / classes


def count_of(targets: torch.Tensor) -> torch.Tensor:
    """Number of items, the first dimension, as int64 () on their device."""
    import torch

    return torch.tensor(len(targets), device=targets.device)


def check_shapes(outputs: torch.Tensor, targets: torch.Tensor) -> None:
    """Check that shapes are equal: (items, 1) and (items,) would silently become every pair of items.

    Raises:
        ValueError: They are not.
    """
    if outputs.shape != targets.shape:
        raise ValueError(f"outputs have the shape {tuple(outputs.shape)}, targets {tuple(targets.shape)}")
