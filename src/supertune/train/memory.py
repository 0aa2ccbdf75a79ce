"""Memory: how much a step needs, how much there is, and running out of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

_CAUTION = 0.8
"""Share of the free memory that activations may take: the estimate is not exact, and others need some too."""


def out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory could not be had, on the processor or on a GPU."""
    import torch

    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    # torch reports the processor's memory in words alone.
    told = str(error)
    return isinstance(error, RuntimeError) and ("DefaultCPUAllocator" in told or "can't allocate memory" in told)


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


def available_bytes(device: torch.device) -> int | None:
    """Memory that is free on ``device``; None where the system does not say."""
    import torch

    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    entries = {line.partition(":")[0]: line.partition(":")[2].split() for line in lines}
    free = int(entries["MemAvailable"][0]) * 1024 if "MemAvailable" in entries else None
    return min((amount for amount in (free, _granted()) if amount is not None), default=None)


def _granted() -> int | None:
    """What a container's limit leaves; None without one."""
    try:
        limit = Path("/sys/fs/cgroup/memory.max").read_text(encoding="ascii").strip()
        used = Path("/sys/fs/cgroup/memory.current").read_text(encoding="ascii").strip()
    except OSError:
        return None
    return int(limit) - int(used) if limit.isdigit() else None


def pieces_that_fit(config: Any, items: int, tokens: int, width: int, free: int) -> int:
    """Into how many pieces to cut a batch of ``items`` texts so that one fits into ``free`` bytes."""
    pieces = 1
    while pieces < items and activation_bytes(config, -(-items // pieces), tokens, width) > _CAUTION * free:
        pieces *= 2
    return min(pieces, items)
