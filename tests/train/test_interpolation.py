"""Weights between those of the beginning and those of the end."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from supertune.train import interpolated


@given(st.floats(0, 1))
def test_what_lora_adds_and_plain_weights_go_back_by_the_same_share(share: float) -> None:
    draw = torch.Generator().manual_seed(0)
    a, b, w = (torch.randn(4, 4, generator=draw, dtype=torch.float64) for _ in range(3))
    before = {"x.lora_A.weight": torch.randn(4, 4, generator=draw, dtype=torch.float64)}
    before |= {
        "x.lora_B.weight": torch.zeros(4, 4, dtype=torch.float64),
        "y.weight": torch.ones(4, 4, dtype=torch.float64),
    }
    found = interpolated({"x.lora_A.weight": a, "x.lora_B.weight": b, "y.weight": w}, before, share)
    product = found["x.lora_B.weight"] @ found["x.lora_A.weight"]
    assert torch.allclose(product, (1 - share) * b @ a)
    assert torch.allclose(found["y.weight"], (1 - share) * w + share)
