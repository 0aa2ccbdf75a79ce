"""The verbs of ``import supertune``, on rows that are in memory."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import supertune
from supertune.errors import GateError, UserError

SETTINGS = {"train.epochs": 2, "train.precision": "fp32", "model.max_length": 16, "train.threads": 1}


def rows() -> list[dict[str, Any]]:
    """Sixty texts, of which a third are in Chinese, with integer labels."""
    good = [f"good film number {index}" for index in range(20)] + [f"第{index}部电影很好" for index in range(10)]
    bad = [f"bad film number {index}" for index in range(20)] + [f"第{index}部电影很差" for index in range(10)]
    return [{"review": text, "label": 1} for text in good] + [{"review": text, "label": 0} for text in bad]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, tiny_encoder: Path) -> supertune.Run:
    out = tmp_path_factory.mktemp("api") / "run"
    return supertune.fit(rows(), model=str(tiny_encoder), out=out, seed=3, settings=SETTINGS)


def test_fit_gives_a_finished_run_with_scores_and_report(run: supertune.Run) -> None:
    assert run.status == "done"
    assert 0 <= run.metrics["test"]["f1_macro"].low <= run.metrics["test"]["f1_macro"].high <= 1
    assert run.report.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert run.summary()["metrics"]["test"]["accuracy"]["n"] == 6


def test_predictions_keep_the_type_of_the_labels(run: supertune.Run) -> None:
    answers = run.predict(["good film", "电影很差"])
    assert all(type(answer["prediction"]) is int for answer in answers)
    assert run.predict(pd.DataFrame({"review": ["good film", "电影很差"]})) == answers
    with pytest.raises(UserError, match="no column 'review'"):
        run.predict([{"text": "good film"}])


def test_a_run_opened_again_says_the_same(run: supertune.Run) -> None:
    again = supertune.load_run(run.path)
    assert again.metrics == run.metrics
    assert again.predict(["good film"]) == run.predict(["good film"])
    assert again.evaluate(rows())["metrics"]["test"]["accuracy"]["n"] == 60
    model, tokenizer = again.model()
    assert model.config.id2label == {0: "0", 1: "1"}
    assert tokenizer.model_max_length == 16


def test_a_data_frame_trains_like_the_list_it_was_made_from(
    run: supertune.Run, tmp_path: Path, tiny_encoder: Path
) -> None:
    frame = pd.DataFrame(rows())
    again = supertune.fit(frame, model=str(tiny_encoder), out=tmp_path / "run", seed=3, settings=SETTINGS)
    assert again.metrics == run.metrics


def test_check_finds_and_the_gate_stops_what_check_calls_an_error(tmp_path: Path, tiny_encoder: Path) -> None:
    contradictory = [*rows(), *({**row, "label": 1 - row["label"]} for row in rows()[:10])]
    report = supertune.check(contradictory, model=str(tiny_encoder))
    assert [(finding.check, finding.severity) for finding in report.findings] == [("label-conflicts", "error")]
    with pytest.raises(GateError, match="--allow label-conflicts"):
        supertune.fit(contradictory, model=str(tiny_encoder), out=tmp_path / "stopped", settings=SETTINGS)
    assert supertune.load_run(tmp_path / "stopped").status == "failed"
    allowed = supertune.fit(
        contradictory,
        model=str(tiny_encoder),
        out=tmp_path / "allowed",
        allow=["label-conflicts"],
        settings=SETTINGS,
    )
    assert allowed.status == "done"


def test_what_was_cleaned_is_told_in_manifest_and_card(tmp_path: Path, tiny_encoder: Path) -> None:
    rows = [{"text": f"<b>good</b> {n}" if n % 2 else f" bad {n}", "label": ["pos", "neg"][n % 2]} for n in range(60)]
    supertune.clean([*rows, rows[0]], out=tmp_path / "cleaned")
    run = supertune.fit(tmp_path / "cleaned", model=str(tiny_encoder), out=tmp_path / "run", settings=SETTINGS)
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text())
    names = [step["name"] for step in manifest["data"]["train"]["lineage"]]
    assert names[:3] == ["read", "clean:encoding", "clean:html"]
    assert names.index("clean:exact-duplicates") < names.index("split:train")
    assert run.metrics["test"]
    card = (tmp_path / "run" / "model" / "README.md").read_text(encoding="utf-8")
    assert "encoding, html, control-characters" in card
    assert "61 rows before, 60 after" in card


def test_inspect_and_read_take_rows_too(tiny_encoder: Path) -> None:
    shown = supertune.inspect(rows(), model=str(tiny_encoder), rows=2)
    assert [row.row for row in shown.rows] == [0, 1]
    assert len(supertune.read(rows())) == 60


def test_a_mistake_before_training_leaves_no_folder(tmp_path: Path, tiny_encoder: Path) -> None:
    with pytest.raises(UserError, match="no column 'nope'"):
        supertune.fit(rows(), label="nope", model=str(tiny_encoder), out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_unlabelled_test_rows_are_predicted_but_not_scored(tmp_path: Path, tiny_encoder: Path) -> None:
    import json

    test = tmp_path / "test.jsonl"
    labels = [1, None, 0]
    test.write_text(
        "".join(json.dumps({"review": f"a film {index}", "label": label}) + "\n" for index, label in enumerate(labels)),
        encoding="utf-8",
    )
    run = supertune.fit(rows(), test=str(test), model=str(tiny_encoder), out=tmp_path / "run", settings=SETTINGS)
    assert run.metrics["test"]["accuracy"].n == 2
    predictions = (run.path / "predictions/test.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["label"] for line in predictions] == labels
