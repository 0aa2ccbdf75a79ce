"""Losses for any number of labels per row: logits float (items, labels), targets of that shape, 1 where one applies.

Each label is decided for itself; an item's loss is the mean over its labels, and an item counts once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from supertune.train.losses.classes import LossSettings
from supertune.train.losses.cross_entropy import Criterion, check_shapes, count_of

if TYPE_CHECKING:
    import torch


def binary_cross_entropy(positive_weights: Sequence[float] | None = None, label_smoothing: float = 0.0) -> Criterion:
    """Sigmoid cross-entropy.

    Args:
        positive_weights: A factor for the ones of each label; None for 1.
        label_smoothing: Share of each target that is moved to one half: 1 becomes 1 − s/2, 0 becomes s/2.

    Raises:
        ValueError: Logits and targets differ in shape.
    """
    return binary_focal(0.0, positive_weights, label_smoothing)


def binary_focal(
    gamma: float = 2.0, positive_weights: Sequence[float] | None = None, label_smoothing: float = 0.0
) -> Criterion:
    """Focal loss −(1 − p)^gamma · ln p, where p is the probability of what is true of a row and a label.

    What is decided with certainty counts less: most labels of most rows are easy zeros. It equals
    `binary_cross_entropy` at ``gamma`` 0. Source: Lin et al. 2017, "Focal loss for dense object detection", equation 4.

    Args:
        gamma: How fast the weight of easy decisions falls.
        positive_weights: As in `binary_cross_entropy`.
        label_smoothing: As in `binary_cross_entropy`; both shares of a target have their own focal factor.

    Raises:
        ValueError: Logits and targets differ in shape.
    """

    def criterion(logits: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        import torch

        check_shapes(logits, targets)
        factors = 1.0 if positive_weights is None else torch.tensor(positive_weights).to(logits)
        wanted = targets.to(logits.dtype) * (1 - label_smoothing) + label_smoothing / 2
        log_yes, log_no = torch.nn.functional.logsigmoid(logits), torch.nn.functional.logsigmoid(-logits)
        yes, no = wanted * factors * log_yes, (1 - wanted) * log_no
        if gamma:
            # Never quite 0, where the power has no gradient for gamma below 1.
            least = torch.finfo(logits.dtype).tiny
            yes, no = yes * log_no.exp().clamp(min=least) ** gamma, no * log_yes.exp().clamp(min=least) ** gamma
        return -(yes + no).mean(dim=-1).sum(), count_of(targets)

    return criterion


SET_LOSSES: Mapping[str, Callable[[LossSettings], Criterion]] = {
    "binary_cross_entropy": lambda settings: binary_cross_entropy(settings.class_weights, settings.label_smoothing),
    "focal": lambda settings: binary_focal(settings.focal_gamma, settings.class_weights, settings.label_smoothing),
}
"""Name of the loss → (settings) → criterion; class weights are factors for the ones of each label."""
