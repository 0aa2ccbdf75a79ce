"""Items behind each other in one row: nothing is computed for padding but attention, and no item sees another.

Every layer but attention treats each token by itself, so that a row of tokens is all it needs. Attention looks at the
items one beside the other, padded on the right: a causal model never looks at what comes behind. It is told what
kernels for texts of different lengths are told (``cu_seq_lens_q`` and so on; Dao 2023, "FlashAttention-2").

Source: Krell et al. 2021, "Efficient sequence packing without cross-contamination", section 3.2.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from supertune.contracts import SEAMS, Features, IntArray
from supertune.train.attention import MATMUL, matmul_attention, register
from supertune.train.batches import token_type

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

    Computed = tuple[torch.Tensor, torch.Tensor | None]
    Attention = Callable[..., Computed]

_PREFIX = "supertune_packed_"
_KNOWN_LAYERS = frozenset({"full_attention", "sliding_attention"})
_PADS = 1.1
"""How many times its tokens a batch must be padded to before packing pays: see docs/training.md."""


def pack(features: Features, items: IntArray) -> dict[str, torch.Tensor]:
    """The named items as one row.

    Returns:
        Token columns (1, tokens, …), in their `token_type`; ``attention_mask`` int64 (1, tokens), all 1;
        ``position_ids`` int64 (1, tokens), from 0 in each item; `SEAMS` int32 (items + 1,): where each item begins, and
        the number of tokens; targets (items, …).
    """
    import torch

    row = features.take(items)
    starts = np.repeat(row.offsets[:-1], row.lengths)
    positions = np.arange(len(starts)) - starts
    batch = {
        "attention_mask": torch.ones((1, len(positions)), dtype=torch.int64),
        "position_ids": torch.from_numpy(positions)[None],
        SEAMS: torch.from_numpy(row.offsets.astype(np.int32)),
    }
    for name, flat in row.tokens.items():
        batch[name] = torch.from_numpy(flat.astype(token_type(flat), copy=False))[None]
    for name, values in row.targets.items():
        batch[name] = torch.from_numpy(values)
    return batch


def padding_share(features: Features, order: list[IntArray]) -> float:
    """How many times their tokens batches in this order are, padded."""
    lengths = features.lengths
    padded = sum(len(items) * int(lengths[items].max(initial=0)) for items in order)
    return padded / max(1, sum(int(lengths[items].sum()) for items in order))


def pays(features: Features, order: list[IntArray]) -> bool:
    """Whether so much is padded that packing is quicker."""
    return padding_share(features, order) >= _PADS


def why_not(model: Any) -> str | None:
    """Why attention of this model cannot be told where items begin; None where it can.

    Args:
        model: A model of transformers, without what may be around it.
    """
    # Those that do tell attention all that bears on it: windows, caps, and where items begin.
    if not getattr(model, "_supports_flash_attn", False):
        return "it does not say where texts begin"
    kinds = set(getattr(model.config.get_text_config(), "layer_types", None) or ()) - _KNOWN_LAYERS
    return f"it has layers of {', '.join(sorted(kinds))}" if kinds else None


def set_packed_attention(model: PreTrainedModel, name: str) -> None:
    """Let ``model`` compute attention in that way (``matmul``, ``sdpa`` or ``eager``), of packed items as of others.

    Raises:
        ValueError: The model cannot; transformers says why.
    """
    from transformers import AttentionInterface
    from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS, AttentionMaskInterface

    register()
    masks = ALL_MASK_ATTENTION_FUNCTIONS[MATMUL if name == "matmul" else name]

    def mask(*given: Any, **named: Any) -> Any:
        return None if named.get("attention_mask") is None else masks(*given, **named)

    AttentionInterface.register(_PREFIX + name, _by_items(name))
    AttentionMaskInterface.register(_PREFIX + name, mask)
    model.set_attn_implementation(_PREFIX + name)


def _by_items(name: str) -> Attention:
    """Attention of that name, of packed items one beside the other."""

    def attend(
        module: torch.nn.Module,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        attention_mask: torch.Tensor | None,
        **named: Any,
    ) -> Computed:
        usual = _usual(name, module)
        seams = named.pop("cu_seq_lens_q", None)
        for told in ("cu_seq_lens_k", "max_length_q", "max_length_k"):
            named.pop(told, None)
        if attention_mask is not None:
            return usual(module, query, key, value, attention_mask, **named)
        if not getattr(module, "is_causal", True) or named.pop("is_causal", True) is False:
            raise NotImplementedError("packed attention that looks ahead")
        if seams is None:
            mask = _mask(name, query, named.get("sliding_window"))
            return usual(module, query, key, value, mask, **named)
        padded, kept = _layout(seams)
        query, key, value = (_beside(states, padded) for states in (query, key, value))
        mask = _mask(name, query, named.get("sliding_window"))
        found, weights = usual(module, query, key, value, mask, **named)
        return found.flatten(0, 1)[kept][None], weights

    return attend


def _usual(name: str, module: torch.nn.Module) -> Attention:
    from transformers import AttentionInterface

    if name == "matmul":
        return matmul_attention
    # Its own, with what it does to the scores.
    found: Any = getattr(sys.modules[type(module).__module__], "eager_attention_forward", None)
    if name == "eager" and found is None:
        raise NotImplementedError("attention that nobody else can compute")
    interface: Any = AttentionInterface
    chosen: Attention = found if name == "eager" else interface()[name]
    return chosen


def _layout(seams: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Which token of the row stands in each place, (items, longest), and in which place each token, (tokens,).

    Behind an item its last token stands again.
    """
    import torch

    if _LAST and _LAST[0] is seams:
        return _LAST[1], _LAST[2]
    starts, ends = seams[:-1].long(), seams[1:].long()
    lengths = ends - starts
    steps = torch.arange(int(lengths.max()), device=seams.device)
    padded = torch.minimum(starts[:, None] + steps, ends[:, None] - 1)
    kept = (steps < lengths[:, None]).flatten().nonzero().squeeze(1)
    _LAST[:] = [seams, padded, kept]
    return padded, kept


_LAST: list[Any] = []
"""The seams that were last asked for, and their layout: every layer asks for the same."""


def _beside(states: torch.Tensor, padded: torch.Tensor) -> torch.Tensor:
    """(1, heads, tokens, width) as (items, heads, longest, width)."""
    rows = states.transpose(1, 2)[0].index_select(0, padded.flatten())
    return rows.view(*padded.shape, *rows.shape[1:]).transpose(1, 2)


def _mask(name: str, query: torch.Tensor, window: int | None) -> torch.Tensor | None:
    """What a token may look at, itself and those before it, within a window; None where ``sdpa`` knows by itself."""
    import torch

    tokens = query.shape[2]
    narrow = window is not None and window < tokens
    if name == "sdpa" and not narrow:
        return None
    allowed = torch.ones(tokens, tokens, dtype=torch.bool, device=query.device).tril_()
    if window is not None and narrow:
        allowed = allowed.triu_(1 - window)
    if name == "sdpa":
        return allowed[None, None]
    least = torch.finfo(query.dtype).min
    return torch.zeros((), dtype=query.dtype, device=query.device).masked_fill(~allowed, least)[None, None]


def differs(
    forward: Callable[[Any, Mapping[str, torch.Tensor]], torch.Tensor],
    model: PreTrainedModel,
    padded: Mapping[str, torch.Tensor],
    packed: Mapping[str, torch.Tensor],
) -> bool:
    """Whether a model says something else of packed items: what it remembers, or puts before them, crosses the seams.

    Args:
        forward: (model, batch) → a number for each token, (items, tokens).
        model: In 32 bits, with `set_packed_attention`.
        padded: Items, padded on the right.
        packed: The same by `pack`.
    """
    import torch

    training = model.training
    model.train(False)
    with torch.no_grad():
        alone = forward(model, padded)[padded["attention_mask"] != 0]
        together = forward(model, packed).flatten()
    model.train(training)
    scale = max(1.0, float(alone.abs().max()))
    return alone.shape != together.shape or not float((alone - together).abs().max()) <= 1e-4 * scale
