"""What a model forgets when it learns to write, and what helps: other texts mixed in, and part of the way back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_written_runs import fit, stored, weights, written

import supertune
from supertune.errors import UserError
from supertune.general_texts import GENERAL_LANGUAGES, general_probes, general_texts
from supertune.language import is_chinese
from supertune.recipes.saved import open_saved
from tiny_decoders import face_rows


@pytest.fixture(scope="module")
def taught(tmp_path_factory: pytest.TempPathFactory, tiny_decoder: Path) -> supertune.Run:
    folder = tmp_path_factory.mktemp("taught")
    how = {"evaluate__baselines": True, "evaluate__generate": 2, "evaluate__language": "en", "train__epochs": 6}
    return fit(face_rows("chat", 16), folder, tiny_decoder, "chat", "lora", **how)


def test_general_texts_are_of_their_language_and_probes_have_four_different_ends() -> None:
    for language in GENERAL_LANGUAGES:
        texts, probes = general_texts(language), general_probes(language)
        assert len(texts) == len(set(texts)) >= 30
        assert len(probes) >= 24
        assert all(is_chinese(text) == (language == "zh") for text in texts)
        for probe in probes:
            assert len(set(probe.ends)) == len(probe.texts(language)) == 4
            assert all(text.startswith(probe.begin) for text in probe.texts(language))


def test_general_texts_are_measured_before_and_after(taught: supertune.Run) -> None:
    metrics = taught.metrics
    for name in ("general_en", "general_zh"):
        before, after = metrics[f"{name}_untrained"], metrics[name]
        assert before["bits_per_character"].n == after["bits_per_character"].n == 30
        assert after["bits_per_character"].value != before["bits_per_character"].value
        assert after["accuracy"].n == 24
    report = taught.report.read_text(encoding="utf-8")
    assert "What it knew before" in report
    # The numbers are those of the model as it lies in the run, text by text.
    saved = open_saved(taught.path / "model")
    import torch

    costs = characters = 0.0
    for text in general_texts("en"):
        ids = torch.tensor([[1, *saved.tokenizer(text, add_special_tokens=False)["input_ids"], 2]])
        with torch.no_grad():
            logits = saved.model(input_ids=ids).logits[0, :-1]
        costs += float(torch.nn.functional.cross_entropy(logits, ids[0, 1:], reduction="sum")) / np.log(2)
        characters += len(text)
    assert metrics["general_en"]["bits_per_character"].value == pytest.approx(costs / characters, rel=1e-4)


def test_general_texts_may_be_of_ones_own_or_left_out(tmp_path: Path, tiny_decoder: Path) -> None:
    own = tmp_path / "own"
    own.mkdir()
    general = written([{"text": text} for text in ("A first text.", "Another one.", "包裹 迟到 了。")], own)
    how = {"evaluate__baselines": True, "evaluate__generate": 1, "train__epochs": 1}
    run = fit(face_rows("chat", 9), tmp_path, tiny_decoder, "chat", "lora", **how, evaluate__general=general)
    assert run.metrics["general"]["bits_per_character"].n == 3
    assert "accuracy" not in run.metrics["general"]
    without = fit(face_rows("chat", 9), tmp_path / "no", tiny_decoder, "chat", "lora", **how, evaluate__general="none")
    assert not any(name.startswith("general") for name in without.metrics)


def test_other_files_are_learned_from_as_often_as_asked(tmp_path: Path, tiny_decoder: Path) -> None:
    others = tmp_path / "others"
    others.mkdir()
    translations = written(face_rows("translation", 10), others)
    plain = written(face_rows("text", 8), others)
    mix = {translations: 0.5, plain: 2.0}
    run = fit(face_rows("chat", 12), tmp_path, tiny_decoder, "chat", "lora", train__epochs=1, data__mix=mix)
    manifest = json.loads((run.path / "manifest.json").read_text())
    taken = {Path(path).name: (facts["rows"], facts["items"]) for path, facts in manifest["mixed"].items()}
    assert taken == {Path(translations).name: (10, 5), Path(plain).name: (8, 16)}
    assert manifest["examples_seen"] == 12 + 5 + 16
    # What is held out stays what was given.
    assert len(stored(run)) == 12
    assert json.loads((run.path / "rows.json").read_text())["train"]["rows"] == 12


def test_mixing_in_what_was_known_keeps_it(tmp_path: Path, tiny_decoder: Path) -> None:
    """A model that knows texts by heart forgets them when it learns to chat, unless they are among what it learns."""
    knows = fit(face_rows("text", 12), tmp_path / "knows", tiny_decoder, "text", train__epochs=30)
    others = tmp_path / "others"
    others.mkdir()
    general = written(face_rows("text", 12), others)
    how = {"train__epochs": 12, "evaluate__baselines": True, "evaluate__generate": 1, "evaluate__general": general}
    found = {}
    for name, more in (
        ("alone", {}),
        ("mixed", {"data__mix": {general: 1.0}}),
        ("back", {"train__interpolation": 0.5}),
    ):
        run = fit(face_rows("chat", 12), tmp_path / name, knows.path / "model", "chat", **how, **more)
        found[name] = run.metrics["general"]["bits_per_character"].value
        before = run.metrics["general_untrained"]["bits_per_character"].value
    assert found["mixed"] < found["back"] < found["alone"]
    assert found["alone"] > before + 0.5
    assert found["mixed"] < before + 0.2
    alone = (tmp_path / "alone/run/report.html").read_text(encoding="utf-8")
    assert "forgotten some of what it knew" in alone or "遗忘了部分原有知识" in alone


def test_going_back_halves_what_lora_adds(tmp_path: Path, tiny_decoder: Path) -> None:
    how = {"train__epochs": 1, "evaluate__generate": 0}
    whole = weights(fit(face_rows("chat", 9), tmp_path / "whole", tiny_decoder, "chat", "lora", **how))
    half = weights(
        fit(face_rows("chat", 9), tmp_path / "half", tiny_decoder, "chat", "lora", **how, train__interpolation=0.5)
    )
    for name, tensor in whole.items():
        expected = tensor / 2 if "lora_B" in name else tensor
        assert (half[name] - expected).abs().max() < 1e-7


@pytest.mark.parametrize(
    ("settings", "where"),
    [
        ({"train__interpolation": 0.5, "strategy__name": "prompt"}, "train.interpolation"),
        ({"data__mix": {"nowhere.jsonl": 1.0}}, "nowhere.jsonl"),
        ({"data__mix": {"x.jsonl": 0.0}}, "--set"),
        ({"evaluate__general": "nowhere.txt"}, "nowhere.txt"),
    ],
)
def test_what_makes_no_sense_is_refused(
    settings: dict[str, Any], where: str, tmp_path: Path, tiny_decoder: Path
) -> None:
    with pytest.raises(UserError) as caught:
        fit(face_rows("chat", 9), tmp_path, tiny_decoder, "chat", train__epochs=1, evaluate__baselines=True, **settings)
    assert where in str(caught.value.where)


def test_only_what_is_written_is_mixed(tmp_path: Path, tiny_encoder: Path) -> None:
    rows = [{"text": f"good {i}", "label": "a" if i % 2 else "b"} for i in range(20)]
    for settings in ({"data.mix": {"x": 1.0}}, {"train.interpolation": 0.5}):
        with pytest.raises(UserError, match="means nothing for classification"):
            supertune.fit(rows, model=str(tiny_encoder), out=tmp_path / "run", settings=settings)
