"""Layers that are computed again on the way back: the same gradients, and less is kept."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import transformers

from supertune.strategies import build_strategy
from supertune.tasks.likelihoods import summed_loss
from supertune.train import BITS, can_checkpoint, checkpoint_activations, linear_cross_entropy, use_fast_dropout

SIZES = {"vocab_size": 60, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 4}
SIZES |= {"num_attention_heads": 2, "max_position_embeddings": 64, "pad_token_id": 0}


def decoder(strategy: str, settings: dict[str, Any], dropout: float) -> Any:
    torch.manual_seed(0)
    model = transformers.LlamaForCausalLM(transformers.LlamaConfig(**SIZES, attention_dropout=dropout))
    model.set_attn_implementation("eager")
    prepared: Any = build_strategy(strategy, settings).prepare(model)
    for parameter in prepared.parameters():
        parameter.data += 0.1 * torch.randn_like(parameter)
    use_fast_dropout(prepared)
    return prepared.train()


def loss(model: Any) -> torch.Tensor:
    generator = torch.Generator().manual_seed(3)
    ids = torch.randint(3, 60, (3, 12), generator=generator)
    mask = (torch.arange(12) < torch.tensor([12, 7, 9])[:, None]).long()
    batch = {"input_ids": ids, "attention_mask": mask, "weights": mask.float()}
    return summed_loss(model, batch, lambda hidden, head, to, by, _: linear_cross_entropy(hidden, head, to, by))[0]


def gradients(model: Any) -> tuple[dict[str, torch.Tensor], int, list[Any]]:
    """Gradients of two steps in a row, what the second kept (bytes, weights not counted), and where the dice are."""
    torch.manual_seed(5)
    BITS.seed(5)
    weights = {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}
    kept: dict[int, int] = {}
    alive = []

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        alive.append(tensor)
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    for _ in range(2):
        kept.clear()
        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            value = loss(model)
        taken = sum(kept.values())
        value.backward()  # type: ignore[no-untyped-call]
    found = {name: tensor.grad.clone() for name, tensor in model.named_parameters() if tensor.grad is not None}
    return found, taken, [torch.rand(1).item(), BITS.draw(4).tolist()]


@pytest.mark.parametrize(
    ("strategy", "settings", "dropout"),
    [
        ("full", {}, 0.0),
        ("full", {}, 0.2),
        ("lora", {}, 0.0),
        ("lora", {"adapter_dropout": 0.3}, 0.2),
        ("ia3", {}, 0.0),
    ],
)
def test_gradients_are_the_same(strategy: str, settings: dict[str, Any], dropout: float) -> None:
    models = [decoder(strategy, settings, dropout) for _ in range(2)]
    plain, again = models
    assert can_checkpoint(again)
    checkpoint_activations(again)
    expected, kept, dice = gradients(plain)
    found, less, same = gradients(again)
    assert found.keys() == expected.keys()
    for name, gradient in expected.items():
        torch.testing.assert_close(found[name], gradient, atol=1e-6, rtol=1e-6)
    assert less < 0.4 * kept
    # What is drawn after the step is what would have been drawn.
    assert same == dice


def test_nothing_is_computed_again_in_evaluation() -> None:
    model = decoder("full", {}, 0.0)
    with torch.no_grad():
        expected = float(loss(model.eval()))
        checkpoint_activations(model)
        assert float(loss(model)) == expected


def test_models_without_are_refused() -> None:
    with pytest.raises(ValueError, match="second time"):
        checkpoint_activations(torch.nn.Linear(2, 2))  # type: ignore[arg-type]
