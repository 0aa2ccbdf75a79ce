"""Activation checkpointing: layers are computed again on the way back, and keep nothing but what they are given.

Source: Chen et al. 2016, "Training deep nets with sublinear memory cost", section 4.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any

from supertune.train.regularisation.fast_dropout import BITS

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def can_checkpoint(model: Any) -> bool:
    """Whether the layers of a model of transformers can be computed again."""
    return any(hasattr(module, "gradient_checkpointing") for module in model.modules())


def checkpoint_activations(model: PreTrainedModel) -> None:
    """Let every layer be computed again on the way back while the model trains; gradients are the same.

    Dropout drops the same the second time.

    Args:
        model: Of transformers, or with what peft has put around it.

    Raises:
        ValueError: Its layers cannot.
    """
    from torch.utils.checkpoint import checkpoint

    if not can_checkpoint(model):
        raise ValueError(f"a {type(model).__name__} cannot compute its layers a second time")
    again = functools.partial(checkpoint, use_reentrant=False, context_fn=_contexts)
    # As transformers sets it, without what it does for older ways (hooks that make embeddings require gradients).
    for module in model.modules():
        if hasattr(module, "gradient_checkpointing"):
            switched: Any = module
            switched.gradient_checkpointing, switched._gradient_checkpointing_func = True, again


def _contexts() -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
    """For the first time, and for the second: what torch does for its own generators, for `BITS`."""
    state: dict[str, Any] = {}

    @contextmanager
    def first() -> Iterator[None]:
        state.update(BITS.state_dict())
        yield

    @contextmanager
    def second() -> Iterator[None]:
        present = BITS.state_dict()
        BITS.load_state_dict(state)
        try:
            yield
        finally:
            BITS.load_state_dict(present)

    return first(), second()
