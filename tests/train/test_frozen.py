"""Frozen layers that are computed once: the same losses, gradients and answers as computing them every time."""

from __future__ import annotations

import os
from collections import namedtuple
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from architectures import classifier, moved
from supertune.contracts import Features
from supertune.models import override_dropout
from supertune.strategies import build_strategy
from supertune.train import FrozenLayers, collate, cross_entropy
from supertune.train.frozen import STATES

PADDING = {"input_ids": 0}


def features(count: int = 20) -> Features:
    random = np.random.default_rng(0)
    lengths = random.integers(2, 12, count)
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    return Features(
        tokens={"input_ids": random.integers(5, 40, int(lengths.sum())).astype(np.int32)},
        offsets=offsets,
        targets={"labels": random.integers(0, 3, count)},
        rows=np.arange(count),
        full_lengths=lengths.astype(np.int64),
    )


def forward(model: Any, batch: Any) -> torch.Tensor:
    logits: torch.Tensor = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits
    return logits


def loss(model: Any, batch: Any) -> tuple[torch.Tensor, torch.Tensor]:
    return cross_entropy()(forward(model, batch).float(), batch["labels"])


def partly_frozen(architecture: str, learning: int = 1) -> tuple[Any, FrozenLayers]:
    strategy = build_strategy("partial", {"layers": learning})
    # Weights as far apart as trained ones, in every layer.
    model = strategy.prepare(moved(classifier(architecture)))
    override_dropout(model, 0.0)
    prefix = strategy.frozen_prefix(model)
    assert len(prefix.layers) == 3 - learning
    return model, FrozenLayers([model.get_submodule(name) for name in prefix.layers])


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(
    "architecture", ["bert", "xlm-roberta", "distilbert", "modernbert", "deberta-v2", "electra", "llama", "gpt2"]
)
def test_recalled_is_what_is_computed(architecture: str, dtype: torch.dtype, tmp_path: Path) -> None:
    model, frozen = partly_frozen(architecture)
    model.to(dtype)
    given = features()
    kept = frozen.remember(model, given, forward, folder=tmp_path, rows=8, padding=PADDING)
    assert not isinstance(kept, str)
    assert kept.tokens[STATES].shape == (len(given.tokens["input_ids"]), 16)
    assert not list(tmp_path.iterdir()), "a file without a name"
    model.train()
    for items in (np.arange(6), np.array([3, 11, 19]), np.array([7])):
        found = []
        for source in (given, kept):
            model.zero_grad()
            value, _ = frozen.recalling(loss)(model, collate(source, items, PADDING))
            value.backward()
            found.append(
                (value.detach(), {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None})
            )
        tolerance = 1e-5 if dtype == torch.float32 else 0.05
        (computed, gradients), (recalled, others) = found
        assert abs(float(computed - recalled)) <= tolerance * len(items)
        assert gradients.keys() == others.keys()
        for name, gradient in gradients.items():
            torch.testing.assert_close(others[name], gradient, atol=tolerance, rtol=10 * tolerance)


def test_the_layers_are_not_computed_again(tmp_path: Path) -> None:
    model, _ = partly_frozen("bert")
    passed: list[str] = []
    first = model.bert.encoder.layer[0]
    first.attention.register_forward_hook(lambda *call: passed.append("computed"))
    frozen = FrozenLayers(list(model.bert.encoder.layer[:2]))
    kept = frozen.remember(model, features(), forward, folder=tmp_path, rows=8, padding=PADDING)
    passed.clear()
    frozen.recalling(loss)(model, collate(kept, np.arange(4), PADDING))
    assert not passed
    frozen.recalling(loss)(model, collate(features(), np.arange(4), PADDING))
    assert passed


def test_nothing_is_frozen_below_what_learns() -> None:
    for name, how in (("full", {}), ("bitfit", {}), ("layernorm", {}), ("lora", {}), ("adapter", {}), ("prompt", {})):
        strategy = build_strategy(name, how)
        assert strategy.frozen_prefix(strategy.prepare(classifier("bert"))).layers == ()
    strategy = build_strategy("partial", {"modules": ["bert.embeddings", "*.layer.2.*"]})
    assert strategy.frozen_prefix(strategy.prepare(classifier("bert"))).layers == ()
    strategy = build_strategy("partial", {"modules": ["*.layer.1.*"]})
    prefix = strategy.frozen_prefix(strategy.prepare(classifier("bert")))
    assert prefix.layers == ("bert.encoder.layer.0",)
    assert prefix.beside == ("bert.embeddings",)
    # DeBERTa's layers read what stands behind them in the model.
    strategy = build_strategy("partial", {"modules": ["deberta.encoder.rel_embeddings"]})
    assert strategy.frozen_prefix(strategy.prepare(classifier("deberta-v2"))).layers == ()
    strategy = build_strategy("partial", {"layers": 1})
    assert "deberta.encoder.rel_embeddings" in strategy.frozen_prefix(strategy.prepare(classifier("deberta-v2"))).beside
    strategy = build_strategy("partial", {"layers": 1})
    assert strategy.frozen_prefix(strategy.prepare(classifier("bart"))).layers == ()


def test_a_disk_without_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model, frozen = partly_frozen("bert")
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage(10**9, 10**9 - 1000, 1000))
    assert "not the room" in frozen.remember(model, features(), forward, folder=tmp_path, rows=8, padding=PADDING)
    monkeypatch.undo()

    def full(*call: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    assert "not the room" in frozen.remember(model, features(), forward, folder=tmp_path, rows=8, padding=PADDING)
    assert not list(tmp_path.iterdir())


def test_a_model_that_reads_its_lower_layers_elsewhere_computes_them(tmp_path: Path) -> None:
    model, frozen = partly_frozen("bert")

    def reading(model: Any, batch: Any) -> torch.Tensor:
        told = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"], output_hidden_states=True)
        lower: torch.Tensor = told.hidden_states[1]
        return told.logits + 10 * lower[:, 0, :3]

    assert "more places" in frozen.remember(model, features(), reading, folder=tmp_path, rows=8, padding=PADDING)
