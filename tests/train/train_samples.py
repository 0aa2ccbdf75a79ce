"""Small rows and models to train in milliseconds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from transformers import BertConfig, BertForSequenceClassification

from supertune.contracts import Event, Features
from supertune.strategies import FullStrategy
from supertune.train import (
    Batching,
    Learner,
    OptimizerSettings,
    Plan,
    Regularisation,
    build_optimizer,
    cross_entropy,
    row_adam,
    schedule,
    train,
)

VOCABULARY = 40
PADDING = {"input_ids": 0}


def ragged(lengths: Sequence[int], *, classes: int = 3, seed: int = 0) -> Features:
    """Random rows of the given lengths; the label can be read from the first token."""
    generator = np.random.default_rng(seed)
    tokens = generator.integers(1, VOCABULARY, sum(lengths)).astype(np.int32)
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    return Features(
        tokens={"input_ids": tokens},
        offsets=offsets,
        targets={"labels": (np.append(tokens, 0)[offsets[:-1]] % classes).astype(np.int64)},
        rows=np.arange(len(lengths)),
        full_lengths=np.array(lengths, np.int64),
    )


def mixed(count: int, *, longest: int = 20, seed: int = 0) -> Features:
    """Random rows of mixed lengths."""
    return ragged(np.random.default_rng(seed).integers(1, longest + 1, count).tolist(), seed=seed)


def bert(*, dropout: float = 0.0, classes: int = 3, seed: int = 0) -> Any:
    """A classifier of 2 layers × 32 with random weights."""
    config = BertConfig(
        vocab_size=VOCABULARY,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=32,
        hidden_dropout_prob=dropout,
        attention_probs_dropout_prob=dropout,
        num_labels=classes,
    )
    torch.manual_seed(seed)
    return BertForSequenceClassification(config)


def forward(model: torch.nn.Module, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
    logits: torch.Tensor = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits
    return logits


def row_loss(model: torch.nn.Module, batch: Mapping[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    """One supervised item per row."""
    return cross_entropy()(forward(model, batch), batch["labels"])


def token_loss(model: torch.nn.Module, batch: Mapping[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    """As many supervised items in a row as it has tokens: pieces of a step hold very different counts."""
    hidden = model.bert(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).last_hidden_state
    supervised = batch["attention_mask"].bool()
    logits = model.classifier(hidden)[supervised]
    return cross_entropy()(logits, batch["input_ids"][supervised] % 3)


def plan(*, batch_size: int = 8, batch_tokens: int | None = None, **changes: Any) -> Plan:
    values: dict[str, Any] = {"epochs": 1, "accumulate": 1, "seed": 0, "padding": PADDING}
    return Plan(batching=Batching(batch_size, batch_tokens), **{**values, **changes})


def learner(
    model: Any,
    loss: Any = row_loss,
    *,
    rate: float = 1e-4,
    decay: float = 0.01,
    precision: Any = "fp32",
    clip_norm: float = 1.0,
    rows: bool = False,
    optimizer: str = "adamw",
    **regularisation: Any,
) -> Learner:
    """AdamW over every parameter of ``model``; with ``rows`` over those rows of its embedding that are in use."""
    return Learner(
        model,
        loss,
        FullStrategy().parameter_groups(model, rate, decay),
        lambda groups: build_optimizer(optimizer, groups, OptimizerSettings()),
        precision=precision,
        regularisation=Regularisation(clip_norm=clip_norm, **regularisation),
        build_rows=(lambda groups: row_adam(list(groups))) if rows else None,
    )


def run(model: Any, features: Features, how: Plan, loss: Any = row_loss, **options: Any) -> list[Event]:
    """Train to the end and make the model a plain one again."""
    learning = learner(model, loss, **options)
    rate = schedule("linear", how.steps(features), 0.1)
    events = list(train(learning, features, rate, how))
    learning.release()
    return events


def weights(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.detach().clone() for name, value in model.state_dict().items()}
