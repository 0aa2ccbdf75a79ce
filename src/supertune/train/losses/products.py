"""Products of matrices that add up in 32 bits, whatever the type of what is multiplied."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

_INSTRUCTIONS = {"bfloat16": ("amx_bf16", "avx512_bf16", "bf16"), "float16": ("amx_fp16", "avx512_fp16")}
"""What a processor must have to multiply numbers of 16 bits; without, torch is 5 to 50 times slower than in 32."""


def accumulation_type(tensor: torch.Tensor) -> torch.dtype:
    """float64 for float64, float32 for all others."""
    import torch

    return torch.float64 if tensor.dtype == torch.float64 else torch.float32


def rounds_products(left: torch.Tensor, right: torch.Tensor) -> bool:
    """Whether products are best made in 16 bits, and then come rounded to 16 bits.

    Processors with instructions for them add up in 32 bits inside a product, but torch gives out 16. Others are given
    numbers of 32 bits by `product`; on a GPU it gets 32 bits out.
    """
    return left.device.type == "cpu" and left.dtype == right.dtype and multiplies(str(left.dtype).partition(".")[2])


@cache
def multiplies(kind: str) -> bool:
    """Whether this processor multiplies numbers of a 16-bit type by itself."""
    import torch

    has = torch.cpu.get_capabilities()
    return any(has.get(name, False) for name in _INSTRUCTIONS.get(kind, ()))


def operand(factor: torch.Tensor, kind: torch.dtype) -> torch.Tensor:
    """What is multiplied several times, with results in ``kind``, as `product` wants it: cast once at most."""
    return factor if _widens(factor, kind) else factor.to(kind)


def product(left: torch.Tensor, right: torch.Tensor, out: torch.Tensor) -> None:
    """Write left (rows, inner) times right (inner, columns) to ``out``, in its type."""
    import torch

    if left.dtype == right.dtype == out.dtype:
        torch.mm(left, right, out=out)
    elif left.dtype == right.dtype and _widens(left, out.dtype):
        torch.mm(left, right, out_dtype=out.dtype, out=out)
    else:
        torch.mm(left.to(out.dtype), right.to(out.dtype), out=out)


def add_product_(total: torch.Tensor, left: torch.Tensor, right: torch.Tensor) -> None:
    """Add left (rows, inner) times right (inner, columns) to ``total``, in its type."""
    import torch

    if left.dtype == right.dtype and _widens(left, total.dtype):
        torch.addmm(total, left, right, out_dtype=total.dtype, out=total)
    else:
        total.addmm_(left.to(total.dtype), right.to(total.dtype))


def _widens(factor: torch.Tensor, kind: torch.dtype) -> bool:
    """Whether the device itself multiplies such numbers and gives out ``kind``: 16 bits and 32."""
    import torch

    narrow = factor.dtype in (torch.bfloat16, torch.float16)
    return narrow and factor.device.type == "cuda" and kind == torch.float32
