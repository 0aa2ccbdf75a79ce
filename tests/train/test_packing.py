"""Items packed into one row: the same losses and gradients as one beside the other, padded."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
import transformers

from supertune.contracts import Features, IntArray
from supertune.tasks.likelihoods import summed_loss, token_likelihoods
from supertune.train import (
    Batching,
    FrozenLayers,
    Learner,
    Plan,
    collate,
    linear_cross_entropy,
    pack,
    set_attention,
    set_packed_attention,
    token_losses,
    train,
)
from supertune.train.packing import differs, padding_share, why_not

VOCABULARY = 60
SIZES: dict[str, Any] = {
    "vocab_size": VOCABULARY,
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "max_position_embeddings": 64,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
GPT2 = {"vocab_size": VOCABULARY, "n_embd": 16, "n_layer": 3, "n_head": 2, "n_positions": 64}
GPT2 |= {"bos_token_id": 1, "eos_token_id": 2, "resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0}
SLIDING = ["sliding_attention", "full_attention", "sliding_attention"]
MODELS: dict[str, tuple[str, dict[str, Any]]] = {
    "llama": ("Llama", SIZES),
    # Windows narrower than the texts.
    "gemma3": ("Gemma3", SIZES | {"head_dim": 8, "sliding_window": 4, "layer_types": SLIDING}),
    "gemma2": ("Gemma2", SIZES | {"head_dim": 8, "sliding_window": 4, "layer_types": SLIDING}),
    "gpt2": ("GPT2", GPT2),
    "qwen2": ("Qwen2", SIZES),
    "qwen3": ("Qwen3", SIZES | {"head_dim": 8}),
    "mistral": ("Mistral", SIZES | {"sliding_window": 4}),
    "bloom": ("Bloom", {"vocab_size": VOCABULARY, "hidden_size": 16, "n_layer": 2, "n_head": 2}),
    "mamba": ("Mamba", {"vocab_size": VOCABULARY, "hidden_size": 16, "num_hidden_layers": 2, "state_size": 4}),
}
WAYS = [(name, "sdpa") for name in ("llama", "gemma3", "gpt2", "qwen2", "qwen3", "mistral")]
WAYS += [("llama", "matmul"), ("gemma3", "matmul"), ("gemma3", "eager"), ("gemma2", "eager"), ("gpt2", "eager")]


def decoder(name: str) -> Any:
    kind, settings = MODELS[name]
    text = "Text" if kind == "Gemma3" else ""
    torch.manual_seed(0)
    head = "LMHeadModel" if kind == "GPT2" else "ForCausalLM"
    model: Any = getattr(transformers, f"{kind}{head}")(getattr(transformers, f"{kind}{text}Config")(**settings))
    for parameter in model.parameters():
        # As far apart as trained ones.
        parameter.data += 0.2 * torch.randn_like(parameter)
    return model


def texts(lengths: list[int], seed: int = 0) -> Features:
    random = np.random.default_rng(seed)
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    return Features(
        tokens={
            "input_ids": random.integers(3, VOCABULARY, offsets[-1]).astype(np.int32),
            "weights": (random.random(offsets[-1]) < 0.7).astype(np.float32) * random.choice([0.5, 1.0, 2.0]),
        },
        offsets=offsets,
        targets={},
        rows=np.arange(len(lengths)),
        full_lengths=np.array(lengths, np.int64),
    )


def criterion(hidden: Any, head: Any, targets: Any, weights: Any, soft_cap: float | None) -> Any:
    return linear_cross_entropy(hidden, head, targets, weights)


def loss(model: Any, batch: Any) -> Any:
    return summed_loss(model, batch, criterion)


def likelihoods(model: Any, batch: Any) -> torch.Tensor:
    return token_likelihoods(model, batch, token_losses)


def gradients(model: Any, batch: Any) -> tuple[float, int, dict[str, torch.Tensor]]:
    model.zero_grad()
    value, count = loss(model, batch)
    value.backward()
    return (
        float(value.detach()),
        int(count),
        {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None},
    )


def padded(features: Features, items: IntArray) -> dict[str, torch.Tensor]:
    return collate(features, items, {"input_ids": 0})


@pytest.mark.parametrize(("name", "attention"), WAYS)
@pytest.mark.parametrize("lengths", [[7, 3, 12, 1, 9], [6], [5, 5, 5], [1, 2]])
def test_losses_and_gradients_are_those_of_padded_items(name: str, attention: str, lengths: list[int]) -> None:
    model, given = decoder(name), texts(lengths)
    items = np.arange(len(lengths))[::-1].copy()
    set_attention(model, attention)
    expected, count, of_padded = gradients(model, padded(given, items))
    assert why_not(model) is None
    set_packed_attention(model, attention)
    row = pack(given, items)
    assert row["input_ids"].shape == (1, sum(lengths))
    found, also, of_packed = gradients(model, row)
    assert also == count
    assert found == pytest.approx(expected, rel=1e-5, abs=1e-5)
    assert of_packed.keys() == of_padded.keys()
    for key, gradient in of_padded.items():
        torch.testing.assert_close(of_packed[key], gradient, atol=1e-5, rtol=1e-4)
    # What is not packed is as it was: what is predicted between two steps is padded.
    again, _, _ = gradients(model, padded(given, items))
    assert again == pytest.approx(expected, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("name", ["llama", "gemma3"])
def test_no_item_sees_another(name: str) -> None:
    model, given = decoder(name).eval(), texts([6, 8, 5])
    set_packed_attention(model, "sdpa")
    assert not differs(likelihoods, model, padded(given, np.arange(3)), pack(given, np.arange(3)))
    changed = texts([6, 8, 5])
    changed.tokens["input_ids"][:6] = 7
    with torch.no_grad():
        before = likelihoods(model, pack(given, np.arange(3)))
        after = likelihoods(model, pack(changed, np.arange(3)))
    assert not torch.equal(before[:, :6], after[:, :6])
    assert torch.equal(before[:, 6:], after[:, 6:])


def test_models_that_cannot_are_told() -> None:
    assert why_not(decoder("bloom")) is not None
    assert why_not(decoder("mamba")) is not None
    llama = decoder("llama")
    llama.config.layer_types = ["chunked_attention"] * 3
    assert "chunked" in str(why_not(llama))


def test_what_crosses_the_seams_is_found() -> None:
    model, given = decoder("llama"), texts([6, 8, 5])
    # Positions and causality as ever, but every item sees those before it in the row.
    set_attention(model, "eager")

    def unaware(one: Any, batch: Any) -> torch.Tensor:
        return likelihoods(one, {name: value for name, value in batch.items() if name not in ("seams", "position_ids")})

    assert differs(unaware, model, padded(given, np.arange(3)), pack(given, np.arange(3)))


def test_recalled_layers_are_packed_as_well(tmp_path: Any) -> None:
    model, given = decoder("llama"), texts([7, 3, 12])
    for parameter in (*model.model.embed_tokens.parameters(), *model.model.layers[0].parameters()):
        parameter.requires_grad_(False)
    model.lm_head.weight.requires_grad_(False)
    set_packed_attention(model, "sdpa")
    expected = gradients(model, padded(given, np.arange(3)))
    frozen = FrozenLayers([model.model.layers[0]])
    kept = frozen.remember(model, given, likelihoods, folder=tmp_path, rows=2, padding={"input_ids": 0})
    assert not isinstance(kept, str)
    model.zero_grad()
    value, _ = frozen.recalling(loss)(model, pack(kept, np.arange(3)))
    value.backward()
    assert float(value.detach()) == pytest.approx(expected[0], rel=1e-5)
    for key, gradient in expected[2].items():
        torch.testing.assert_close(dict(model.named_parameters())[key].grad, gradient, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("accumulate", [1, 3])
def test_a_training_is_the_same_packed_or_not(accumulate: int) -> None:
    """The same steps over the same items, with the same count of tokens, whatever the pieces."""
    given = texts(np.random.default_rng(3).integers(2, 14, 20).tolist())
    told: dict[bool, list[Any]] = {}
    ends: dict[bool, dict[str, torch.Tensor]] = {}
    for packed in (False, True):
        model = decoder("qwen2")
        set_packed_attention(model, "sdpa")
        groups: Any = [
            type("Group", (), {"names": [n for n, _ in model.named_parameters()], "learning_rate": 0.1})(),
        ]
        groups[0].weight_decay = 0.0
        learner = Learner(model, loss, groups, lambda groups: torch.optim.SGD([dict(g) for g in groups]))
        plan = Plan(2, Batching(tokens=40), accumulate if packed else 1, 0, {"input_ids": 0}, packed=packed)
        told[packed] = [event for event in train(learner, given, lambda step: 1.0, plan) if event.event == "step"]
        ends[packed] = {name: tensor.clone() for name, tensor in learner.weights().items()}
    for one, other in zip(told[False], told[True], strict=True):
        assert one.values["items"] == other.values["items"]
        assert one.values["tokens"] == other.values["tokens"]
        assert one.values["loss"] == pytest.approx(other.values["loss"], rel=1e-4)
    for name, tensor in ends[False].items():
        torch.testing.assert_close(ends[True][name], tensor, atol=1e-4, rtol=1e-3)


def test_how_much_is_padded() -> None:
    given = texts([2, 4, 6, 8])
    order = [np.array([0, 3]), np.array([1, 2])]
    assert padding_share(given, order) == (16 + 12) / 20
