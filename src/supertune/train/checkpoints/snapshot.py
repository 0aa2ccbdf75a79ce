"""A training state copied to host memory, laid out as the checkpoint's files will be."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from supertune.train.checkpoints.state import TrainingState

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Snapshot:
    """The content of a checkpoint's files, independent of the model.

    Attributes:
        header: Beginning of the safetensors file.
        body: The rest of it.
        values: Content of the JSON file.
    """

    header: bytes
    body: memoryview
    values: bytes


class HostMemory:
    """A block that every snapshot is copied into, so that saving allocates once.

    A snapshot is valid until the next one is taken.
    """

    def __init__(self) -> None:
        self._block: torch.Tensor | None = None

    def snapshot(self, state: TrainingState) -> Snapshot:
        """Copy ``state``; what becomes of its tensors afterwards does not matter.

        The largest types come first, as in the library's own files, so that every tensor is aligned.

        Raises:
            TypeError: A tensor is sparse, or of a type that safetensors has no name for; a value is not JSON.
            ValueError: A value is NaN or infinite, or a tensor has the one name that the format keeps for itself.
        """
        values = json.dumps(dict(state.values), allow_nan=False).encode()
        tensors = sorted(state.tensors.items(), key=lambda item: (-item[1].dtype.itemsize, item[0]))
        sizes = [tensor.numel() * tensor.dtype.itemsize for _, tensor in tensors]
        header = _header(tensors, sizes)
        block = self._room(sum(sizes), pinned=any(tensor.is_cuda for _, tensor in tensors))
        start = 0
        for (_, tensor), size in zip(tensors, sizes, strict=True):
            if size:
                place = block[start : start + size].view(tensor.dtype).view(tensor.shape)
                place.copy_(tensor.detach())
            start += size
        return Snapshot(header, block.numpy().data[:start], values)

    def _room(self, size: int, *, pinned: bool) -> torch.Tensor:
        """The block; pinned memory is several times faster to copy to from a graphics card."""
        import torch

        if self._block is None or self._block.numel() < size or (pinned and not self._block.is_pinned()):
            # The old one goes first, so that the two never exist together.
            self._block = None
            self._block = torch.empty(size, dtype=torch.uint8, pin_memory=pinned)
        return self._block


def _header(tensors: list[tuple[str, torch.Tensor]], sizes: list[int]) -> bytes:
    """The head of a safetensors file: length (8 bytes, little endian), then JSON, padded to a multiple of 8.

    Format: https://huggingface.co/docs/safetensors/index#format.
    """
    import torch
    from safetensors import SafetensorError, TensorSpec

    entries: dict[str, object] = {}
    start = 0
    for (name, tensor), size in zip(tensors, sizes, strict=True):
        if name == "__metadata__":
            raise ValueError("a tensor cannot be called __metadata__")
        if tensor.layout != torch.strided:
            raise TypeError(f"{name}: a sparse tensor cannot be in a checkpoint")
        kind = str(tensor.dtype).removeprefix("torch.")
        try:
            spec = TensorSpec(dtype=kind, shape=tensor.shape, data_ptr=0, data_len=size)
        except SafetensorError as error:
            raise TypeError(f"{name}: {kind} cannot be in a checkpoint") from error
        entries[name] = {"dtype": spec.dtype, "shape": spec.shape, "data_offsets": [start, start + size]}
        start += size
    text = json.dumps(entries, ensure_ascii=False).encode()
    text = text.ljust(math.ceil(len(text) / 8) * 8)
    return len(text).to_bytes(8, "little") + text
