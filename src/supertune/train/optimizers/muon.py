"""Muon: steps of hidden matrices are orthogonalised; everything else is left to AdamW."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

from supertune.errors import UserError

if TYPE_CHECKING:
    import torch


def hidden_matrices(model: torch.nn.Module) -> frozenset[str]:
    """Names of the weights that Muon is made for: those of linear layers in the body.

    Not embeddings, whose rows are not mixed with each other; not vectors; not the head, which is whatever lies outside
    a transformers model's ``base_model_prefix`` (Jordan et al. 2024 leave both to AdamW).
    """
    import torch
    from transformers.pytorch_utils import Conv1D

    prefix = getattr(model, "base_model_prefix", "")
    names = [
        f"{name}.weight" if name else "weight"
        for name, module in model.named_modules()
        if isinstance(module, (torch.nn.Linear, Conv1D)) and module.weight.ndim == 2
    ]
    # A body without a head has no prefix in its names.
    within = any(prefix in name.split(".") for name, _ in model.named_parameters())
    body = {name for name in names if not within or prefix in name.split(".")}
    # A weight that is tied to an embedding goes by the embedding's name, which comes first.
    return frozenset(name for name, _ in model.named_parameters() if name in body)


def muon_and_adamw(
    groups: list[dict[str, Any]],
    adamw: Callable[[list[dict[str, Any]]], torch.optim.Optimizer],
    hidden: frozenset[str],
    momentum: float = 0.95,
    nesterov: bool = True,
) -> torch.optim.Optimizer:
    """One optimizer: Muon over the named hidden matrices, AdamW over the other parameters.

    Muon (Jordan et al. 2024, https://kellerjordan.github.io/posts/muon/; torch's own) orthogonalises the momentum of a
    matrix by five Newton–Schulz iterations in bfloat16, which costs more than the rest of a step where batches are
    small. Its steps are scaled by 0.2 · √(longer side), to the root mean square that AdamW's have in a long training,
    so that one rate and one decoupled weight decay serve both (Liu et al. 2025, "Muon is scalable for LLM training",
    section 2.2).

    Args:
        groups: With (name, tensor) pairs as ``params``. A group with both kinds is split: Muon's part comes first.
        adamw: Makes the optimizer of the rest.
        hidden: Names of the matrices for Muon.
        momentum: Share of the old average in the new one.
        nesterov: Orthogonalise the mix of gradient and average instead of the average.

    Raises:
        UserError: No hidden matrix learns.
        ValueError: Parameters have no names.
    """
    import torch

    if not all(isinstance(pair, tuple) for group in groups for pair in group["params"]):
        raise ValueError("muon tells hidden matrices by name: give parameters as (name, tensor) pairs")
    of_muon = _part(groups, lambda name: name in hidden)
    if not of_muon:
        raise UserError(
            "muon moves hidden matrices, and none of them learns here",
            where="train.optimizer = muon",
            fix="use train.optimizer=adamw, or a strategy that lets whole layers learn",
        )
    muon = torch.optim.Muon(of_muon, momentum=momentum, nesterov=nesterov, adjust_lr_fn="match_rms_adamw")
    rest = _part(groups, lambda name: name not in hidden)
    return _both_class()(muon, adamw(rest) if rest else None)


def _part(groups: list[dict[str, Any]], wanted: Callable[[str], bool]) -> list[dict[str, Any]]:
    parts = [{**group, "params": [pair for pair in group["params"] if wanted(pair[0])]} for group in groups]
    return [part for part in parts if part["params"]]


@cache
def _both_class() -> Callable[[torch.optim.Optimizer, torch.optim.Optimizer | None], torch.optim.Optimizer]:
    # A class in a function, so that this module can be imported without torch.
    import torch

    class MuonAndAdamW(torch.optim.Optimizer):
        """Groups and state are here, so that torch saves, loads and clears them; the two only step over them."""

        def __init__(self, muon: torch.optim.Optimizer, adamw: torch.optim.Optimizer | None) -> None:
            self._parts = [part for part in (muon, adamw) if part is not None]
            super().__init__([group for part in self._parts for group in part.param_groups], {})
            for part in self._parts:
                self.state.update(part.state)

        def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
            """Move the weights that have a gradient."""
            if closure is not None:
                raise NotImplementedError("Muon with AdamW takes no closure")
            groups = iter(self.param_groups)
            for part in self._parts:
                # Loading a state puts new groups and a new state in place of those that the parts were made with.
                part.param_groups = [next(groups) for _ in part.param_groups]
                part.state = self.state
                part.step()
            return None

    return MuonAndAdamW
