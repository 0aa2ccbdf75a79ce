from __future__ import annotations

import json
from pathlib import Path

import pytest
from safetensors.numpy import load_file, save_file
from transformers import AutoModelForSequenceClassification
from transformers.utils import logging

from supertune import models
from supertune.errors import UserError
from tiny_models import CONFIG

HEAD = ("classifier", "pooler")


def test_new_head_is_expected_and_silent(tiny: Path, capfd: pytest.CaptureFixture[str]) -> None:
    source = models.resolve(str(tiny))
    before = logging.get_verbosity(), logging.is_progress_bar_enabled()
    with models.quiet_loading(source):
        _, info = AutoModelForSequenceClassification.from_pretrained(tiny, num_labels=3, output_loading_info=True)
    assert {key.split(".")[0] for key in info["missing_keys"]} == {"classifier", "bert"}
    models.check_body_loaded(info, HEAD, where="tiny")
    assert capfd.readouterr() == ("", "")
    assert (logging.get_verbosity(), logging.is_progress_bar_enabled()) == before


def test_missing_weights_of_the_body_are_named(tiny: Path) -> None:
    state = load_file(tiny / "model.safetensors")
    del state["encoder.layer.0.attention.output.dense.weight"]
    save_file(state, tiny / "model.safetensors", metadata={"format": "pt"})
    source = models.resolve(str(tiny))
    with models.quiet_loading(source):
        _, info = AutoModelForSequenceClassification.from_pretrained(tiny, output_loading_info=True)
    # "dense" is a head's module in some architectures; here it is deep in the body.
    with pytest.raises(UserError, match=r"shape: bert\.encoder\.layer\.0\.attention\.output\.dense\.weight") as caught:
        models.check_body_loaded(info, (*HEAD, "dense"), where=str(tiny))
    assert caught.value.where == str(tiny)


def test_weights_of_another_model_are_refused(tiny: Path) -> None:
    (tiny / "config.json").write_text(json.dumps({**CONFIG, "hidden_size": 8}))
    source = models.resolve(str(tiny))
    with pytest.raises(UserError, match=r"do not fit config\.json"), models.quiet_loading(source):
        AutoModelForSequenceClassification.from_pretrained(tiny)


def test_other_errors_pass_and_the_volume_comes_back(tiny: Path) -> None:
    source = models.resolve(str(tiny))
    before = logging.get_verbosity()
    with pytest.raises(RuntimeError, match=r"^something else$"), models.quiet_loading(source):
        raise RuntimeError("something else")
    assert logging.get_verbosity() == before
