"""L1 and L2 terms have the value and the gradient that autograd finds, and are not weight decay."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from train_samples import bert

from supertune.train.regularisation.penalties import add_penalties, penalised


def test_a_term_by_hand() -> None:
    weight, gradient = torch.tensor([[2.0, -3.0, 0.0]]), torch.tensor([[1.0, 1.0, 1.0]])
    value = add_penalties([weight], [gradient], 0.5, 0.1)
    assert value.item() == pytest.approx(0.5 * 5 + 0.05 * 13)
    assert gradient.tolist() == [pytest.approx([1 + 0.5 + 0.2, 1 - 0.5 - 0.3, 1.0])]
    assert weight.tolist() == [[2.0, -3.0, 0.0]]


@given(
    shapes=st.lists(st.tuples(st.integers(1, 5), st.integers(1, 5)), max_size=4),
    l1=st.one_of(st.just(0.0), st.floats(1e-6, 10)),
    l2=st.one_of(st.just(0.0), st.floats(1e-6, 10)),
    seed=st.integers(0, 2**16),
)
def test_value_and_gradient_are_those_of_autograd(
    shapes: list[tuple[int, int]], l1: float, l2: float, seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    weights = [torch.randn(shape, generator=generator, requires_grad=True) for shape in shapes]
    before = [torch.randn(shape, generator=generator) for shape in shapes]
    terms = [l1 * weight.abs().sum() + l2 / 2 * weight.square().sum() for weight in weights]
    expected = torch.stack(terms).sum() if terms else torch.zeros(())
    found = [gradient.clone() for gradient in before]
    value = add_penalties(weights, found, l1, l2)
    torch.testing.assert_close(value, expected.detach())
    assert not value.requires_grad
    if weights and (l1 or l2):
        own = torch.autograd.grad(expected, weights, allow_unused=True)
        for gradient, start, change in zip(found, before, own, strict=True):
            torch.testing.assert_close(gradient, start + (change if change is not None else 0))
    else:
        assert all(map(torch.equal, found, before))


def test_gradients_of_a_summed_loss_take_both_factors_times_its_count() -> None:
    weight, mean = torch.tensor([[2.0, -3.0]]), torch.tensor([[0.5, 0.25]])
    summed = mean * 8
    add_penalties([weight], [mean], 0.5, 0.1)
    add_penalties([weight], [summed], 0.5 * 8, 0.1 * 8)
    torch.testing.assert_close(summed / 8, mean)


def test_l2_is_weight_decay_for_plain_sgd_and_something_else_for_adam() -> None:
    def after(optimizer_class: type[torch.optim.Optimizer], penalty: float, decay: float) -> torch.Tensor:
        weight = torch.tensor([[2.0, -3.0]], requires_grad=True)
        optimizer = optimizer_class([weight], lr=0.1, weight_decay=decay)  # type: ignore[call-arg]
        weight.grad = torch.tensor([[100.0, 0.01]])
        add_penalties([weight], [weight.grad], 0.0, penalty)
        optimizer.step()
        return weight.detach()

    torch.testing.assert_close(after(torch.optim.SGD, 0.01, 0.0), after(torch.optim.SGD, 0.0, 0.01))
    # Adam's first step is of length lr whatever the gradient's size: the penalty moves nothing, decay does.
    torch.testing.assert_close(after(torch.optim.AdamW, 0.01, 0.0)[0, 0], torch.tensor(1.9))
    torch.testing.assert_close(after(torch.optim.AdamW, 0.0, 0.01)[0, 0], torch.tensor(1.9 - 0.1 * 0.01 * 2))


def test_what_weight_decay_spares_is_not_penalised() -> None:
    named = dict(bert().named_parameters())
    spared = named.keys() - set(penalised(named.items()))
    assert spared == {name for name in named if name.endswith(".bias") or "LayerNorm" in name}


def test_weights_in_bfloat16_are_summed_in_32_bits() -> None:
    weight = torch.ones(300, 300, dtype=torch.bfloat16)
    value = add_penalties([weight], [torch.zeros_like(weight)], 1.0, 2.0)
    assert value.item() == 180_000
    assert value.dtype == torch.float32


def test_sparse_gradients_are_refused() -> None:
    with pytest.raises(ValueError, match="dense"):
        add_penalties([torch.ones(2, 2)], [torch.ones(2, 2).to_sparse()], 0.0, 1.0)
