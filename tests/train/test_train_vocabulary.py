"""Training the rows of the embedding that occur equals training the whole of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from train_samples import plan, run
from transformers import AutoModelForSequenceClassification

from supertune.contracts import Features
from supertune.train import UsedVocabulary, collate, cross_entropy

PADDING = 0


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def sample(seed: int, items: int = 12, low: int = 5, high: int = 20) -> Features:
    random = np.random.default_rng(seed)
    lengths = random.integers(3, 9, items)
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    return Features(
        tokens={"input_ids": random.integers(low, high, offsets[-1]).astype(np.int32)},
        offsets=offsets,
        targets={"labels": random.integers(0, 2, items)},
        rows=np.arange(items),
        full_lengths=lengths,
    )


def fresh(folder: Path) -> torch.nn.Module:
    torch.manual_seed(0)
    model = AutoModelForSequenceClassification.from_pretrained(
        folder, num_labels=2, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0
    )
    assert isinstance(model, torch.nn.Module)
    return model


def trained(model: torch.nn.Module, features: Features, padding: int) -> list[float]:
    criterion = cross_entropy()

    def loss(network: torch.nn.Module, batch: dict[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        logits = network(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits
        return criterion(logits, batch["labels"])

    how = plan(epochs=3, batch_size=4, padding={"input_ids": padding})
    events = run(model, features, how, loss, rate=1e-2, decay=0.0)
    return [event.values["loss"] for event in events if event.event == "step"]


def test_losses_and_weights_equal_those_of_the_whole_embedding(tiny_encoder: Path) -> None:
    features = sample(1)
    whole = fresh(tiny_encoder)
    expected = trained(whole, features, PADDING)
    cut = fresh(tiny_encoder)
    before = cut.get_input_embeddings().weight.detach().clone()
    vocabulary = UsedVocabulary(cut, [features], PADDING)
    assert cut.get_input_embeddings().num_embeddings == len(np.unique(features.tokens["input_ids"])) + 1
    losses = trained(cut, vocabulary.encode(features), vocabulary.padding)
    vocabulary.restore(cut)
    assert losses == pytest.approx(expected, abs=1e-6)
    assert losses[-1] < losses[0]
    for (name, one), (_, other) in zip(whole.named_parameters(), cut.named_parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-6, msg=name)
    unused = np.setdiff1d(np.arange(len(before)), features.tokens["input_ids"])
    after = cut.get_input_embeddings().weight.detach()
    assert torch.equal(after[unused], before[unused])
    assert not torch.equal(after, before)


def test_rows_of_every_split_are_kept_and_encoded_alike(tiny_encoder: Path) -> None:
    one, other = sample(1, low=5, high=10), sample(2, low=8, high=25)
    model = fresh(tiny_encoder).eval()
    with torch.no_grad():
        batch = collate(other, np.arange(len(other)), {"input_ids": PADDING})
        expected = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits
        vocabulary = UsedVocabulary(model, [one, other], PADDING)
        batch = collate(vocabulary.encode(other), np.arange(len(other)), {"input_ids": vocabulary.padding})
        found = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits
    torch.testing.assert_close(found, expected, rtol=0, atol=0)


def test_a_frozen_embedding_stays_frozen(tiny_encoder: Path) -> None:
    model = fresh(tiny_encoder)
    model.get_input_embeddings().requires_grad_(False)
    before = model.get_input_embeddings().weight.detach().clone()
    features = replace(sample(3), targets=sample(3).targets)
    vocabulary = UsedVocabulary(model, [features], PADDING)
    assert not model.get_input_embeddings().weight.requires_grad
    vocabulary.restore(model)
    assert torch.equal(model.get_input_embeddings().weight, before)
