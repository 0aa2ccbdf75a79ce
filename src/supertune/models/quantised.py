"""A frozen base in 4 or 8 bits: its matrices are held in few bits, and adapters in full precision learn on top.

4 bits are NF4 with doubly quantised scales (Dettmers et al. 2023, "QLoRA", section 3): each matrix is made again from
its bits whenever it is used, so that only rounding its weights costs anything. 8 bits are LLM.int8() (Dettmers et al.
2022): what is multiplied is rounded as well, but for features above 6, so outputs depend a little on what shares a
batch with a text. The output layer, embeddings, norms, biases and heads stay as they are.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal, cast

from supertune.errors import MissingExtraError, UserError

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

Quantization = Literal["none", "8bit", "4bit"]

_OUTLIER = 6.0
"""LLM.int8()'s threshold, section 3.2: columns with a larger feature are multiplied in 16 bits."""
_BLOCK = 64
"""Weights that share a scale, QLoRA section 3."""


def check_quantization(kind: Quantization, device: str) -> None:
    """Check that a base can be held in few bits here.

    Raises:
        MissingExtraError: bitsandbytes is not installed.
        UserError: The device is neither a processor nor an NVIDIA GPU.
    """
    if kind == "none":
        return
    try:
        import bitsandbytes  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("bitsandbytes", "quantized", purpose=f"model.quantization: {kind}") from error
    if device.partition(":")[0] not in ("cpu", "cuda"):
        raise UserError(
            f"{kind} matrices are multiplied on cpu and cuda, not on {device!r}",
            where="model.quantization",
            fix="--set train.device=cpu, or --set model.quantization=none",
        )


def quantise(model: PreTrainedModel, kind: Quantization) -> PreTrainedModel:
    """Hold the matrices of the model's body in few bits, from now on and for good; the model itself, changed.

    They are rounded on the processor, so that they are the same numbers wherever it computes then, and a GPU need never
    hold them in full. Move the model with `move`: its own ``to`` is not meant for such matrices.

    Args:
        model: In 32 bits, on the processor, without adapters.
        kind: ``none`` changes nothing.

    Raises:
        MissingExtraError: bitsandbytes is not installed.
        UserError: The body has no matrices of the usual form.
    """
    if kind == "none":
        return model
    check_quantization(kind, "cpu")
    # At every product it would say that it rounds, which is what it is for.
    logging.getLogger("bitsandbytes.autograd._functions").setLevel(logging.ERROR)
    names = list(_matrices(model))
    if not names:
        raise UserError(
            f"a model of type {model.config.model_type!r} has no matrices that can be held in few bits",
            where="model.quantization",
            fix="--set model.quantization=none, or choose another model",
        )
    for name in names:
        model.set_submodule(name, _rounded(model.get_submodule(name), kind).to("cpu"))
    # By these, peft knows what its adapters stand on.
    changed: Any = model
    changed.is_loaded_in_4bit, changed.is_loaded_in_8bit = kind == "4bit", kind == "8bit"
    return model


def move(model: torch.nn.Module, device: torch.device) -> None:
    """Take a model to another device, matrices in few bits with their scales."""
    import torch

    for module in model.modules():
        found: Any = module
        if _bits(module) == 4:
            found.weight = found.weight.to(device)
        elif _bits(module) == 8 and found.weight.device.type != device.type:
            # Once it has computed, it holds its scales apart, where nobody moves them.
            scales = _scales(found)
            found.weight = type(found.weight)(_codes(found).to(device), requires_grad=False, has_fp16_weights=False)
            found.weight.CB, found.weight.SCB = found.weight.data, scales.to(device)
            found.state.CB = found.state.SCB = None
    torch.nn.Module.to(model, device)


def compute_in(model: torch.nn.Module, kind: torch.dtype) -> None:
    """Let 4-bit matrices be multiplied in this number type; those of 8 bits compute in their own."""
    for module in model.modules():
        if _bits(module) == 4:
            cast(Any, module).compute_dtype = kind


def dequantised(model: PreTrainedModel) -> PreTrainedModel:
    """The model with plain matrices of 32 bits in the place of those of few bits: the numbers that they stand for."""
    import torch

    for name, module in list(model.named_modules()):
        if not _bits(module):
            continue
        found: Any = module
        plain = torch.nn.Linear(found.in_features, found.out_features, bias=found.bias is not None, device="meta")
        plain.weight = torch.nn.Parameter(_values(found), requires_grad=False)
        if found.bias is not None:
            plain.bias = torch.nn.Parameter(found.bias.data.float(), requires_grad=False)
        model.set_submodule(name, plain)
    changed: Any = model
    changed.is_loaded_in_4bit = changed.is_loaded_in_8bit = False
    return model


def held_bytes(model: torch.nn.Module) -> int:
    """Bytes of all parameters, the scales of those in few bits included; what is shared is counted once."""
    total = sum({id(each): each.nbytes for each in model.parameters()}.values())
    for module in model.modules():
        found: Any = module
        if _bits(module) == 4:
            total += _state_bytes(found.weight.quant_state)
        elif _bits(module) == 8:
            total += _scales(found).nbytes
    return total


def _state_bytes(state: Any) -> int:
    size = int(state.absmax.nbytes)
    if state.nested:
        size += int(state.state2.absmax.nbytes) + int(state.offset.nbytes)
    # Its tables of values are the same for all matrices.
    return size


def _matrices(model: PreTrainedModel) -> Iterator[str]:
    """Names of the linear layers of the body: no output layer, no pooler, and none that must stay in 32 bits."""
    import torch

    whole: Any = model
    body, output = whole.base_model, whole.get_output_embeddings()
    kept = set(getattr(whole, "_keep_in_fp32_modules", None) or ())
    within = "" if body is whole else next(f"{name}." for name, module in whole.named_modules() if module is body)
    for name, module in whole.named_modules():
        parts = set(name.split("."))
        if (
            type(module) is torch.nn.Linear
            and name.startswith(within)
            and module is not output
            and not parts & kept
            and not any("pooler" in part for part in parts)
        ):
            yield name


def _rounded(module: Any, kind: Quantization) -> Any:
    import bitsandbytes

    layers: Any = bitsandbytes.nn
    given: dict[str, Any] = {"bias": module.bias is not None, "device": "meta"}
    weight = module.weight.data
    if kind == "4bit":
        made: Any = layers.Linear4bit(
            module.in_features, module.out_features, compress_statistics=True, quant_type="nf4", **given
        )
        made.weight = layers.Params4bit(
            weight, requires_grad=False, compress_statistics=True, quant_type="nf4", blocksize=_BLOCK, module=made
        )
        made.compute_dtype, made.compute_type_is_set = weight.dtype, True
        # It would lay weights another way when the model is measured, and not back for the next step.
        made.support_avx512bf16_for_cpu = False
    else:
        made = layers.Linear8bitLt(
            module.in_features, module.out_features, has_fp16_weights=False, threshold=_OUTLIER, **given
        )
        made.weight = layers.Int8Params(weight, requires_grad=False, has_fp16_weights=False)
    if module.bias is not None:
        made.bias = module.bias
        made.bias.requires_grad_(False)
    return made.train(module.training)


def _bits(module: torch.nn.Module) -> int:
    """4 or 8 for a matrix in few bits; 0 for anything else. What is not imported yet cannot be one."""
    return {"Linear4bit": 4, "Linear8bitLt": 8}.get(type(module).__name__, 0) if _of_library(module) else 0


def _of_library(module: torch.nn.Module) -> bool:
    # peft's layers around them have the same names.
    return type(module).__module__.startswith("bitsandbytes.")


def _values(module: Any) -> torch.Tensor:
    """float32 (outputs, inputs): the numbers that a matrix in few bits stands for."""
    if _bits(module) == 4:
        from bitsandbytes.functional import dequantize_4bit

        found: torch.Tensor = dequantize_4bit(module.weight.data, module.weight.quant_state).float()
        return found
    values: torch.Tensor = _codes(module).float() * _scales(module).float().unsqueeze(1) / 127
    return values


def _codes(module: Any) -> torch.Tensor:
    codes: torch.Tensor = module.weight.data if module.weight.data.numel() else module.state.CB
    return codes


def _scales(module: Any) -> torch.Tensor:
    scales: torch.Tensor = module.weight.SCB if module.weight.SCB is not None else module.state.SCB
    return scales
