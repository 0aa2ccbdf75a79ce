"""What learns, held in 32 bits, beside the weights that the model computes with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from supertune.train.precision import Precision

if TYPE_CHECKING:
    import torch


class Masters:
    """The parameters that learn, as 32-bit tensors for the optimizer.

    In fp32 they are the model's own parameters. In bf16 the model computes with bfloat16 copies, which are renewed
    after every step: bfloat16 keeps 8 bits, so that it would round most updates of a fine-tuning away. What does not
    learn is rounded once and held in bfloat16 alone.

    Args:
        model: Its parameters are changed in place; call `release` when training is over.
        precision: Number type to compute in.
        keep: Names of parameters that stay in 32 bits, because their module casts what it gives out.
    """

    def __init__(self, model: torch.nn.Module, precision: Precision, keep: frozenset[str] = frozenset()) -> None:
        import torch

        named = list(model.named_parameters())
        self.tensors: dict[str, torch.Tensor] = {}
        self._copies: list[tuple[torch.nn.Parameter, torch.Tensor]] = []
        for name, parameter in named:
            if precision == "fp32" or name in keep or not parameter.is_floating_point():
                if parameter.requires_grad:
                    self.tensors[name] = parameter
                continue
            original = parameter.data
            parameter.data = original.to(torch.bfloat16)
            if parameter.requires_grad:
                self.tensors[name] = original.float()
                self._copies.append((parameter, self.tensors[name]))

    def clear(self) -> None:
        """Forget all gradients."""
        for tensor in self.tensors.values():
            tensor.grad = None
        for parameter, _ in self._copies:
            parameter.grad = None

    def collect(self) -> None:
        """Add the gradients of the copies to those of the masters; they accumulate in 32 bits."""
        for copy, master in self._copies:
            if copy.grad is not None and master.grad is None:
                master.grad, copy.grad = copy.grad.float(), None
        for copy, master in self._copies:
            if copy.grad is not None and master.grad is not None:
                master.grad += copy.grad
            copy.grad = None

    def spread(self) -> None:
        """Renew the copies after a step."""
        import torch

        if self._copies:
            with torch.no_grad():
                torch._foreach_copy_([copy for copy, _ in self._copies], [master for _, master in self._copies])

    def load(self, tensors: Mapping[str, torch.Tensor]) -> None:
        """Take over values by name, and renew the copies."""
        import torch

        with torch.no_grad():
            for name, master in self.tensors.items():
                master.copy_(tensors[name])
        self.spread()

    @contextmanager
    def replaced(self, tensors: Mapping[str, torch.Tensor]) -> Iterator[None]:
        """Compute with other values for a while; the masters come back exactly."""
        kept = {name: master.detach().clone() for name, master in self.tensors.items()}
        self.load(tensors)
        try:
            yield
        finally:
            self.load(kept)

    def release(self, model: torch.nn.Module) -> None:
        """Give the model its parameters in 32 bits: the masters, and what never learned as it is."""
        masters = {id(copy): master for copy, master in self._copies}
        for parameter in model.parameters():
            if id(parameter) in masters:
                parameter.data = masters[id(parameter)].data
            elif parameter.is_floating_point():
                parameter.data = parameter.data.float()
            parameter.grad = None
        self._copies.clear()
