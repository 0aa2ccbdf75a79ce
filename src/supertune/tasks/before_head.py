"""What a model that writes makes its next token from: hidden states in front of its output head."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from supertune.contracts import model_inputs

if TYPE_CHECKING:
    import torch


class _ReachedError(Exception):
    """The output head was reached; holds what it was given."""

    def __init__(self, hidden: torch.Tensor) -> None:
        super().__init__()
        self.hidden = hidden


def before_head(model: Any, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
    """Float (items, tokens, width): what the output head is given for each token of the batch.

    The model is called as it is, with whatever a strategy has put into it or around it, and left when it reaches its
    head: the logits of all tokens, which may take gigabytes, are never made.

    Args:
        model: A decoder, or an encoder–decoder; adapters, prompts and prefixes may be around it.
        batch: ``input_ids`` and ``attention_mask``, padded on the right; with ``decoder_input_ids`` states are theirs.
    """

    def leave(_: torch.nn.Module, given: tuple[Any, ...]) -> None:
        raise _ReachedError(given[0])

    tokens = batch.get("decoder_input_ids", batch["input_ids"]).shape[1]
    hook = model_of_texts(model).get_output_embeddings().register_forward_pre_hook(leave)
    try:
        model(**model_inputs(batch), use_cache=False)
    except _ReachedError as reached:
        # Tokens that a strategy puts before the text have states as well.
        return reached.hidden[:, -tokens:]
    finally:
        hook.remove()
    raise AssertionError("the model answered without its output head")


def model_of_texts(model: Any) -> Any:
    """The model below what peft has put around it, with the adapters that are in it."""
    return model.get_base_model() if hasattr(model, "get_base_model") else model
