"""Losses for one label per row, by the names of ``train.loss``: logits float (items, classes), targets int64 (items,).

Those that were made for numbers or for several labels compare probabilities with the one-hot target. All respect label
smoothing (the one-hot target is spread, as in `cross_entropy`) and class weights (a row's loss is multiplied by the
weight of its true class); the count is the number of rows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from supertune.train.losses.cross_entropy import Criterion, cross_entropy, focal, per_row, smoothed_targets
from supertune.train.losses.regression import huber_loss

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class LossSettings:
    """What the losses can be told; each takes what it knows.

    Attributes:
        class_weights: A factor for the rows of each class; None for 1.
        label_smoothing: Share of the target spread evenly over all classes.
        focal_gamma: `focal`: how much less the rows count that are learned already.
        huber_delta: `huber`: error of a probability from which it grows linearly. Errors do not pass 1, so that from 1
            on it is half the Brier score.
    """

    class_weights: Sequence[float] | None = None
    label_smoothing: float = 0.0
    focal_gamma: float = 2.0
    huber_delta: float = 1.0


def one_versus_rest(settings: LossSettings) -> Criterion:
    """Binary cross-entropy of each class against the rest, the mean over classes.

    Every class is decided for itself, so that the logits' softmax is surer than the model was trained to be. Source:
    Wightman et al. 2021, "ResNet strikes back", section 3 on the BCE loss; mean and smoothing as in timm.
    """

    def row_losses(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        import torch

        wanted = smoothed_targets(logits, targets, settings.label_smoothing)
        losses = torch.nn.functional.binary_cross_entropy_with_logits(logits, wanted, reduction="none")
        return losses.mean(dim=-1)

    return per_row(row_losses, settings.class_weights)


def brier(settings: LossSettings) -> Criterion:
    """Squared errors of the softmax probabilities, summed over classes: 0 to 2, a proper score (Brier 1950)."""
    return _over_probabilities(settings, lambda errors: errors.square())


def absolute(settings: LossSettings) -> Criterion:
    """Absolute errors of the softmax probabilities, summed over classes: 2 · (1 − p of the target).

    Wrong labels that fall on all classes alike do not move its minimum; it learns slowly where classes are many.
    Source: Ghosh et al. 2017, "Robust loss functions under label noise", section 3.
    """
    return _over_probabilities(settings, lambda errors: errors.abs())


def huber_of_probabilities(settings: LossSettings) -> Criterion:
    """Huber's function of the errors of the softmax probabilities, summed over classes: between the two above."""
    return _over_probabilities(settings, lambda errors: huber_loss(errors, settings.huber_delta))


def _over_probabilities(settings: LossSettings, penalty: Callable[[torch.Tensor], torch.Tensor]) -> Criterion:
    def row_losses(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        wanted = smoothed_targets(logits, targets, settings.label_smoothing)
        return penalty(logits.softmax(dim=-1) - wanted).sum(dim=-1)

    return per_row(row_losses, settings.class_weights)


CLASS_LOSSES: Mapping[str, Callable[[LossSettings], Criterion]] = {
    "cross_entropy": lambda settings: cross_entropy(settings.class_weights, settings.label_smoothing),
    "focal": lambda settings: focal(settings.focal_gamma, settings.class_weights, settings.label_smoothing),
    "binary_cross_entropy": one_versus_rest,
    "mse": brier,
    "mae": absolute,
    "huber": huber_of_probabilities,
}
"""Name of the loss → (settings) → criterion."""
