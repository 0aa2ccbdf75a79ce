"""Losses for numbers: outputs and targets are float (items,) or (items, targets).

An item's loss is the mean over its targets; an item counts once. Shapes must be equal; a ValueError says so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from supertune.train.losses.cross_entropy import Criterion, check_shapes, count_of

if TYPE_CHECKING:
    import torch


def mean_squared_error() -> Criterion:
    """The squared error: its best constant answer is the mean."""
    return _over_errors(lambda errors: errors.square())


def mean_absolute_error() -> Criterion:
    """The absolute error: its best constant answer is the median, which single wild targets do not move."""
    return _over_errors(lambda errors: errors.abs())


def huber(delta: float = 1.0) -> Criterion:
    """Half the squared error up to ``delta``, growing linearly beyond (Huber 1964).

    Args:
        delta: Error, in units of the targets, from which a row pulls no harder. 1 suits standardised targets.
    """
    return _over_errors(lambda errors: huber_loss(errors, delta))


NUMBER_LOSSES: Mapping[str, Callable[[float], Criterion]] = {
    "mse": lambda delta: mean_squared_error(),
    "mae": lambda delta: mean_absolute_error(),
    "huber": huber,
}
"""Name of the loss → (Huber's delta, in units of the standardised targets) → criterion."""


def huber_loss(errors: torch.Tensor, delta: float) -> torch.Tensor:
    """Huber's function of each error: e²/2 up to ``delta``, delta · (|e| − delta/2) beyond."""
    import torch

    return torch.nn.functional.huber_loss(errors, torch.zeros_like(errors), reduction="none", delta=delta)


def _over_errors(penalty: Callable[[torch.Tensor], torch.Tensor]) -> Criterion:
    def criterion(outputs: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        check_shapes(outputs, targets)
        losses = penalty(outputs - targets.to(outputs.dtype))
        return losses.flatten(1).mean(dim=1).sum() if losses.ndim > 1 else losses.sum(), count_of(targets)

    return criterion
