"""Attention as plain batched matrix products, and the choice between it and torch's own, by measurement.

torch's fused attention saves memory on long texts, but its backward pass is slow on processors: on 16 texts of 24
tokens in bfloat16 it took 40 % of a training step. Two batched products and a softmax are several times faster there.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from supertune.train.regularisation.fast_dropout import fast_dropout

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

MATMUL = "supertune_matmul"
_CLEARLY = 1.25
"""How many times faster another way must be than the first: the same command on the same machine must choose alike,
and ways that are nearly as fast would be told apart by chance."""
_ENOUGH_SECONDS = 20.0
"""After which no more repeats are begun: what takes so long is told apart by fewer."""
_UNKNOWN = ("softcap", "s_aux", "position_bias")
"""What some models ask of attention beyond the usual, and `matmul_attention` does not do."""


def matmul_attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    **others: Any,
) -> tuple[torch.Tensor, None]:
    """Softmax attention (Vaswani et al. 2017, equation 1) in the form that transformers registers.

    Args:
        module: The layer; its ``num_key_value_groups`` says how many queries share a key.
        query: (texts, heads, tokens, width).
        key: (texts, key heads, tokens, width).
        value: The same.
        attention_mask: Added to the scores, broadcast to (texts, heads, tokens, tokens); None for no mask.
        scaling: Factor of the scores; None for 1 / √width.
        dropout: Of the attention weights.
        others: Refused where it changes the result.

    Returns:
        (texts, tokens, heads, width), and no weights.
    """
    if asked := [name for name in _UNKNOWN if others.get(name) is not None]:
        raise NotImplementedError(f"attention with {', '.join(asked)}")
    groups = getattr(module, "num_key_value_groups", 1)
    if groups > 1:
        key, value = key.repeat_interleave(groups, dim=1), value.repeat_interleave(groups, dim=1)
    factor = query.shape[-1] ** -0.5 if scaling is None else scaling
    scores = (query * factor) @ key.transpose(-1, -2)
    if attention_mask is not None:
        scores = scores + attention_mask[..., : key.shape[-2]]
    weights = scores.softmax(-1)
    if module.training:
        weights = fast_dropout(weights, dropout)
    return (weights @ value).transpose(1, 2).contiguous(), None


def register() -> None:
    """Make `matmul_attention` known to transformers under its name; doing it again changes nothing."""
    from transformers import AttentionInterface
    from transformers.masking_utils import AttentionMaskInterface, eager_mask

    AttentionInterface.register(MATMUL, matmul_attention)
    AttentionMaskInterface.register(MATMUL, eager_mask)


def set_attention(model: PreTrainedModel, name: str) -> None:
    """Let ``model`` compute attention in that way: ``matmul``, ``sdpa`` or ``eager``.

    Raises:
        ValueError: The model cannot; transformers says why.
    """
    register()
    model.set_attn_implementation(MATMUL if name == "matmul" else name)


def measure_attention(
    model: PreTrainedModel, batch: dict[str, torch.Tensor], candidates: tuple[str, ...] = ("matmul", "sdpa")
) -> tuple[str, dict[str, float]]:
    """Which way of computing attention is the fastest for ``model`` on such a batch, forwards and backwards.

    A way that the model cannot take, or in which its outputs differ from the first by more than rounding, is out.

    Args:
        model: In the number type and on the device that it will train in; its gradients are cleared.
        batch: ``input_ids`` and ``attention_mask`` of a typical batch.
        candidates: The ways to try; the first is taken unless another is clearly faster.

    Returns:
        The choice, and the least seconds of each way that works (5 repeats, taken in turns; fewer of long ones).
    """
    import torch

    # peft wraps a model, and has a base_model of its own.
    plain: Any = model.get_base_model() if hasattr(model, "get_base_model") else model  # type: ignore[operator]
    # Of two stacks the first: the second reads texts in the same way, and what the first gives out.
    body = plain.get_encoder() if plain.config.is_encoder_decoder else plain.base_model
    training, before = model.training, model.config._attn_implementation
    outputs: dict[str, torch.Tensor] = {}
    model.train(False)
    for name in candidates:
        try:
            set_attention(model, name)
            with torch.inference_mode():
                outputs[name] = body(**batch).last_hidden_state.float()
        except (NotImplementedError, ValueError, AttributeError):
            continue
    model.train()
    reference = outputs[min(outputs, key=lambda name: name != "sdpa")]
    scale = float(reference.abs().max())
    kept = batch["attention_mask"].bool()
    usable = [name for name, out in outputs.items() if float((out - reference)[kept].abs().max()) <= 0.1 * scale]
    seconds: dict[str, list[float]] = {name: [] for name in usable}
    # In a frozen body gradients pass through to what lies before it, and have to be computed all the same.
    hook = body.get_input_embeddings().register_forward_hook(lambda *call: call[2].requires_grad_())
    started = time.perf_counter()
    for repeat in range(6):
        if repeat > 1 and time.perf_counter() - started > _ENOUGH_SECONDS:
            break
        for name in usable:
            set_attention(model, name)
            begun = time.perf_counter()
            body(**batch).last_hidden_state.float().sum().backward()
            if batch["input_ids"].device.type == "cuda":
                torch.cuda.synchronize()
            seconds[name].append(time.perf_counter() - begun)
            model.zero_grad(set_to_none=True)
    hook.remove()
    # The least, not the median: what else the machine does only ever adds.
    least = {name: min(taken[1:]) for name, taken in seconds.items()}
    set_attention(model, before if before in candidates else "sdpa")
    model.train(training)
    first, quickest = next(iter(least)), min(least, key=lambda name: least[name])
    return (quickest if least[first] > _CLEARLY * least[quickest] else first), least
