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


def measure_precision(device: torch.device) -> tuple[Precision, float]:
    """Which precision pays on this device, by timing a matrix product of a small encoder's size in both.

    Returns:
        The choice, and how many times faster bfloat16 was (median of 7 repeats). It takes a few milliseconds
        per repeat on a laptop.
    """
    import torch

    def seconds(dtype: torch.dtype) -> float:
        left = torch.ones(512, 1536, dtype=dtype, device=device)
        right = torch.ones(1536, 1536, dtype=dtype, device=device)
        taken = []
        for _ in range(9):
            start = time.perf_counter()
            (left @ right).sum().item()
            taken.append(time.perf_counter() - start)
        return statistics.median(taken[2:])

    ratio = seconds(torch.float32) / seconds(torch.bfloat16)
    return ("bf16" if ratio >= _WORTH_IT else "fp32"), ratio
