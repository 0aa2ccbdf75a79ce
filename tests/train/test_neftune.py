"""Noise on the word embeddings: as much as the paper says, while training, and never otherwise."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import transformers
from hypothesis import given, settings
from hypothesis import strategies as st

from supertune.contracts import Features, model_inputs
from supertune.train import collate, neftune, pack

WIDTH = 32


def decoder() -> Any:
    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        vocab_size=40, hidden_size=WIDTH, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2
    )
    return transformers.LlamaForCausalLM(config).train()


def texts(lengths: list[int]) -> Features:
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    ids = np.arange(offsets[-1], dtype=np.int32) % 40
    return Features({"input_ids": ids}, offsets, {}, np.arange(len(lengths)), np.array(lengths, np.int64))


def embedded(model: Any, batch: Any) -> torch.Tensor:
    """What the first layer gets."""
    found: list[torch.Tensor] = []
    hook = model.model.layers[0].register_forward_pre_hook(lambda _, given: found.append(given[0]))
    with torch.no_grad():
        model(**{name: value for name, value in model_inputs(batch).items() if name != "attention_mask"})
    hook.remove()
    return found[0]


MODEL = decoder()


@given(lengths=st.lists(st.integers(1, 30), min_size=1, max_size=5), alpha=st.floats(0.5, 20), packed=st.booleans())
@settings(max_examples=25, deadline=None)
def test_the_noise_is_within_the_papers_bound_for_each_text(lengths: list[int], alpha: float, packed: bool) -> None:
    rows, items = texts(lengths), np.arange(len(lengths))
    MODEL.train()
    batch = pack(rows, items) if packed else collate(rows, items, {"input_ids": 0})
    noise = neftune(embedded, alpha)(MODEL, batch) - embedded(MODEL, batch)
    each = noise[0].split(lengths) if packed else [noise[i, :n] for i, n in enumerate(lengths)]
    for length, part in zip(lengths, each, strict=True):
        bound = alpha / (length * WIDTH) ** 0.5
        assert float(part.abs().max()) <= bound * 1.001
        # Of 32 draws and more, one is near the bound, and both signs are there.
        assert float(part.abs().max()) > 0.7 * bound
        assert (part > 0).any()
        assert (part < 0).any()


def test_it_repeats_with_the_seed_and_differs_from_pass_to_pass() -> None:
    batch = collate(texts([5, 8]), np.arange(2), {"input_ids": 0})
    MODEL.train()
    noisy = neftune(embedded, 5.0)
    torch.manual_seed(1)
    first, second = noisy(MODEL, batch), noisy(MODEL, batch)
    torch.manual_seed(1)
    assert torch.equal(noisy(MODEL, batch), first)
    assert not torch.equal(first, second)


def test_there_is_none_in_evaluation_and_none_without_alpha() -> None:
    batch = collate(texts([5, 8]), np.arange(2), {"input_ids": 0})
    MODEL.eval()
    assert torch.equal(neftune(embedded, 5.0)(MODEL, batch), embedded(MODEL, batch))
    assert neftune(embedded, 0.0) is embedded
    MODEL.train()
    neftune(embedded, 5.0)(MODEL, batch)
    assert not MODEL.get_input_embeddings()._forward_hooks
