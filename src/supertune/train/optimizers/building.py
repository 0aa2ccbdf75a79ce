"""Optimizers by name, over groups of parameters that each have a rate and a weight decay of their own.

A group is ``{"params": …, "lr": float, "weight_decay": float}``; ``params`` are tensors or (name, tensor) pairs, which
torch takes as well. Weight decay is decoupled everywhere: before a step, weights shrink by the factor 1 − rate × decay
(Loshchilov and Hutter 2019) whatever the gradient is, and what has no gradient stays. Only ``adam`` has none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from supertune.errors import UserError

if TYPE_CHECKING:
    import torch

Groups = Sequence[Mapping[str, Any]]

_LONG_AGO = 2.0**24
"""A count of steps at which β^t is 0 for any β up to 0.999999, and which 32-bit floats count no further."""


@dataclass(frozen=True)
class OptimizerSettings:
    """What the optimizers can be told; each takes what it knows. None is the optimizer's own default.

    Attributes:
        momentum: Share of the last step that is kept: sgd (0.9), rmsprop (0: none) and muon (0.95).
        nesterov: Look ahead along the momentum: sgd (off) and muon (on).
        betas: How slowly two averages move: adamw and adam (0.9, 0.999), lion (0.9, 0.99), and what muon leaves to
            AdamW.
        epsilon: Added to the divisor: adamw, adam, rmsprop.
        bias_correction: Correct the averages for having begun at zero: adamw, adam. Without, step t is longer by
            (1 − β1^t) / √(1 − β2^t), 3.2 to 6.6 in the first twelve, and small data fails more often (Mosbach et al.
            2021).
        hidden: muon: names of the matrices that it may move; see `hidden_matrices`.
    """

    momentum: float | None = None
    nesterov: bool | None = None
    betas: tuple[float, float] | None = None
    epsilon: float = 1e-8
    bias_correction: bool = True
    hidden: frozenset[str] = frozenset()


def build_optimizer(name: str, groups: Groups, settings: OptimizerSettings) -> torch.optim.Optimizer:
    """The optimizer of that name; groups without parameters are left out, and the given ones are not changed.

    Raises:
        UserError: The settings do not fit the optimizer, or nothing that learns is for it.
    """
    return OPTIMIZERS[name]([dict(group) for group in groups if len(group["params"])], settings)


def adamw_over(groups: list[dict[str, Any]], settings: OptimizerSettings) -> torch.optim.Optimizer:
    """AdamW (Loshchilov and Hutter 2019, algorithm 2), fused."""
    import torch

    betas = settings.betas or (0.9, 0.999)
    optimizer = torch.optim.AdamW(groups, betas=betas, eps=settings.epsilon, fused=True)
    return optimizer if settings.bias_correction else _uncorrected(optimizer)


def _adam(groups: list[dict[str, Any]], settings: OptimizerSettings) -> torch.optim.Optimizer:
    """Adam (Kingma and Ba 2015, algorithm 1), fused; without weight decay.

    Other implementations add weight decay to the gradient, which Adam scales up with it: clipped to norm 1 over 20
    million weights, gradients are about 0.0002 each, less than 0.01 times a weight of 0.05. Whoever wants that sets an
    L2 term in the loss.
    """
    import torch

    betas = settings.betas or (0.9, 0.999)
    bare = [{**group, "weight_decay": 0.0} for group in groups]
    optimizer = torch.optim.Adam(bare, betas=betas, eps=settings.epsilon, fused=True)
    return optimizer if settings.bias_correction else _uncorrected(optimizer)


def _uncorrected(optimizer: torch.optim.Optimizer) -> torch.optim.Optimizer:
    """Adam without bias correction, as in the first release of BERT: its count of steps begins where β^t is 0."""
    import torch

    for group in optimizer.param_groups:
        for tensor in group["params"]:
            optimizer.state[tensor] = {
                "step": torch.full((), _LONG_AGO, dtype=torch.float32, device=tensor.device),
                "exp_avg": torch.zeros_like(tensor, memory_format=torch.preserve_format),
                "exp_avg_sq": torch.zeros_like(tensor, memory_format=torch.preserve_format),
            }
    return optimizer


def _sgd(groups: list[dict[str, Any]], settings: OptimizerSettings) -> torch.optim.Optimizer:
    """Stochastic gradient descent with momentum, fused (Sutskever et al. 2013, in torch's form)."""
    import torch

    momentum = 0.9 if settings.momentum is None else settings.momentum
    if settings.nesterov and not momentum:
        raise UserError(
            "there is no momentum to look ahead along",
            where="train.nesterov = true, train.momentum = 0",
            fix="set train.momentum, e.g. to 0.9, or train.nesterov=false",
        )
    optimizer = torch.optim.SGD(
        _kept_apart(groups), lr=0.0, momentum=momentum, nesterov=bool(settings.nesterov), fused=True
    )
    if momentum:
        # The fused form fails where a parameter gets its first gradient later than others; from zero is the same.
        for group in optimizer.param_groups:
            for tensor in group["params"]:
                optimizer.state[tensor]["momentum_buffer"] = torch.zeros_like(tensor)
    optimizer.register_step_pre_hook(_decay)
    return optimizer


def _rmsprop(groups: list[dict[str, Any]], settings: OptimizerSettings) -> torch.optim.Optimizer:
    """RMSprop (Tieleman and Hinton 2012, lecture 6e), the squares averaged with 0.99 as in torch.

    With momentum, steps in a lasting direction are 1 / (1 − momentum) times as long: lower the rate by as much.
    """
    import torch

    optimizer = torch.optim.RMSprop(
        _kept_apart(groups), lr=0.0, alpha=0.99, eps=settings.epsilon, momentum=settings.momentum or 0.0
    )
    optimizer.register_step_pre_hook(_decay)
    return optimizer


def _kept_apart(groups: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Groups whose decay is under a name of ours: torch's own would add it to the gradient."""
    return [{**group, "weight_decay": 0.0, "decay": group["weight_decay"]} for group in groups]


def _decay(optimizer: torch.optim.Optimizer, _args: object, _kwargs: object) -> None:
    import torch

    with torch.no_grad():
        for group in optimizer.param_groups:
            moving = [tensor for tensor in group["params"] if tensor.grad is not None]
            if moving and group["decay"]:
                torch._foreach_mul_(moving, 1 - group["lr"] * group["decay"])


def _adafactor(groups: list[dict[str, Any]], settings: OptimizerSettings) -> torch.optim.Optimizer:
    """Adafactor (Shazeer and Stern 2018, algorithms 4 and 5) without momentum: a row and a column of squares a matrix.

    Its rate is relative: a step has at most ``lr`` times the root mean square of the weights it moves.
    """
    import torch

    return torch.optim.Adafactor(groups)


def _lion(groups: list[dict[str, Any]], settings: OptimizerSettings) -> torch.optim.Optimizer:
    """Lion (Chen et al. 2023, algorithm 2)."""
    from supertune.train.optimizers.lion import lion

    return lion(groups, settings.betas or (0.9, 0.99))


def _muon(groups: list[dict[str, Any]], settings: OptimizerSettings) -> torch.optim.Optimizer:
    """Muon (Jordan et al. 2024) for hidden matrices and AdamW for the rest, at one rate (Liu et al. 2025)."""
    from supertune.train.optimizers.muon import muon_and_adamw

    momentum = 0.95 if settings.momentum is None else settings.momentum
    nesterov = settings.nesterov is None or settings.nesterov
    return muon_and_adamw(groups, lambda rest: adamw_over(rest, settings), settings.hidden, momentum, nesterov)


OPTIMIZERS: Mapping[str, Callable[[list[dict[str, Any]], OptimizerSettings], torch.optim.Optimizer]] = {
    "adamw": adamw_over,
    "adam": _adam,
    "sgd": _sgd,
    "rmsprop": _rmsprop,
    "adafactor": _adafactor,
    "lion": _lion,
    "muon": _muon,
}
"""Name of the optimizer → (groups with parameters, settings) → optimizer."""

RATE_FACTORS: Mapping[str, float] = {
    "adamw": 1.0,
    "adam": 1.0,
    "sgd": 200.0,
    "rmsprop": 0.2,
    "adafactor": 20.0,
    "lion": 0.5,
    "muon": 5.0,
}
"""What a rate that suits AdamW is multiplied by for a start with another optimizer at its defaults.

Measured on minilm, one seed: the training loss after 36 steps of 16 rows was about that of AdamW at 1e-4. Longer
trainings bear less. For lion the paper has 0.1 to 0.3 (Chen et al. 2023, section 5). muon's steps are a fifth of the
rate, as AdamW's become in a long training (Liu et al. 2025, section 2.2), while AdamW's first are the whole rate.
"""
