"""L1 and L2 as terms of the loss.

Not weight decay: a term's gradient passes through clipping and through the optimizer, so that Adam divides it by the
size of the weight's other gradients and large gradients shield their weights from it. Decoupled weight decay shrinks
every weight by the same share whatever its gradients (Loshchilov and Hutter 2019, "Decoupled weight decay
regularization", section 2). The two agree for plain SGD alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def penalised(named: Iterable[tuple[str, torch.Tensor]]) -> list[str]:
    """Names of what is penalised: matrices, as with weight decay; not biases, and not normalisation weights."""
    return [name for name, tensor in named if tensor.ndim > 1]


def add_penalties(
    parameters: Sequence[torch.Tensor], gradients: Sequence[torch.Tensor], l1: float, l2: float
) -> torch.Tensor:
    """Add the gradient of ``l1 Σ|w| + l2/2 Σw²`` to ``gradients``, in place; returns the value of that term.

    The gradients are those of the mean loss, before clipping; with gradients of a summed loss multiply both factors
    by its count. At 0 the L1 term has the gradient 0.

    Args:
        parameters: The weights, of any shapes, on one device.
        gradients: A dense gradient for each.
        l1: Factor of the sum of absolute weights (Tibshirani 1996).
        l2: Factor of half the sum of squared weights (Hoerl and Kennard 1970); half, so that the gradient is l2 w.

    Returns:
        Float32 scalar, without a graph.

    Raises:
        ValueError: A gradient is sparse: the term has a gradient for every row.
    """
    import torch

    value = torch.zeros((), device=parameters[0].device if parameters else None)
    if any(gradient.is_sparse for gradient in gradients):
        raise ValueError("penalties need dense gradients")
    if not parameters:
        return value
    weights, grown = list(parameters), list(gradients)
    with torch.no_grad():
        if l1:
            torch._foreach_add_(grown, torch._foreach_sign(weights), alpha=l1)
            value += l1 * torch.stack(torch._foreach_norm(weights, 1, dtype=torch.float32)).sum()
        if l2:
            torch._foreach_add_(grown, weights, alpha=l2)
            value += l2 / 2 * torch.stack(torch._foreach_norm(weights, 2, dtype=torch.float32)).square().sum()
    return value
