"""How deep in a model each parameter lies, for rates that fall from the head to the embeddings."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, cast

from supertune.errors import UserError

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel


def layer_stacks(model: PreTrainedModel) -> list[list[tuple[str, torch.nn.Module]]]:
    """The stacks of layers of the model's body: each layer with its name, from the bottom.

    A stack is the longest list of modules of one class that is not inside another one (a layer may hold a list of
    experts). An encoder-decoder has two. A body that keeps the parts of its layers in several lists of the same
    length, as XLM does, has a stack for each.

    Raises:
        UserError: There is no such list.
    """
    opened = cast(Any, model)
    parts = [opened.base_model]
    if model.config.is_encoder_decoder:
        parts = [opened.get_encoder(), opened.get_decoder()]
    names = {id(module): name for name, module in model.named_modules()}
    stacks = []
    for part in parts:
        lists = list(_outermost_lists(part))
        longest = max(map(len, lists), default=0)
        stacks += [[(names[id(layer)], layer) for layer in found] for found in lists if len(found) == longest]
    if not stacks:
        raise UserError(
            f"the layers of a model of type {model.config.model_type!r} cannot be told apart",
            where="strategy",
            fix="--strategy full without layer_decay and reinitialise, --strategy layernorm, or choose another model",
        )
    return stacks


def _outermost_lists(module: torch.nn.Module) -> Iterator[torch.nn.ModuleList]:
    """Lists of modules that are all of one class and have parameters, none of them inside another such list."""
    import torch

    for child in module.children():
        if isinstance(child, torch.nn.ModuleList) and _is_stack(child):
            yield child
        else:
            yield from _outermost_lists(child)


def _is_stack(modules: torch.nn.ModuleList) -> bool:
    return len({type(module) for module in modules}) == 1 and any(True for _ in modules.parameters())


def depth_of(model: PreTrainedModel) -> dict[str, int]:
    """Parameter name → depth: 0 for embeddings, 1 to L for the layers from the bottom, L + 1 for all above.

    L is the length of the longest stack. The shorter stack of an encoder-decoder is counted from the top, so that
    the last layers of both are at L. What is in no layer belongs to the embeddings when it is one, or its name says
    so, or it comes before the layers; otherwise (final normalisation, pooler) it is above them, as the head is.

    Raises:
        UserError: The model has no layers that can be told apart.
    """
    import torch

    stacks = layer_stacks(model)
    top = max(map(len, stacks))
    layers = {
        f"{name}.": top - len(stack) + position for stack in stacks for position, (name, _) in enumerate(stack, start=1)
    }
    lookups = {name for name, module in model.named_modules() if isinstance(module, torch.nn.Embedding)}
    body = {id(parameter) for parameter in model.base_model.parameters()}
    depths: dict[str, int] = {}
    reached = False
    for name, parameter in model.named_parameters():
        depth = next((depth for prefix, depth in layers.items() if name.startswith(prefix)), None)
        if depth is None:
            below = not reached or "embed" in name or name.rpartition(".")[0] in lookups
            depth = 0 if below and id(parameter) in body else top + 1
        else:
            reached = True
        depths[name] = depth
    return depths
