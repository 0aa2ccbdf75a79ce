"""A task's head on a pre-trained body."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from supertune.contracts import Head
from supertune.errors import UserError
from supertune.models import load_with_head, resolve

LABELS = [f"label {index}" for index in range(11)]


def head(labels: list[str]) -> Head:
    return Head(
        "AutoModelForSequenceClassification",
        {
            "num_labels": len(labels),
            "id2label": dict(enumerate(labels)),
            "label2id": {label: index for index, label in enumerate(labels)},
        },
    )


@pytest.fixture
def folder(tiny_encoder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_encoder, tmp_path / "model"))


def test_the_body_is_the_folder_s_and_the_head_is_new(folder: Path) -> None:
    model = load_with_head(resolve(str(folder)), head(LABELS), pad_token_id=0)
    stored = load_file(folder / "model.safetensors")
    state = model.state_dict()
    assert all(torch.equal(value, state[f"bert.{name}"]) for name, value in stored.items())
    assert model.classifier.weight.shape == (11, 32)
    assert not model.training


def test_labels_keep_their_order_through_saving(folder: Path, tmp_path: Path) -> None:
    model = load_with_head(resolve(str(folder)), head(LABELS), pad_token_id=0)
    shutil.copytree(folder, tmp_path / "saved")
    model.save_pretrained(tmp_path / "saved")
    config = json.loads((tmp_path / "saved" / "config.json").read_text())
    assert config["id2label"] == {str(index): label for index, label in enumerate(LABELS)}
    again = load_with_head(resolve(str(tmp_path / "saved")), head(LABELS), pad_token_id=0)
    assert [again.config.id2label[index] for index in range(11)] == LABELS
    assert torch.equal(again.classifier.weight, model.classifier.weight)


def test_the_new_head_is_torch_s_seed_s(folder: Path) -> None:
    drawn = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        drawn.append(load_with_head(resolve(str(folder)), head(["a", "b"]), pad_token_id=0).classifier.weight)
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])


def test_a_new_pooler_keeps_lengths_and_a_stored_one_is_kept(folder: Path) -> None:
    stored = load_file(folder / "model.safetensors")
    kept = load_with_head(resolve(str(folder)), head(LABELS), pad_token_id=0).bert.pooler.dense.weight
    assert torch.equal(kept, stored["pooler.dense.weight"])
    save_file(
        {name: value for name, value in stored.items() if not name.startswith("pooler.")},
        folder / "model.safetensors",
        metadata={"format": "pt"},
    )
    model = load_with_head(resolve(str(folder)), head(LABELS), pad_token_id=0)
    new = model.bert.pooler.dense.weight
    torch.testing.assert_close(new @ new.T, torch.eye(32), atol=1e-5, rtol=0)
    assert float(model.classifier.weight.detach().std()) == pytest.approx(model.config.initializer_range, rel=0.3)


def test_a_head_for_other_labels_is_drawn_anew(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "saved")
    load_with_head(resolve(str(folder)), head(LABELS), pad_token_id=0).save_pretrained(tmp_path / "saved")
    model = load_with_head(resolve(str(tmp_path / "saved")), head(["a", "b"]), pad_token_id=0)
    assert model.classifier.weight.shape == (2, 32)
    assert model.config.id2label == {0: "a", 1: "b"}


def test_half_precision_weights_become_full(folder: Path) -> None:
    stored = load_file(folder / "model.safetensors")
    save_file(
        {name: value.bfloat16() for name, value in stored.items()}, folder / "model.safetensors", {"format": "pt"}
    )
    model = load_with_head(resolve(str(folder)), head(["a", "b"]), pad_token_id=0)
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}


def test_a_body_with_a_hole_is_refused(folder: Path) -> None:
    stored = load_file(folder / "model.safetensors")
    del stored["encoder.layer.1.output.dense.weight"]
    save_file(stored, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(UserError, match=r"encoder\.layer\.1\.output\.dense\.weight"):
        load_with_head(resolve(str(folder)), head(["a", "b"]), pad_token_id=0)


def test_a_body_of_another_shape_is_refused(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "intermediate_size": 48}))
    with pytest.raises(UserError, match="another shape"):
        load_with_head(resolve(str(folder)), head(["a", "b"]), pad_token_id=0)


def test_an_architecture_without_such_a_head_is_refused(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "model_type": "clip"}))
    with pytest.raises(UserError, match="'clip' has no AutoModelForSequenceClassification") as error:
        load_with_head(resolve(str(folder)), head(["a", "b"]), pad_token_id=0)
    assert error.value.where == str(folder)


def test_a_trained_model_without_its_head_is_refused(folder: Path) -> None:
    with pytest.raises(UserError, match=r"classifier\.weight"):
        load_with_head(resolve(str(folder)), head(["a", "b"]), pad_token_id=0, new=False)
