"""R-Drop is half of the paper's equation 4, its divergences are what torch computes, and it costs one doubled pass."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch.distributions import Bernoulli, Normal, kl_divergence
from torch.nn import functional
from train_samples import VOCABULARY, bert

from supertune.train.regularisation.r_drop import r_drop, squared_difference, symmetric_binary_kl, symmetric_kl

Batch = Mapping[str, torch.Tensor]


def batch_of(items: int) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    ids = torch.randint(1, VOCABULARY, (items, 9), generator=generator)
    mask = torch.arange(9) < torch.randint(1, 10, (items, 1), generator=generator)
    labels = torch.randint(0, 3, (items,), generator=generator)
    return {"input_ids": ids * mask, "attention_mask": mask.long(), "labels": labels}


def forward(model: torch.nn.Module, batch: Batch) -> torch.Tensor:
    logits: torch.Tensor = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits
    return logits


def criterion(logits: torch.Tensor, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
    return functional.cross_entropy(logits, batch["labels"], reduction="sum"), torch.tensor(len(logits))


def gradients(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.grad.clone() for name, value in model.named_parameters() if value.grad is not None}


@pytest.mark.parametrize("shape", [(6, 4), (6, 3, 4)])
def test_the_symmetric_divergence_is_the_mean_of_both_directions_as_torch_has_them(shape: tuple[int, ...]) -> None:
    first, second = torch.randn(2, *shape, generator=torch.Generator().manual_seed(0)) * 3
    p, q = first.log_softmax(-1), second.log_softmax(-1)
    both = functional.kl_div(p, q, reduction="none", log_target=True)
    both += functional.kl_div(q, p, reduction="none", log_target=True)
    torch.testing.assert_close(symmetric_kl(first, second), both.flatten(1).sum(1) / 2)


def test_the_divergence_of_yes_or_no_answers_is_that_of_bernoulli_distributions() -> None:
    first, second = torch.randn(2, 6, 4, generator=torch.Generator().manual_seed(0)) * 3
    p, q = Bernoulli(logits=first), Bernoulli(logits=second)
    expected = (kl_divergence(p, q) + kl_divergence(q, p)).sum(1) / 2
    torch.testing.assert_close(symmetric_binary_kl(first, second), expected)


def test_the_divergence_of_numbers_is_that_of_normal_distributions_of_variance_a_half() -> None:
    first, second = torch.randn(2, 6, 2, generator=torch.Generator().manual_seed(0))
    p, q = Normal(first, 0.5**0.5), Normal(second, 0.5**0.5)
    torch.testing.assert_close(squared_difference(first, second), kl_divergence(p, q).sum(1))
    assert squared_difference(first[:, 0], second[:, 0]).shape == (6,)


@pytest.mark.parametrize("divergence", [symmetric_kl, symmetric_binary_kl, squared_difference])
def test_divergences_are_exactly_zero_where_answers_agree_and_finite_for_sure_ones(divergence: Any) -> None:
    sure = torch.tensor([[80.0, -80.0], [-90.0, 90.0]], dtype=torch.bfloat16)
    assert (divergence(sure, sure) == 0).all()
    assert (divergence(sure, -sure) > 50).all()
    assert torch.isfinite(divergence(sure, -sure)).all()
    assert divergence(sure, sure).dtype == torch.float32


def test_loss_and_gradient_are_half_of_equation_four() -> None:
    """With the two passes' answers given, as written in the paper: (L1 + L2) + α/2 (KL + KL), per item."""
    alpha, batch, model = 3.0, batch_of(5), bert(dropout=0.3).train()
    torch.manual_seed(7)
    loss, count = r_drop(forward, criterion, alpha)(model, batch)
    loss.backward()
    found = gradients(model)
    model.zero_grad()
    torch.manual_seed(7)
    outputs = forward(model, {name: torch.cat([values, values]) for name, values in batch.items()})
    p, q = outputs[:5].softmax(-1), outputs[5:].softmax(-1)
    rows = torch.arange(5)
    likelihood = -p[rows, batch["labels"]].log() - q[rows, batch["labels"]].log()
    divergence = ((p * (p / q).log()).sum(1) + (q * (q / p).log()).sum(1)) / 2
    expected = (likelihood + alpha * divergence).sum() / 2
    expected.backward()
    assert not torch.equal(p, q)
    torch.testing.assert_close(loss, expected)
    assert count == 5
    for name, gradient in gradients(model).items():
        torch.testing.assert_close(found[name], gradient, rtol=1e-3, atol=1e-6)


def test_without_dropout_it_is_the_plain_loss_whatever_the_factor() -> None:
    batch, model = batch_of(5), bert().train()
    loss, count = r_drop(forward, criterion, 4.0)(model, batch)
    plain, items = criterion(forward(model, batch), batch)
    torch.testing.assert_close(loss, plain)
    assert count == items


def test_a_small_factor_leaves_the_mean_of_the_two_losses() -> None:
    batch, model = batch_of(5), bert(dropout=0.3).train()
    torch.manual_seed(7)
    loss, _ = r_drop(forward, criterion, 1e-9)(model, batch)
    torch.manual_seed(7)
    outputs = forward(model, {name: torch.cat([values, values]) for name, values in batch.items()})
    losses = [criterion(half, batch)[0] for half in outputs.chunk(2)]
    torch.testing.assert_close(loss, (losses[0] + losses[1]) / 2)


def test_it_is_one_pass() -> None:
    passes: list[int] = []

    def counted(model: torch.nn.Module, batch: Batch) -> torch.Tensor:
        passes.append(len(batch["labels"]))
        return forward(model, batch)

    r_drop(counted, criterion, 1.0)(bert(), batch_of(5))
    assert passes == [10]
