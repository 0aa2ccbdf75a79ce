"""The weights that learn, in a file and back."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from supertune.files import atomic_file

if TYPE_CHECKING:
    import torch


def save_weights(model: torch.nn.Module, path: Path) -> None:
    """Write every parameter that learns to ``path`` as safetensors, atomically.

    Raises:
        UserError: The disk is full, or the place is not writable.
    """
    from safetensors.torch import save

    learned = {
        name: parameter.detach().cpu().contiguous()
        for name, parameter in model.named_parameters()
        if parameter.requires_grad
    }
    with atomic_file(path, binary=True) as stream:
        stream.write(save(learned))


def load_weights(model: torch.nn.Module, path: Path) -> None:
    """Put the parameters that `save_weights` wrote back into ``model``."""
    import torch
    from safetensors.torch import load_file

    stored = load_file(path)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.requires_grad:
                parameter.copy_(stored[name])
