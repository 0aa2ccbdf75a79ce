"""R-Drop: two passes with different dropout must give the same answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

    from supertune.train.learner import Batch, Objective

    Forward = Callable[[torch.nn.Module, Batch], torch.Tensor]
    BatchCriterion = Callable[[torch.Tensor, Batch], tuple[torch.Tensor, torch.Tensor]]
    Divergence = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def symmetric_kl(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """½ (KL(P₁‖P₂) + KL(P₂‖P₁)) of softmax distributions, from logits (items, …, classes); float32 (items,)."""
    log_p, log_q = first.float().log_softmax(-1), second.float().log_softmax(-1)
    # Both directions in one: their sum is Σ (p - q)(log p - log q).
    return _per_item((log_p.exp() - log_q.exp()) * (log_p - log_q)) / 2


def symmetric_binary_kl(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """The same for independent yes-or-no answers, from logits (items, labels), summed over labels; float32 (items,)."""
    first, second = first.float(), second.float()
    return _per_item((first.sigmoid() - second.sigmoid()) * (first - second)) / 2


def squared_difference(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """Squared distance of numbers (items, …); float32 (items,).

    It is what `symmetric_kl` is for the normal distributions of variance ½ whose likelihood is the squared error.
    """
    return _per_item((first.float() - second.float()).square())


def _per_item(values: torch.Tensor) -> torch.Tensor:
    return values.reshape(len(values), -1).sum(1)


def r_drop(
    forward: Forward, criterion: BatchCriterion, alpha: float, divergence: Divergence = symmetric_kl
) -> Objective:
    """An objective: the mean of the losses of two passes, plus ``alpha / 2`` times how far apart their answers are.

    That is half of equation 4, which adds the two losses instead of taking their mean: ``alpha`` means what it means
    in the paper (1 to 5 for language understanding), the minimum is the same, and the reported loss remains that of
    one pass as ``alpha`` goes to 0. Both passes are one over a batch that holds every item twice, which is quicker
    than two and takes twice the memory. A model without dropout gains nothing.

    Args:
        forward: (model, batch) → outputs (items, …). Every tensor of the batch has the items first.
        criterion: (outputs, batch) → (summed loss, number of supervised items).
        alpha: Weight of the divergence.
        divergence: (outputs, outputs) → (items,), 0 where they agree.

    Source: Liang et al. 2021, "R-Drop: regularized dropout for neural networks", equation 4.
    """

    def objective(model: torch.nn.Module, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        import torch

        outputs = forward(model, {name: torch.cat([values, values]) for name, values in batch.items()})
        first, second = outputs.chunk(2)
        loss, count = criterion(first, batch)
        again, _ = criterion(second, batch)
        return (loss + again + alpha * divergence(first, second).sum()) / 2, count

    return objective
