"""Let the top layers begin anew: they know most of what the pre-training was about, and little that helps here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from supertune.errors import UserError
from supertune.strategies.layers import layer_stacks

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel


def reinitialise_top(model: PreTrainedModel, count: int) -> None:
    """Draw the top ``count`` layers and the pooler anew, as the model's own code initialises them.

    Draws from torch's global generator: seed it first. An encoder-decoder's two stacks both lose their top layers.
    A final normalisation keeps its weights, since what it normalises still comes from below.

    Args:
        model: Changed in place.
        count: Layers; 0 leaves everything, the pooler too, as it is.

    Raises:
        UserError: The model has fewer layers, or none that can be told apart.

    Source: Zhang et al. 2021, "Revisiting few-sample BERT fine-tuning", section 5.
    """
    if not count:
        return
    stacks = layer_stacks(model)
    layers = min(map(len, stacks))
    if count > layers:
        raise UserError(
            f"{count} layers are to begin anew, but the model has only {layers}",
            where="strategy.reinitialise",
            fix=f"--set strategy.reinitialise={layers // 4 or 1}, or choose a larger model",
        )
    for stack in stacks:
        for name, layer in stack[-count:]:
            _draw(model, name, layer)
    poolers = {id(module) for name, module in model.base_model.named_children() if "pooler" in name}
    for name, module in model.named_modules():
        if id(module) in poolers:
            _draw(model, name, module)


def _draw(model: PreTrainedModel, name: str, module: torch.nn.Module) -> None:
    """Initialise the module as the innermost model of transformers around it would; parts may have configurations."""
    from transformers import PreTrainedModel

    owner: torch.nn.Module = model
    around = model
    for part in name.split("."):
        owner = getattr(owner, part)
        if isinstance(owner, PreTrainedModel):
            around = owner
    for parameter in module.parameters():
        # Loading marks what it has filled, and initialising passes over what is marked.
        vars(parameter).pop("_is_hf_initialized", None)
    module.apply(around._init_weights)
