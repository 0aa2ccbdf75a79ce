"""The weights that learn, in a file and back."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from supertune.files import atomic_file

if TYPE_CHECKING:
    import torch


def save_weights(weights: Mapping[str, torch.Tensor], path: Path) -> None:
    """Write named tensors to ``path`` as safetensors, atomically.

    Raises:
        UserError: The disk is full, or the place is not writable.
    """
    from safetensors.torch import save

    with atomic_file(path, binary=True) as stream:
        stream.write(save({name: tensor.detach().cpu().contiguous() for name, tensor in weights.items()}))


def load_weights(path: Path) -> dict[str, torch.Tensor]:
    """What `save_weights` wrote."""
    from safetensors.torch import load_file

    weights: dict[str, torch.Tensor] = load_file(path)
    return weights
