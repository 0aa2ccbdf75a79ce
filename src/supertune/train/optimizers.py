"""Optimizers over the parameter groups that a strategy names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from supertune.contracts import ParameterGroup

if TYPE_CHECKING:
    import torch


def adamw(model: torch.nn.Module, groups: Sequence[ParameterGroup]) -> torch.optim.Optimizer:
    """AdamW with bias correction (Loshchilov and Hutter 2019, algorithm 2), fused.

    Betas 0.9 and 0.999, epsilon 1e-8. The uncorrected form fails on small data (Mosbach et al. 2021).
    """
    import torch

    named = dict(model.named_parameters())
    return torch.optim.AdamW(
        [
            {
                "params": [named[name] for name in group.names],
                "lr": group.learning_rate,
                "weight_decay": group.weight_decay,
            }
            for group in groups
            if group.names
        ],
        fused=True,
    )
