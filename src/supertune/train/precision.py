"""Number types: 32-bit floats, or bfloat16 for the matrix products where the processor does those well."""

from __future__ import annotations

import statistics
import time
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import torch

Precision = Literal["bf16", "fp32"]

_WORTH_IT = 1.5
"""bfloat16 must multiply matrices this much faster: below, casting eats the gain."""
_HOPELESS = 0.25
"""Where a small product in bfloat16 is this much slower the processor only emulates it, and a large one, hundreds of
times slower than in 32 bits, would take a minute to measure."""


def measure_precision(device: torch.device) -> tuple[Precision, float]:
    """Which precision pays on this device, by timing a matrix product of a small encoder's size in both.

    Returns:
        The choice, and how many times faster bfloat16 was (median of 7 repeats), at a small size where that says it
        all. It takes a few milliseconds per repeat on a laptop.
    """
    import torch

    def seconds(dtype: torch.dtype, rows: int, width: int) -> float:
        left = torch.ones(rows, width, dtype=dtype, device=device)
        right = torch.ones(width, width, dtype=dtype, device=device)
        taken = []
        for _ in range(9):
            start = time.perf_counter()
            (left @ right).sum().item()
            taken.append(time.perf_counter() - start)
        return statistics.median(taken[2:])

    def ratio(rows: int, width: int) -> float:
        return seconds(torch.float32, rows, width) / seconds(torch.bfloat16, rows, width)

    small = ratio(64, 256)
    if small < _HOPELESS:
        return "fp32", small
    whole = ratio(512, 1536)
    return ("bf16" if whole >= _WORTH_IT else "fp32"), whole
