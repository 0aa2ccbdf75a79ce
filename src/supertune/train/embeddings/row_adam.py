"""AdamW for embeddings that moves only the rows in use, and yet gives what moving every row would give.

An embedding's gradient is zero in all rows but those of the tokens in the batch. Dense Adam visits every row all the
same: its averages decay, and rows go on moving for a while after they were last used. Here a row is left alone until
it is next read, and then catches up with all the steps it has missed at once. Over k steps without a gradient the
averages become β1^k m and β2^k v, so that at step s of the gap a row moves by

    rate_s · √(1 − β2^s) / (1 − β1^s) · (β1 / √β2)^(s − last) · m / √v        (Kingma and Ba 2015, algorithm 1)

whose sum over s is one number per last step, the same for all elements: `_Ledger` keeps it. Weight decay in the gap is
one product. Two things are not exact: for the ε beside √v its mean over the missed moves is taken, and the decay comes
before the moves. Together they stay below a thousandth of a row's change.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

_HORIZON = 600
"""Steps after which a row has come to rest: 0.9^600 is below 1e-27."""


def row_adam(
    groups: list[dict[str, Any]],
    betas: tuple[float, float] = (0.9, 0.999),
    epsilon: float = 1e-8,
    bias_correction: bool = True,
) -> torch.optim.Optimizer:
    """The optimizer over embedding weights (rows, width) whose gradients are sparse and coalesced.

    Beside torch's interface it has ``catch_up(weight, rows)``, to call before rows are read, and ``settle()``, to call
    before a whole weight is.
    """
    optimizer: torch.optim.Optimizer = _row_adam_class()(groups, betas, epsilon, bias_correction)
    return optimizer


class _Ledger:
    """For every past step: how far a row that was last moved then has to go by now.

    Attributes:
        moves: Sum over the missed steps, as in the module's formula.
        epsilons: The same sum with every move multiplied by what ε is multiplied by beside the undecayed √v.
        decays: Logarithm of the product of (1 − rate × decay) over all steps up to each.
    """

    def __init__(self, betas: tuple[float, float], bias_correction: bool) -> None:
        import torch

        self._first, self._second = betas
        self._ratio = self._first / self._second**0.5
        self._corrected = bias_correction
        self.moves = torch.zeros(1, dtype=torch.float64)
        self.epsilons = torch.zeros(1, dtype=torch.float64)
        self.decays = torch.zeros(1, dtype=torch.float64)

    @property
    def steps(self) -> int:
        """Steps taken."""
        return len(self.moves) - 1

    def add(self, rate: float, weight_decay: float) -> None:
        """Another step was taken."""
        import math

        import torch

        step = self.steps + 1
        square = math.sqrt(1 - self._second**step) if self._corrected else 1.0
        factor = rate * square / (1 - self._first**step if self._corrected else 1.0)
        start = max(0, step - _HORIZON)
        gaps = torch.arange(step - start, 0, -1, dtype=torch.float64)
        moves = factor * self._ratio**gaps
        self.moves[start:] += moves
        self.epsilons[start:] += moves * square * self._second ** (-gaps / 2)
        self.moves, self.epsilons = (torch.cat([sums, sums.new_zeros(1)]) for sums in (self.moves, self.epsilons))
        self.decays = torch.cat([self.decays, self.decays[-1:] + math.log1p(-rate * weight_decay)])

    def state_dict(self) -> dict[str, torch.Tensor]:
        """The sums; not copies."""
        return {"moves": self.moves, "epsilons": self.epsilons, "decays": self.decays}

    def load_state_dict(self, state: Mapping[str, torch.Tensor]) -> None:
        """Go on from there."""
        self.moves, self.epsilons, self.decays = (state[name].clone() for name in ("moves", "epsilons", "decays"))

    def correction(self, last: torch.Tensor) -> torch.Tensor:
        """What ε is multiplied by on average over the moves missed since ``last`` (steps, int64)."""
        moves = self.moves[last]
        return (self.epsilons[last] / moves.clamp(min=1e-300)).where(moves > 0, moves.new_ones(()))


def _move(weight: torch.Tensor, group: dict[str, Any], state: dict[str, torch.Tensor], step: int) -> None:
    """AdamW's step for the rows that have a gradient."""
    assert weight.grad is not None
    (first, second), rate = group["betas"], group["lr"]
    rows, gradient = weight.grad._indices()[0], weight.grad._values()
    mean = state["exp_avg"][rows].lerp_(gradient, 1 - first)
    square = state["exp_avg_sq"][rows].mul_(second).addcmul_(gradient, gradient, value=1 - second)
    state["exp_avg"][rows], state["exp_avg_sq"][rows] = mean, square
    correction = (1 - first**step, (1 - second**step) ** 0.5) if group["bias_correction"] else (1.0, 1.0)
    divisor = square.sqrt_().div_(correction[1]).add_(group["eps"])
    moved = weight[rows].mul_(1 - rate * group["weight_decay"])
    weight[rows] = moved.addcdiv_(mean, divisor, value=-rate / correction[0])
    state["last"][rows] = step


def _catch_up(
    weight: torch.Tensor, rows: torch.Tensor, group: dict[str, Any], state: dict[str, torch.Tensor], ledger: _Ledger
) -> None:
    """The steps that rows have missed, for those that have missed any."""
    import torch

    (first, second) = group["betas"]
    last = state["last"][rows]
    behind = last < ledger.steps
    rows, last = rows[behind], last[behind].cpu()
    if not len(rows):
        return
    gaps = (ledger.steps - last).to(torch.float64)

    def column(values: torch.Tensor) -> torch.Tensor:
        return values.to(device=weight.device, dtype=weight.dtype).unsqueeze(1)

    mean, square = state["exp_avg"][rows], state["exp_avg_sq"][rows]
    moved = weight[rows].mul_(column((ledger.decays[-1] - ledger.decays[last]).exp()))
    divisor = square.sqrt().add_(column(ledger.correction(last) * group["eps"]))
    weight[rows] = moved.sub_(mean.div(divisor).mul_(column(ledger.moves[last])))
    state["exp_avg"][rows] = mean.mul_(column(first**gaps))
    state["exp_avg_sq"][rows] = square.mul_(column(second**gaps))
    state["last"][rows] = ledger.steps


@cache
def _row_adam_class() -> Any:  # noqa: C901 - a class, whose methods are counted together
    # A class in a function, so that this module can be imported without torch.
    import torch

    class RowAdam(torch.optim.Optimizer):
        def __init__(
            self, groups: list[dict[str, Any]], betas: tuple[float, float], epsilon: float, bias_correction: bool
        ) -> None:
            super().__init__(groups, {"betas": betas, "eps": epsilon, "bias_correction": bias_correction})
            self._ledgers = [_Ledger(betas, bias_correction) for _ in self.param_groups]
            for _, _, weight in self._weights():
                self.state[weight] = {
                    "exp_avg": torch.zeros_like(weight),
                    "exp_avg_sq": torch.zeros_like(weight),
                    "last": torch.zeros(len(weight), dtype=torch.int64, device=weight.device),
                }

        def _weights(self) -> list[tuple[dict[str, Any], _Ledger, torch.Tensor]]:
            pairs = zip(self.param_groups, self._ledgers, strict=True)
            return [(group, ledger, weight) for group, ledger in pairs for weight in group["params"]]

        @torch.no_grad()
        def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
            """Move the rows that have a gradient, which must be caught up; the others owe this step from now on."""
            assert closure is None
            for group, ledger in zip(self.param_groups, self._ledgers, strict=True):
                ledger.add(group["lr"], group["weight_decay"])
            for group, ledger, weight in self._weights():
                if weight.grad is not None:
                    _move(weight, group, self.state[weight], ledger.steps)
            return None

        @torch.no_grad()
        def catch_up(self, weight: torch.Tensor, rows: torch.Tensor) -> None:
            """Do for ``rows`` (int64, each once) all the steps they have missed."""
            for group, ledger, other in self._weights():
                if other is weight:
                    _catch_up(weight, rows, group, self.state[weight], ledger)

        def settle(self) -> None:
            """Catch up every row."""
            for _, _, weight in self._weights():
                self.catch_up(weight, torch.arange(len(weight), device=weight.device))

        def state_dict(self) -> dict[str, Any]:
            """As torch has it, and what is owed."""
            return {**super().state_dict(), "ledgers": [ledger.state_dict() for ledger in self._ledgers]}

        def load_state_dict(self, state_dict: dict[str, Any]) -> None:
            """Go on from a state."""
            super().load_state_dict({key: value for key, value in state_dict.items() if key != "ledgers"})
            for _, _, weight in self._weights():
                # torch casts what it loads to the weight's type.
                self.state[weight]["last"] = self.state[weight]["last"].to(torch.int64)
            for ledger, stored in zip(self._ledgers, state_dict["ledgers"], strict=True):
                ledger.load_state_dict(stored)

    return RowAdam
