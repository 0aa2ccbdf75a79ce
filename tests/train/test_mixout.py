"""Mixout computes the paper's formula at random masks, has the learned weights as its mean, and leaves no trace."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import torch
from train_samples import VOCABULARY, bert

from supertune.train.regularisation.adversarial import fgm
from supertune.train.regularisation.mixout import mixout, pretrained_weights
from supertune.train.regularisation.r_drop import r_drop

Batch = Mapping[str, torch.Tensor]
NOTHING: Batch = {}


class Plain(torch.nn.Module):
    """A matrix that is its own answer."""

    def __init__(self, weight: torch.Tensor) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(weight.shape[1], weight.shape[0], bias=False, dtype=weight.dtype)
        self.layer.weight = torch.nn.Parameter(weight)


def weight_of(model: Any, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
    return model.layer.weight, torch.tensor(1)


def summed_weight(model: Any, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
    return (model.layer.weight * torch.arange(1.0, 1 + model.layer.weight.numel()).view_as(model.layer.weight)).sum(), (
        torch.tensor(1)
    )


def text_batch() -> dict[str, torch.Tensor]:
    ids = torch.randint(1, VOCABULARY, (3, 7), generator=torch.Generator().manual_seed(1))
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids), "labels": torch.tensor([0, 2, 1])}


def text_forward(model: Any, batch: Batch) -> torch.Tensor:
    logits: torch.Tensor = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits
    return logits


def text_criterion(logits: torch.Tensor, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
    losses = torch.nn.functional.cross_entropy(logits.float(), batch["labels"], reduction="sum")
    return losses, torch.tensor(len(logits))


def text_loss(model: Any, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
    return text_criterion(text_forward(model, batch), batch)


def moved(model: torch.nn.Module, by: float = 0.05) -> torch.nn.Module:
    """The model some way from where it was pre-trained."""
    generator = torch.Generator().manual_seed(4)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += by * torch.randn(parameter.shape, generator=generator)
    return model


def test_every_weight_is_one_of_the_two_that_the_formula_allows() -> None:
    probability = 0.75
    learned, origin = torch.randn(2, 50, 40, generator=torch.Generator().manual_seed(0))
    model = Plain(learned.clone()).train()
    found, _ = mixout(weight_of, {"layer.weight": origin}, probability)(model, NOTHING)
    # (m u + (1 - m) w - p u) / (1 - p), as in the paper, for m = 1 and m = 0.
    as_pretrained = (origin - probability * origin) / (1 - probability)
    as_learned = (learned - probability * origin) / (1 - probability)
    first = torch.isclose(found, as_pretrained, atol=1e-5)
    second = torch.isclose(found, as_learned, atol=1e-5)
    assert (first ^ second).all()
    assert first.float().mean().item() == pytest.approx(probability, abs=0.05)


def test_the_mean_over_masks_is_the_learned_weight() -> None:
    learned, origin = torch.randn(2, 5, 4, generator=torch.Generator().manual_seed(0))
    model, objective = Plain(learned.clone()).train(), mixout(weight_of, {"layer.weight": origin}, 0.5)
    mean = torch.stack([objective(model, NOTHING)[0].detach() for _ in range(4000)]).mean(0)
    torch.testing.assert_close(mean, learned, rtol=0, atol=0.15)


def test_only_weights_that_are_not_as_pretrained_get_a_gradient() -> None:
    learned, origin = torch.randn(2, 50, 40, generator=torch.Generator().manual_seed(0))
    model = Plain(learned.clone()).train()
    value, _ = mixout(weight_of, {"layer.weight": origin}, 0.75)(model, NOTHING)
    value.sum().backward()
    gradient = model.layer.weight.grad
    assert gradient is not None
    mixed = ~torch.isclose(value.detach(), origin, atol=1e-6)
    assert torch.equal(gradient, mixed * 4.0)


def test_every_pass_draws_anew() -> None:
    model, kept = moved(bert()).train(), pretrained_weights(bert())
    losses = {mixout(text_loss, kept, 0.5)(model, text_batch())[0].item() for _ in range(4)}
    assert len(losses) == 4


def test_weights_that_have_not_moved_stay_and_evaluation_is_left_alone() -> None:
    model = bert().train()
    objective = mixout(text_loss, pretrained_weights(model), 0.8)
    with torch.no_grad():
        torch.testing.assert_close(objective(model, text_batch())[0], text_loss(model, text_batch())[0])
        moved(model).eval()
        assert objective(model, text_batch())[0] == text_loss(model, text_batch())[0]


def test_at_zero_it_is_the_objective_itself() -> None:
    assert mixout(text_loss, pretrained_weights(bert()), 0.0) is text_loss


def test_the_matrices_of_the_body_are_mixed_and_nothing_else() -> None:
    model = bert()
    expected = {
        f"bert.{name}.weight" for name, module in model.bert.named_modules() if isinstance(module, torch.nn.Linear)
    }
    assert pretrained_weights(model).keys() == expected
    model.bert.encoder.layer[0].requires_grad_(False)
    assert pretrained_weights(model).keys() == {name for name in expected if "layer.0" not in name}


def test_copies_stay_as_pretrained_while_the_model_learns() -> None:
    model = bert()
    kept = pretrained_weights(model)
    moved(model)
    fresh = dict(bert().named_parameters())
    assert all(torch.equal(value, fresh[name]) for name, value in kept.items())
    assert not any(value.requires_grad for value in kept.values())


@pytest.mark.parametrize("probability", [0.3, 0.9])
def test_the_model_is_never_changed_and_its_own_parameters_learn(probability: float) -> None:
    model = moved(bert()).train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    parameters = dict(model.named_parameters())
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    mixout(text_loss, pretrained_weights(bert()), probability)(model, text_batch())[0].backward()
    assert model.state_dict().keys() == before.keys()
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(value is parameters[name] for name, value in model.named_parameters())
    optimizer.step()
    learned = {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}
    assert pretrained_weights(model).keys() <= learned
    assert "classifier.weight" in learned


def test_an_error_leaves_the_parameters_in_place() -> None:
    def failing(model: Any, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        raise KeyboardInterrupt

    model = moved(bert()).train()
    parameters = dict(model.named_parameters())
    with pytest.raises(KeyboardInterrupt):
        mixout(failing, pretrained_weights(bert()), 0.5)(model, text_batch())
    assert all(value is parameters[name] for name, value in model.named_parameters())


def test_models_that_compute_in_bfloat16_with_copies_taken_before() -> None:
    learned, origin = torch.randn(2, 20, 30, generator=torch.Generator().manual_seed(0))
    learned[:10] = origin[:10]
    model = Plain(learned.to(torch.bfloat16)).train()
    found, _ = mixout(weight_of, {"layer.weight": origin}, 0.5)(model, NOTHING)
    assert found.dtype == torch.bfloat16
    assert torch.equal(found[:10], learned[:10].to(torch.bfloat16)), "rounding alone moves nothing"
    model_16 = moved(bert()).train().to(torch.bfloat16)
    mixout(text_loss, pretrained_weights(bert()), 0.5)(model_16, text_batch())[0].backward()
    assert model_16.classifier.weight.grad is not None


def test_it_goes_together_with_the_other_regularisers() -> None:
    model = moved(bert(dropout=0.1)).train()
    objective = mixout(r_drop(text_forward, text_criterion, 2.0), pretrained_weights(bert()), 0.5)
    loss, count = fgm(0.5)(objective, model, text_batch())
    assert torch.isfinite(loss)
    assert count == 3
    assert all(value.grad is not None and torch.isfinite(value.grad).all() for value in model.parameters())
