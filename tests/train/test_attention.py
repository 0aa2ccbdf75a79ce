"""Attention as matrix products equals torch's and transformers', and the choice is one that works."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from train_samples import bert, mixed
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    DistilBertConfig,
    DistilBertForSequenceClassification,
    LlamaConfig,
    LlamaForSequenceClassification,
    ModernBertConfig,
    ModernBertForSequenceClassification,
)

from supertune.train import collate, measure_attention, set_attention

SIZES = {"vocab_size": 40, "num_labels": 3}
LLAMA = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
MODELS = {
    "bert": bert,
    "distilbert": lambda: DistilBertForSequenceClassification(
        DistilBertConfig(dim=32, hidden_dim=64, n_layers=2, n_heads=4, dropout=0.0, attention_dropout=0.0, **SIZES)
    ),
    "modernbert": lambda: ModernBertForSequenceClassification(
        ModernBertConfig(**SIZES, **LLAMA, pad_token_id=0, bos_token_id=1, eos_token_id=2, local_attention=4)
    ),
    "llama with shared keys": lambda: LlamaForSequenceClassification(
        LlamaConfig(**SIZES, **LLAMA, num_key_value_heads=2, pad_token_id=0)
    ),
}


def sample() -> dict[str, torch.Tensor]:
    features = mixed(6, seed=2)
    batch = collate(features, torch.arange(6).numpy(), {"input_ids": 0})
    return {name: batch[name] for name in ("input_ids", "attention_mask")}


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("padded", [True, False])
def test_outputs_and_gradients_equal_those_of_the_others(name: str, padded: bool) -> None:
    batch = sample() if padded else {key: value[-2:, :1] for key, value in sample().items()}
    found: dict[str, tuple[torch.Tensor, list[torch.Tensor]]] = {}
    for way in ("matmul", "sdpa", "eager"):
        torch.manual_seed(0)
        model: Any = MODELS[name]().eval()
        set_attention(model, way)
        logits = model(**batch).logits
        logits.square().sum().backward()
        found[way] = logits.detach(), [value.grad for value in model.parameters() if value.grad is not None]
    for other in ("sdpa", "eager"):
        torch.testing.assert_close(found["matmul"][0], found[other][0], atol=1e-5, rtol=1e-4)
        for one, two in zip(found["matmul"][1], found[other][1], strict=True):
            torch.testing.assert_close(one, two, atol=1e-5, rtol=1e-3)


def test_weights_are_dropped_while_training_only() -> None:
    config = BertConfig(
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=4,
        intermediate_size=64,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.5,
        **SIZES,
    )
    model = BertForSequenceClassification(config)
    set_attention(model, "matmul")
    batch = sample()
    model.train()
    assert not torch.equal(model(**batch).logits, model(**batch).logits)
    model.eval()
    assert torch.equal(model(**batch).logits, model(**batch).logits)


def test_the_choice_was_measured_and_leaves_no_trace() -> None:
    model = bert()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    chosen, seconds = measure_attention(model, sample())
    assert set(seconds) == {"matmul", "sdpa"}
    assert chosen == ("sdpa" if seconds["matmul"] > 1.25 * seconds["sdpa"] else "matmul")
    assert all(value > 0 for value in seconds.values())
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())


def test_what_it_cannot_do_it_refuses() -> None:
    from supertune.train.attention import matmul_attention

    values = torch.ones(1, 1, 2, 4)
    with pytest.raises(NotImplementedError, match="softcap"):
        matmul_attention(torch.nn.Module(), values, values, values, None, softcap=50.0)
