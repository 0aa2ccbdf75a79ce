"""Cheap dropout: the right share, the right mean, the same gradient, and a stream that can be put back."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from train_samples import bert

from supertune.train import BITS, fast_dropout, set_attention, use_fast_dropout
from supertune.train.regularisation.fast_dropout import RandomBits, use_plain_dropout


@pytest.mark.parametrize("probability", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_share_that_is_dropped_and_the_mean_of_the_rest(probability: float, dtype: torch.dtype) -> None:
    BITS.seed(0)
    count = 400_000
    out = fast_dropout(torch.ones(count, dtype=dtype), probability)
    assert out.dtype == dtype
    error = 4 * (probability * (1 - probability) / count) ** 0.5
    assert float((out == 0).double().mean()) == pytest.approx(probability, abs=error + 1 / 65536)
    kept = out[out != 0].unique()
    assert len(kept) == 1
    assert float(kept) == pytest.approx(1 / (1 - probability), rel=0.005)
    assert float(out.double().mean()) == pytest.approx(1, abs=error / (1 - probability) + 0.004)


def test_neighbours_are_independent() -> None:
    """Four elements share a draw of 64 bits: being dropped says nothing about the next, nor about the fourth."""
    BITS.seed(1)
    dropped = (fast_dropout(torch.ones(400_000), 0.3) == 0).double()
    for distance in (1, 2, 3, 4):
        assert abs(float(torch.corrcoef(torch.stack([dropped[:-distance], dropped[distance:]]))[0, 1])) < 0.01


def test_the_gradient_is_that_of_what_was_kept() -> None:
    BITS.seed(2)
    values = torch.randn(7, 5, requires_grad=True)
    out = fast_dropout(values, 0.4)
    out.sum().backward()
    assert values.grad is not None
    torch.testing.assert_close(values.grad * values, out)
    assert 0 < int((out == 0).sum()) < 35


@given(st.integers(1, 50), st.integers(0, 2**63))
def test_a_stream_goes_on_from_its_state(count: int, seed: int) -> None:
    stream = RandomBits(seed)
    stream.draw(count)
    state = stream.state_dict()
    ahead = stream.draw(20)
    other = RandomBits(1)
    other.load_state_dict(state)
    assert np.array_equal(other.draw(20), ahead)


def test_no_dropout_draws_nothing() -> None:
    before = BITS.state_dict()
    values = torch.randn(3)
    assert fast_dropout(values, 0.0) is values
    assert BITS.state_dict() == before


def test_modules_are_replaced_and_come_back() -> None:
    model = bert(dropout=0.5)
    batch = {"input_ids": torch.tensor([[1, 2, 3]])}
    expected = model.eval()(**batch).logits
    assert use_fast_dropout(model) == 8
    torch.testing.assert_close(model.eval()(**batch).logits, expected)
    set_attention(model, "matmul")
    model.train()
    BITS.seed(0)
    first = model(**batch).logits
    BITS.seed(0)
    assert torch.equal(model(**batch).logits, first)
    assert not torch.equal(model(**batch).logits, first)
    use_plain_dropout(model)
    assert {type(module) for module in model.modules() if isinstance(module, torch.nn.Dropout)} == {torch.nn.Dropout}
