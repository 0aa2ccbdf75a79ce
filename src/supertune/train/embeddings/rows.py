"""Embeddings whose gradients are rows: read through a hook that catches up what `row_adam` put off."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch


class RowEmbedding:
    """Lets an embedding give sparse gradients, and its output in the model's number type.

    Args:
        embedding: The module; its weight stays in 32 bits. Call `release` when training is over.
        dtype: Number type of what it gives out.
    """

    def __init__(self, embedding: torch.nn.Embedding, dtype: torch.dtype) -> None:
        self.embedding = embedding
        self._catch_up: Callable[[torch.Tensor, torch.Tensor], None] | None = None
        embedding.sparse = True

        def before(module: torch.nn.Module, inputs: tuple[Any, ...]) -> None:
            if self._catch_up is not None:
                self._catch_up(embedding.weight, inputs[0].unique())

        def after(module: torch.nn.Module, inputs: tuple[Any, ...], output: torch.Tensor) -> torch.Tensor:
            return output.to(dtype)

        # First of all hooks after it, so that others see the number type that the model computes in.
        self._hooks = [embedding.register_forward_pre_hook(before)]
        self._hooks.append(embedding.register_forward_hook(after, prepend=True))

    def serve(self, catch_up: Callable[[torch.Tensor, torch.Tensor], None]) -> None:
        """Have rows caught up by ``catch_up(weight, rows)`` before they are read."""
        self._catch_up = catch_up

    def release(self) -> None:
        """Make it a plain embedding again."""
        self.embedding.sparse = False
        for hook in self._hooks:
            hook.remove()
