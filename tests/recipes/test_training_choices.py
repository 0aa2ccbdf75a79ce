"""Every loss, optimizer, schedule and regulariser is reached from its configuration key, and trains."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

import pytest

import supertune
from supertune.config import TrainConfig
from supertune.train import CLASS_LOSSES, DISTILLATION_LOSSES, OPTIMIZERS, RANKING_LOSSES, SHAPES

SETTINGS = {
    "train.epochs": 2,
    "train.restarts": 0,
    "train.batch_size": 8,
    "model.max_length": 16,
    "train.threads": 1,
    "evaluate.baselines": False,
    "evaluate.resamples": 1000,
}
CHOICES: list[dict[str, Any]] = [
    *({"train.loss": name} for name in CLASS_LOSSES),
    *({"train.optimizer": name} for name in OPTIMIZERS),
    *({"train.schedule": name} for name in SHAPES),
    {"train.optimizer": "sgd", "train.nesterov": True, "train.momentum": 0.8},
    {"train.bias_correction": False, "train.betas": [0.8, 0.99], "train.epsilon": 1e-6},
    {"train.batch_tokens": 64},
    {"train.accumulate": 3, "train.clip_norm": 0.0},
    {"train.l1": 1e-4, "train.l2": 1e-3},
    {"train.dropout": 0.3},
    {"train.r_drop": 1.0},
    {"train.adversarial": "fgm", "train.adversarial_epsilon": 0.5},
    {"train.adversarial": "freelb", "train.adversarial_steps": 2},
    {"train.mixout": 0.5},
    {"train.averaging": "ema", "train.ema_decay": 0.9},
    {"train.averaging": "uniform"},
    {"train.label_smoothing": 0.1, "train.class_weights": "balanced"},
    {"strategy.layer_decay": 0.8},
    {"strategy.reinitialise": 1},
    {"train.learning_rate": "find"},
    {"train.attention": "eager"},
    {"train.embeddings": "dense", "train.precision": "bf16"},
    {"train.precision": "fp32", "train.embeddings": "rows"},
]


def rows(count: int = 48) -> list[dict[str, Any]]:
    texts = [(f"a good film, number {index}", "yes") for index in range(count // 2)]
    texts += [(f"一部很差的电影 {index}", "no") for index in range(count // 2)]
    return [{"text": text, "label": label} for text, label in texts]


def fit(tmp_path: Path, model: Path, **settings: Any) -> supertune.Run:
    return supertune.fit(rows(), model=str(model), out=tmp_path / "run", settings={**SETTINGS, **settings})


def events(run: supertune.Run) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run.path / "events.jsonl").read_text(encoding="utf-8").splitlines()]


def losses(run: supertune.Run) -> list[float]:
    return [event["loss"] for event in events(run) if event["event"] == "step"]


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory, tiny_encoder: Path) -> supertune.Run:
    return fit(tmp_path_factory.mktemp("plain"), tiny_encoder)


def test_every_choice_of_the_configuration_is_tried_here() -> None:
    # Rankings and what a teacher says have tests of their own.
    every = {*CLASS_LOSSES, *RANKING_LOSSES, *DISTILLATION_LOSSES}
    for key, registry in (("loss", every), ("optimizer", OPTIMIZERS), ("schedule", SHAPES)):
        assert set(get_args(TrainConfig.model_fields[key].annotation)) - {"auto"} == set(registry)


@pytest.mark.parametrize("choice", CHOICES, ids=lambda choice: " ".join(f"{k}={v}" for k, v in choice.items()))
def test_a_choice_trains_and_makes_a_difference(
    choice: Mapping[str, Any], tmp_path: Path, tiny_encoder: Path, plain: supertune.Run
) -> None:
    run = fit(tmp_path, tiny_encoder, **choice)
    assert run.status == "done"
    assert all(0 <= loss < 100 for loss in losses(run))
    said = (run.path / "config.yaml").read_text(encoding="utf-8")
    assert "auto" not in [line.split(":")[1].split("#")[0].strip() for line in said.splitlines() if ":" in line][:40]
    default = {"cross_entropy", "adamw", "linear"} & set(map(str, choice.values()))
    only_rounding = {"train.attention", "train.embeddings"} & set(choice)
    if not default and not only_rounding:
        assert losses(run) != losses(plain)


def test_several_seeds_keep_the_best_and_tell_the_spread(tmp_path: Path, tiny_encoder: Path) -> None:
    alike = {"train.attention": "matmul", "train.precision": "fp32"}
    run = fit(tmp_path, tiny_encoder, **{**alike, "train.seeds": 3, "train.seed": 5})
    told = json.loads((run.path / "manifest.json").read_text(encoding="utf-8"))["validation_of_seeds"]
    assert [result["seed"] for result in told["seeds"]] == [5, 6, 7]
    scores = [result["score"] for result in told["seeds"]]
    assert told["mean"] == pytest.approx(sum(scores) / 3)
    assert told["standard_deviation"] is not None
    assert [event["seed"] for event in events(run) if event["event"] == "start"] == [5, 6, 7]
    # What is kept is the best seed's model: trained alone, it predicts the same.
    best = told["seeds"][scores.index(max(scores))]["seed"]
    alone = fit(tmp_path / "alone", tiny_encoder, **{**alike, "train.seed": best})
    texts = ["a good film", "电影"]
    assert run.predict(texts) == alone.predict(texts)


def test_a_run_that_learned_nothing_begins_again_with_another_seed(tmp_path: Path, tiny_encoder: Path) -> None:
    run = fit(tmp_path, tiny_encoder, **{"train.learning_rate": 1e-9, "train.restarts": 2})
    told = json.loads((run.path / "manifest.json").read_text(encoding="utf-8"))["validation_of_seeds"]["seeds"]
    restarts = [event for event in events(run) if event["event"] == "restart"]
    if told[0]["degenerate"]:
        assert len(restarts) == told[0]["restarts"] == 2
        assert len({event["to_seed"] for event in restarts}) == 2
    else:
        pytest.skip("the random head happened to tell the classes apart")


def test_no_restart_where_something_was_learned(tmp_path: Path, tiny_encoder: Path) -> None:
    run = fit(tmp_path, tiny_encoder, **{"train.learning_rate": 5e-3, "train.epochs": 8})
    assert run.metrics["validation"]["accuracy"].value > 0.7
    assert not [event for event in events(run) if event["event"] == "restart"]
