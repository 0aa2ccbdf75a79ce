"""A model of vectors that learns from a cross-encoder: what that is asked, what is learned, and what is recorded."""

from __future__ import annotations

import gc
import hashlib
import shutil
import signal
from collections.abc import Mapping
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from taught_samples import SMALL, asked, command, grouped, manifest, prepared_with, scores_of, write_teacher
from test_retrieval_runs import weights
from test_training_choices import events

import supertune
from supertune.config import Config, load_config
from supertune.console import Console
from supertune.errors import UserError
from supertune.models import weights_digest
from supertune.recipes import teacher as asking
from supertune.recipes.estimate import dry_run
from supertune.recipes.fit import fit
from supertune.recipes.prepare import Prepared
from supertune.recipes.train_one import train_one
from supertune.train import predict_outputs


def in_order(prepared: Prepared, groups: Any, tmp_path: Path) -> float:
    """Share of all two passages of a query that vectors put in the order of the scores, after training on them."""
    train = replace(prepared.learned["train"], groups=groups)
    trained = train_one(
        prepared.start,
        prepared.task,
        {"train": train},
        checkpoints=tmp_path / "checkpoints",
        record=lambda event: None,
        console=Console(quiet=True),
    )
    vectors = predict_outputs(trained.model, train, prepared.task.answering, batch_size=64, padding={"input_ids": 0})
    right = []
    for items, said in zip(groups.items.tolist(), groups.scores, strict=True):
        near = vectors[items[1:]] @ vectors[items[0]]
        for one, other in combinations(range(len(near)), 2):
            right.append((said[1 + one] > said[1 + other]) == (near[one] > near[other]))
    return float(np.mean(right))


# ---------------------------------------------------------------- what is asked


def test_the_teacher_is_asked_what_plain_transformers_says_and_nothing_else(teacher: Path, tiny_encoder: Path) -> None:
    rows = [
        *grouped(20),
        {"query": "late", "passage": "the parcel", "negatives": ["the film", "the parcel is not late"]},
    ]
    # Held-out rows are never asked about; a pair that stands in two groups is asked about once.
    rows.append({"query": "late", "passage": "parcel", "negatives": ["the film"]})
    settings = {"task.teacher": str(teacher), "task.query_prompt": "i ", "data.split": [0.8, 0.1, 0.1]}
    prepared = prepared_with(tiny_encoder, rows, **settings)
    groups, facts = asked(prepared)
    texts = prepared.task.texts_of(prepared.features["train"])  # type: ignore[attr-defined]
    assert np.isnan(groups.scores[groups.items < 0]).all()
    assert np.isnan(groups.scores[:, 0]).all()
    there = np.argwhere(~np.isnan(groups.scores))
    named = [(texts[groups.items[row, 0]], texts[groups.items[row, place]]) for row, place in there.tolist()]
    assert len(named) == (groups.items[:, 1:] >= 0).sum()
    np.testing.assert_allclose(groups.scores[tuple(there.T)], scores_of(teacher, named), atol=2e-5)
    learned = {
        (r["query"], text) for r in prepared.rows.splits["train"].rows() for text in (r["passage"], *r["negatives"])
    }
    assert set(named) == learned
    assert facts is not None
    assert facts["pairs"] == len(learned)
    assert 0 < facts["agreement"] < 0.6


def test_the_teacher_is_let_go_of_before_training(teacher: Path, tiny_encoder: Path) -> None:
    from transformers import BertForSequenceClassification

    prepared = prepared_with(tiny_encoder, grouped(), **{"task.teacher": str(teacher)})
    asked(prepared)
    assert not any(type(each) is BertForSequenceClassification for each in gc.get_objects())


def test_what_was_asked_once_is_kept(
    teacher: Path, tiny_encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SUPERTUNE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(asking, "_PAIRS_AT_ONCE", 16)
    settings = {"task.teacher": str(teacher)}
    first, _ = asked(prepared_with(tiny_encoder, grouped(), **settings))
    files = sorted((tmp_path / "cache/scores").iterdir())
    assert len(files) == -(-int((first.items[:, 1:] >= 0).sum()) // 16)
    # What lies there is what is used, of the pairs and the teacher that it belongs to.
    content = np.full(16, 7.5, "<f4").tobytes()
    files[0].write_bytes(hashlib.sha256(content).digest() + content)
    again, _ = asked(prepared_with(tiny_encoder, grouped(), **settings))
    assert (again.scores == 7.5).sum() == 16
    other = write_teacher(tiny_encoder, tmp_path / "other")
    from safetensors.torch import load_file, save_file

    state = load_file(other / "model.safetensors")
    save_file({**state, "classifier.bias": state["classifier.bias"] + 1}, other / "model.safetensors", {"format": "pt"})
    moved, _ = asked(prepared_with(tiny_encoder, grouped(), **{"task.teacher": str(other)}))
    np.testing.assert_allclose(moved.scores, first.scores + 1, atol=1e-4)
    shutil.rmtree(tmp_path / "cache")
    anew, _ = asked(prepared_with(tiny_encoder, grouped(), **settings))
    assert anew.scores.tobytes() == first.scores.tobytes()


# ---------------------------------------------------------------- what is learned


@pytest.mark.parametrize(
    "settings", [{}, {"train.in_batch_weight": 0.0}, {"train.loss": "margin_mse"}, {"task.teacher": None}]
)
def test_the_student_comes_to_order_passages_as_the_teacher_does_whatever_the_rows_say(
    teacher: Path, tiny_encoder: Path, tmp_path: Path, settings: Mapping[str, Any]
) -> None:
    values = {"train.epochs": 60, "train.learning_rate": 0.005, "train.dropout": 0.0, "train.checkpoint_every": 0}
    everything = {**values, "data.split": [1.0, 0.0, 0.0], "task.teacher": str(teacher)}
    said, facts = asked(prepared_with(tiny_encoder, grouped(), **everything))
    assert facts is not None
    assert facts["agreement"] < 0.5, "the teacher disagrees with most rows"
    share = in_order(prepared_with(tiny_encoder, grouped(), **{**everything, **settings}), said, tmp_path)
    assert share > 0.9 if "task.teacher" not in settings else share < 0.7


def test_fewer_queries_than_all_may_have_nothing_to_compare(
    teacher: Path, tiny_encoder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [{**row, "negatives": row["negatives"] if place > 9 else []} for place, row in enumerate(grouped())]
    settings = {"task.teacher": str(teacher), "data.split": [1.0, 0.0, 0.0]}
    groups, facts = asked(prepared_with(tiny_encoder, rows, **settings))
    assert "10 of 24 queries stand beside nothing" in capsys.readouterr().err
    assert facts is not None
    assert (facts["compared"], facts["pairs"]) == (14, 24 + 3 * 14)
    assert (~np.isnan(groups.scores)).sum() == 24 + 3 * 14


# ---------------------------------------------------------------- runs


def test_a_run_of_the_command_names_its_teacher(workshop: Path) -> None:
    run = workshop / "taught"
    recorded = manifest(run)["teacher"]
    assert recorded["name"] == str(workshop / "order")
    assert recorded["sha256"] == weights_digest(workshop / "order/model")
    assert recorded["pairs"] > 100
    assert 0 <= recorded["agreement"] <= 1
    assert "the teacher puts first what the rows say" in (workshop / "said.txt").read_text(encoding="utf-8")
    config = yaml.safe_load((run / "config.yaml").read_text(encoding="utf-8"))
    assert config["task"]["teacher"] == str(workshop / "order")
    assert config["train"]["loss"] == "kl_divergence"
    card = (run / "model/README.md").read_text(encoding="utf-8")
    assert "## Teacher" in card
    assert recorded["sha256"] in card
    assert recorded["sha256"][:16] in (run / "report.html").read_text(encoding="utf-8")
    losses = [event["loss"] for event in events(supertune.load_run(run)) if event["event"] == "epoch"]
    assert losses[-1] < losses[0]


@pytest.mark.slow
def test_killed_and_gone_on_with_and_repeated_it_comes_to_the_same(
    workshop: Path, tiny_encoder: Path, tmp_path: Path
) -> None:
    fault = {"SUPERTUNE_FAULT": "checkpoint:before-prune:3", "SUPERTUNE_CACHE": str(tmp_path / "cache")}
    assert command(workshop, tiny_encoder, str(tmp_path / "killed"), **fault).returncode == -signal.SIGKILL
    # What was kept is gone: the teacher is asked again, and says the same.
    shutil.rmtree(tmp_path / "cache")
    expected = weights(supertune.load_run(workshop / "taught"))
    resumed = supertune.resume(tmp_path / "killed")
    assert any(event["event"] == "resumed" for event in events(resumed))
    again = fit(load_config(workshop / "taught/config.yaml"), out=tmp_path / "again")
    for run in (resumed, again):
        assert weights(run).keys() == expected.keys()
        assert all(torch.equal(value, expected[name]) for name, value in weights(run).items())
    assert manifest(again.path)["teacher"] == manifest(workshop / "taught")["teacher"]


@pytest.mark.slow
def test_a_teacher_that_changed_since_the_run_began_is_refused(
    workshop: Path, teacher: Path, tiny_encoder: Path, tmp_path: Path
) -> None:
    from safetensors.torch import load_file, save_file

    mine = Path(shutil.copytree(teacher, tmp_path / "mine"))
    fault = {"SUPERTUNE_FAULT": "checkpoint:before-prune:2"}
    run = tmp_path / "run"
    assert command(workshop, tiny_encoder, str(run), "--set", f"task.teacher={mine}", **fault).returncode < 0
    state = load_file(mine / "model.safetensors")
    save_file({**state, "classifier.bias": state["classifier.bias"] + 1}, mine / "model.safetensors", {"format": "pt"})
    with pytest.raises(UserError, match="weights of the teacher have changed"):
        supertune.resume(run)
    shutil.copy(teacher / "model.safetensors", mine / "model.safetensors")
    assert supertune.resume(run).status == "done"


def test_a_dry_run_asks_little_and_keeps_nothing(
    teacher: Path, tiny_encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SUPERTUNE_CACHE", str(tmp_path / "cache"))
    values = {**SMALL, "task.name": "retrieval", "model.name": str(tiny_encoder), "task.teacher": str(teacher)}
    told = dry_run(Config().with_values(values), grouped(), console=Console(quiet=True))
    assert told.cost is not None
    assert told.cost.seconds > 0
    assert not (tmp_path / "cache/scores").exists()
