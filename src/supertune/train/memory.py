"""Memory: how much a step needs, and into how many pieces it is cut to fit."""

from __future__ import annotations

from typing import Any

_CAUTION = 0.8
"""Share of the free memory that activations may take: the estimate is not exact, and others need some too."""


def activation_bytes(config: Any, items: int, tokens: int, width: int) -> int:
    """Memory that the activations of one batch take between the forward and the backward pass.

    Korthikanti et al. 2023, "Reducing activation recomputation", equation 2, counts ``34 h + 5 a s`` bytes per token
    and layer in 16 bits (h: hidden size, a: heads, s: tokens per text), dropout masks in one byte; ours are in the
    compute type, which makes it ``36 h + 8 a s``.

    Args:
        config: The model's configuration, with ``hidden_size``, ``num_hidden_layers`` and ``num_attention_heads``.
        items: Texts in the batch.
        tokens: Tokens per text, padding included.
        width: Bytes per number.
    """
    text = config.get_text_config()
    layers, hidden, heads = text.num_hidden_layers, text.hidden_size, text.num_attention_heads
    return int(layers * items * tokens * (36 * hidden + 8 * heads * tokens) * width / 2)


def pieces_that_fit(config: Any, items: int, tokens: int, width: int, free: int) -> int:
    """Into how many pieces to cut a batch of ``items`` texts so that one fits into ``free`` bytes."""
    pieces = 1
    while pieces < items and activation_bytes(config, -(-items // pieces), tokens, width) > _CAUTION * free:
        pieces *= 2
    return min(pieces, items)
