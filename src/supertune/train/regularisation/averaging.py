"""Averages of the weights over the steps, which are often better weights than the last ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import torch


class WeightAverage:
    """The average of some tensors over the updates so far, in 32 bits.

    ``ema``: weights that lie k updates back count ``decay`` to the power k. The average is divided by the sum of
    these factors, as Adam corrects its own (Kingma and Ba 2015, section 3): it is of trained weights alone from the
    first update on, and the pre-trained ones never count. A warm-up of the decay, as TensorFlow has it, would do
    nearly the same with one more constant.

    ``uniform``: all updates count alike, which is stochastic weight averaging (Izmailov et al. 2018, algorithm 1) and
    tail averaging (Jain et al. 2018). Weights from before the rate has settled spoil it: half of the steps is the
    usual ``begin_step``.

    Args:
        parameters: What is averaged; always in this order.
        kind: How much each update counts.
        decay: From 0 (the last weights) to below 1; for ``ema`` only.
        begin_step: Updates that are not averaged yet. Until then the average is the present weights.
    """

    def __init__(
        self,
        parameters: Sequence[torch.Tensor],
        kind: Literal["ema", "uniform"],
        decay: float = 0.99,
        begin_step: int = 0,
    ) -> None:
        self._parameters = list(parameters)
        self._kind, self._decay, self._begin_step = kind, decay, begin_step
        self._averages: list[torch.Tensor] = []
        self.steps = 0

    def update(self) -> None:
        """Take the present weights into the average; call it after every step."""
        import torch

        self.steps += 1
        number = self.steps - self._begin_step
        if number < 1:
            return
        present = [parameter.detach().float() for parameter in self._parameters]
        if not self._averages:
            self._averages = [value.clone() for value in present]
        else:
            torch._foreach_lerp_(self._averages, present, self._share(number))

    def _share(self, number: int) -> float:
        """How far the average moves to the newest of ``number`` weights; with it no sum of factors has to be kept."""
        if self._kind == "uniform":
            return 1 / number
        return (1 - self._decay) / (1 - self._decay**number)

    def averages(self) -> list[torch.Tensor]:
        """The averages in the parameters' order, float32; the parameters themselves before there are any."""
        return self._averages or self._parameters

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Compute with the averages while the block lasts; the present weights come back to the last bit."""
        import torch

        present = [parameter.detach().clone() for parameter in self._parameters]
        with torch.no_grad():
            torch._foreach_copy_(self._parameters, self.averages())
        try:
            yield
        finally:
            with torch.no_grad():
                torch._foreach_copy_(self._parameters, present)

    def state_dict(self) -> dict[str, torch.Tensor]:
        """``steps`` (int64) and the averages by their index; not copies."""
        import torch

        averages = {str(index): average for index, average in enumerate(self._averages)}
        return {"steps": torch.tensor(self.steps), **averages}

    def load_state_dict(self, state: Mapping[str, torch.Tensor]) -> None:
        """Continue where `state_dict` was called, with the same parameters and settings.

        Raises:
            ValueError: The state is of other parameters.
        """
        import torch

        stored = [state[str(index)] for index in range(len(state) - 1)]
        if stored and [value.shape for value in stored] != [value.shape for value in self._parameters]:
            raise ValueError("the averages are of other parameters")
        self.steps = int(state["steps"])
        self._averages = [
            value.to(parameter.device, torch.float32, copy=True)
            for value, parameter in zip(stored, self._parameters if stored else (), strict=True)
        ]
