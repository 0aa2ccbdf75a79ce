"""The parts of a model that strategies tell apart: its head, and the linear layers inside its stacks."""

from __future__ import annotations

from itertools import takewhile
from typing import TYPE_CHECKING, Any, cast

from supertune.contracts import FrozenPrefix
from supertune.errors import UserError
from supertune.strategies.layers import layer_stacks

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel


WRITING = ("AutoModelForCausalLM", "AutoModelForSeq2SeqLM")
"""Classes of transformers that open a model that writes."""


def writes(model: PreTrainedModel) -> bool:
    """Whether a model names the next token of a text: a decoder's body, or an encoder-decoder's, under its output."""
    return type(model).__name__.endswith(("ForCausalLM", "LMHeadModel", "ForConditionalGeneration"))


def head_modules(model: PreTrainedModel) -> list[str]:
    """Names of the modules with weights between the body's hidden states and the answer: its pooler, and all beside it.

    The pooler belongs to the head: it is new where the model was pre-trained without one, and one that was
    pre-trained saw another task.
    """
    body = cast(Any, model).base_model
    names: list[str] = []
    if body is model or writes(model):
        # Its own states are the answer, and a pooler stands beside them; what names the next token was pre-trained
        # with the body, whose embeddings it often is.
        return names
    for name, child in model.named_children():
        if child is body:
            names += [f"{name}.{part}" for part, module in body.named_children() if "pooler" in part and _has(module)]
        elif _has(child):
            names.append(name)
    return names


def head_parameters(model: PreTrainedModel) -> set[str]:
    """Names of the parameters of `head_modules`."""
    prefixes = tuple(f"{name}." for name in head_modules(model))
    return {name for name, _ in model.named_parameters() if name.startswith(prefixes)}


def linear_layers(model: PreTrainedModel) -> list[list[str]]:
    """Names of the linear layers in each layer of the model, from the bottom; an encoder-decoder's encoder first.

    Raises:
        UserError: The layers cannot be told apart.
    """
    return [
        [f"{prefix}.{name}" for name, module in layer.named_modules() if is_linear(module)]
        for stack in layer_stacks(model)
        for prefix, layer in stack
    ]


def frozen_prefix(model: PreTrainedModel) -> FrozenPrefix:
    """The lowest layers of which nothing learns; none where anything learns that they may read.

    Whatever is in the body beside layers and pooler may be read in every layer, as DeBERTa's positions are. Models
    with two stacks have none: what the encoder gives out is read in every layer of the decoder.
    """
    try:
        stacks = layer_stacks(model)
    except UserError:
        return FrozenPrefix()
    body = {id(module) for module in cast(Any, model).base_model.modules()}
    apart = {name for name, _ in stacks[0]} | set(head_modules(model))
    beside: list[str] = []
    for name, module in model.named_modules():
        inside = any(name.startswith(f"{other}.") for other in (*beside, *apart))
        around = any(other.startswith(f"{name}.") for other in apart) or not name
        if id(module) in body and not inside and not around and name not in apart:
            beside.append(name)
    layers = [name for name, _ in takewhile(lambda pair: not _learns(pair[1]), stacks[0])]
    if len(stacks) > 1 or not layers or any(_learns(model.get_submodule(name)) for name in beside):
        return FrozenPrefix()
    return FrozenPrefix(tuple(beside), tuple(layers))


def _learns(module: torch.nn.Module) -> bool:
    return any(parameter.requires_grad for parameter in module.parameters())


def base_lines(auto_class: str) -> str:
    """Python lines that make ``folder``, ``tokenizer``, ``labels`` if any, and ``model`` of an adapter's ``base``."""
    if auto_class in WRITING:
        return f"""\
folder = "."  # this folder
tokenizer = AutoTokenizer.from_pretrained(folder)
model = {auto_class}.from_pretrained(base)
"""
    return f"""\
folder = "."  # this folder
with open(f"{{folder}}/labels.json", encoding="utf-8") as file:
    labels = dict(enumerate(json.load(file)["labels"]))
tokenizer = AutoTokenizer.from_pretrained(folder)
model = {auto_class}.from_pretrained(base, num_labels=len(labels), id2label=labels)
model.config.pad_token_id = tokenizer.pad_token_id
"""


def is_linear(module: torch.nn.Module) -> bool:
    """Whether a module multiplies by a matrix: torch's, or GPT-2's transposed one."""
    import torch
    from transformers.pytorch_utils import Conv1D

    return isinstance(module, (torch.nn.Linear, Conv1D))


def transposed(model: PreTrainedModel, layers: list[list[str]]) -> bool:
    """Whether the linear layers hold their matrices the other way round, as GPT-2 does."""
    return any(hasattr(model.get_submodule(name), "nf") for names in layers for name in names)


def output_width(module: Any) -> int:
    """Width of what a linear layer gives out."""
    return int(module.nf if hasattr(module, "nf") else module.out_features)


def _has(module: torch.nn.Module) -> bool:
    return any(True for _ in module.parameters())
