"""Lion: every weight moves by the whole rate, in the direction that the gradients of late agree on."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch


def lion(groups: list[dict[str, Any]], betas: tuple[float, float] = (0.9, 0.99)) -> torch.optim.Optimizer:
    """Lion (Chen et al. 2023, "Symbolic discovery of optimization algorithms", algorithm 2).

    It keeps one average where Adam keeps two. In long trainings its rate should be 3 to 10 times lower than AdamW's,
    and its weight decay as many times higher (section 5).

    Args:
        groups: Parameters with ``lr`` and ``weight_decay``; the decay is decoupled.
        betas: Share of the average in the direction of a step, and in the next average.
    """
    return _lion_class()(groups, {"betas": betas})


@cache
def _lion_class() -> type[torch.optim.Optimizer]:
    # A class in a function, so that this module can be imported without torch.
    import torch

    class Lion(torch.optim.Optimizer):
        @torch.no_grad()
        def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
            """Move the weights that have a gradient."""
            if closure is not None:
                raise NotImplementedError("Lion takes no closure")
            for group in self.param_groups:
                tensors = [tensor for tensor in group["params"] if tensor.grad is not None]
                if not tensors:
                    continue
                for tensor in tensors:
                    if not self.state[tensor]:
                        self.state[tensor]["average"] = torch.zeros_like(tensor)
                averages = [self.state[tensor]["average"] for tensor in tensors]
                gradients = [tensor.grad for tensor in tensors]
                of_step, of_average = group["betas"]
                directions = torch._foreach_lerp(averages, gradients, 1 - of_step)
                torch._foreach_sign_(directions)
                torch._foreach_mul_(tensors, 1 - group["lr"] * group["weight_decay"])
                torch._foreach_add_(tensors, directions, alpha=-group["lr"])
                torch._foreach_lerp_(averages, gradients, 1 - of_average)
            return None

    return Lion
