"""Runs whose texts are packed, whose layers are computed again, whose embeddings are noisy: the same runs otherwise."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

import supertune
from supertune.errors import UserError
from tiny_decoders import TINY, face_rows, write_tiny_decoder

SETTINGS = TINY | {"train.epochs": 2, "evaluate.generate": 0, "evaluate.baselines": False}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("packed")
    write_tiny_decoder(found / "model")
    rows = face_rows("translation", 40)
    # Of unlike lengths: batches would be padded much.
    for number, row in enumerate(rows):
        row["en"] += " tea" * (25 if number % 8 == 0 else 0)
    (found / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return found


def train(folder: Path, name: str, **settings: Any) -> Path:
    supertune.fit(
        str(folder / "rows.jsonl"),
        task="translation",
        model=str(folder / "model"),
        out=folder / name,
        settings={**SETTINGS, **{key.replace("_", ".", 1): value for key, value in settings.items()}},
        quiet=True,
    )
    return folder / name


def losses(run: Path, event: str) -> list[float]:
    rows = [json.loads(line) for line in (run / "events.jsonl").read_text(encoding="utf-8").splitlines()]
    return [row["loss" if event == "step" else "loss_per_token"] for row in rows if row["event"] == event]


def digest(run: Path) -> str:
    (file,) = (run / "model").glob("*.safetensors")
    return hashlib.sha256(file.read_bytes()).hexdigest()


def chosen(run: Path) -> Any:
    return yaml.safe_load((run / "config.yaml").read_text(encoding="utf-8"))["train"]


def test_packed_by_itself_and_the_same_as_padded(folder: Path) -> None:
    padded = train(folder, "padded", train_packing=False)
    packed = train(folder, "packed", train_checkpoint_activations=True)
    assert chosen(packed)["packing"] is True
    assert chosen(padded)["checkpoint_activations"] is False
    assert losses(packed, "step") == pytest.approx(losses(padded, "step"), rel=1e-4)
    assert losses(packed, "validation") == pytest.approx(losses(padded, "validation"), rel=1e-4)


@pytest.mark.slow
def test_killed_and_gone_on_with(folder: Path) -> None:
    """Noise, place in the epoch and packing return: the weights are, bit for bit, those of a run that nobody killed."""
    settings = {"train_packing": True, "train_neftune": 5.0, "train_checkpoint_activations": True}
    whole = train(folder, "whole", **settings, train_checkpoint_every=3)
    given = {**SETTINGS, **{key.replace("_", ".", 1): value for key, value in settings.items()}}
    given["train.checkpoint_every"] = 3
    command = [sys.executable, "-m", "supertune", "train", str(folder / "rows.jsonl"), "--task", "translation"]
    command += ["--model", str(folder / "model"), "--out", str(folder / "killed"), "--quiet"]
    command += [part for key, value in given.items() for part in ("--set", f"{key}={json.dumps(value)}")]
    # The first checkpoint is in the middle of the first epoch.
    surroundings = {**os.environ, "SUPERTUNE_FAULT": "checkpoint:before-prune:1"}
    done = subprocess.run(command, env=surroundings, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert losses(folder / "killed", "step"), "it had begun"
    supertune.resume(folder / "killed", quiet=True)
    assert digest(folder / "killed") == digest(whole)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"strategy_name": "prompt"}, "before each text"),
        ({"train_adversarial": "fgm"}, "by itself"),
    ],
)
def test_packing_that_cannot_be_is_refused(folder: Path, settings: dict[str, Any], told: str) -> None:
    with pytest.raises(UserError, match=told):
        train(folder, "refused", train_packing=True, **settings)


def test_packing_means_nothing_for_classes(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="means nothing"):
        supertune.fit([{"text": "a", "label": "b"}], settings={"train.packing": True}, out=tmp_path / "run", quiet=True)
