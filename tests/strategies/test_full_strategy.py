"""Full fine-tuning: every parameter learns, in one group, and is saved so that plain transformers opens it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForSequenceClassification

from supertune.strategies import STRATEGIES, FullStrategy


@pytest.fixture
def model(tiny_encoder: Path) -> Any:
    torch.manual_seed(0)
    return AutoModelForSequenceClassification.from_pretrained(tiny_encoder, num_labels=3)


def test_every_parameter_learns_in_exactly_one_group(model: Any) -> None:
    model.bert.requires_grad_(False)
    prepared = FullStrategy().prepare(model)
    groups = FullStrategy().parameter_groups(prepared, 1e-4, 0.01)
    names = [name for group in groups for name in group.names]
    assert sorted(names) == sorted(name for name, _ in prepared.named_parameters())
    assert {group.learning_rate for group in groups} == {1e-4}


def test_matrices_decay_and_vectors_do_not(model: Any) -> None:
    decay = {
        name: group.weight_decay for group in FullStrategy().parameter_groups(model, 1e-4, 0.01) for name in group.names
    }
    assert {name for name, value in decay.items() if not value} == {
        name for name, _ in model.named_parameters() if name.endswith(".bias") or "LayerNorm" in name
    }
    assert set(decay.values()) == {0.0, 0.01}


def test_frozen_parameters_are_in_no_group(model: Any) -> None:
    model.bert.requires_grad_(False)
    names = {name for group in FullStrategy().parameter_groups(model, 1e-4, 0.01) for name in group.names}
    assert names == {"classifier.weight", "classifier.bias"}


def test_what_is_saved_opens_with_plain_transformers(
    model: Any, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    FullStrategy().save(model, str(tmp_path), "the-base")
    assert capfd.readouterr() == ("", ""), "transformers' progress bars are not ours"
    opened = AutoModelForSequenceClassification.from_pretrained(tmp_path)
    ids = torch.tensor([[2, 5, 6, 3]])
    assert torch.equal(opened.eval()(ids).logits, model.eval()(ids).logits)


def test_every_strategy_is_registered_under_its_name_with_a_rate_of_its_own() -> None:
    for name, strategy in STRATEGIES.items():
        assert strategy.name == name
        assert 0 < strategy().default_learning_rate() < 1
