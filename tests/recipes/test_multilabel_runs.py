"""Several labels per row from the command to the saved run and back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from test_regression_runs import card_numbers, stored, written_settings
from test_regression_runs import fit as fit_quickly
from test_training_choices import events

import supertune
from supertune.errors import UserError
from supertune.recipes.predict import readable

STEADY: dict[str, Any] = {
    "train.learning_rate": 0.003,
    "train.epochs": 12,
    # What is measured to choose attention may be chosen otherwise the next time.
    "train.precision": "fp32",
    "evaluate.language": "en",
}


def fit(data: Any, folder: Path, model: Path, **settings: Any) -> supertune.Run:
    return fit_quickly(data, folder, model, task="multilabel", settings={**STEADY, **settings})


def rows(count: int = 80) -> list[dict[str, Any]]:
    """Which words a text holds; every eighth text holds none of them."""
    made = []
    for row in range(count):
        labels = [name for bit, name in enumerate(("good", "bad", "很好")) if (row >> bit) & 1]
        made.append({"text": f"film {' '.join(labels)} 电影 {row}", "labels": labels})
    return made


@pytest.fixture(scope="module")
def tagged(tmp_path_factory: pytest.TempPathFactory, tiny_encoder: Path) -> supertune.Run:
    return fit(rows(), tmp_path_factory.mktemp("tagged"), tiny_encoder, **{"evaluate.baselines": True})


def test_labels_are_learned_and_told_as_lists(tagged: supertune.Run) -> None:
    metrics = tagged.metrics["test"]
    assert {"f1_micro", "f1_macro", "subset_accuracy", "label_ranking", "f1/good", "recall/很好"} <= set(metrics)
    assert metrics["f1_micro"].value > 0.8
    assert {"test_majority", "test_tfidf"} <= set(tagged.metrics)
    assert tagged.metrics["test_majority"]["f1_micro"].value < metrics["f1_micro"].value
    for row in stored(tagged):
        assert isinstance(row["prediction"], list)
        assert set(row["scores"]) == {"good", "bad", "很好"}
        assert sorted(row["prediction"], key=lambda label: -row["scores"][label]) == row["prediction"]


def test_what_is_read_back_says_the_same_in_every_way(tagged: supertune.Run) -> None:
    assert json.loads((tagged.path / "manifest.json").read_text())["reload_check"]["max_difference"] <= 1e-6
    before = stored(tagged)[:5]
    again = supertune.load_run(tagged.path).predict([row["text"] for row in before])
    ask = f"texts = {[row['text'] for row in before]!r}\n"
    plain, given = card_numbers(tagged.path / "model", ask, "torch.stack([probabilities, given.float()])")
    for old, new, bare, flags in zip(before, again, plain, given, strict=True):
        assert new["prediction"] == old["prediction"]
        assert list(old["scores"].values()) == pytest.approx(bare, abs=1e-5)
        assert {name for name, flag in zip(old["scores"], flags, strict=True) if flag} == set(old["prediction"])
    assert tagged.evaluate(rows())["metrics"]["test"]["f1_micro"]["n"] == 80


def test_thresholds_are_chosen_on_validation_rows_and_kept(tagged: supertune.Run) -> None:
    state = json.loads((tagged.path / "model/supertune.json").read_text(encoding="utf-8"))["state"]
    assert len(state["thresholds"]) == 3
    assert state["some"] is False
    told = [event for event in events(tagged) if event["event"] == "validation"]
    assert all({"f1_micro", "subset_accuracy", "log_loss"} <= set(event) for event in told)
    assert told[-1]["f1_micro"] > told[0]["f1_micro"]


def test_the_report_shows_every_label_and_which_come_together(tagged: supertune.Run) -> None:
    report = tagged.report.read_text(encoding="utf-8")
    for said in (
        "Label by label",
        "Which labels come together",
        "How many labels a row has",
        "exactly the right labels",
    ):
        assert said in report
    assert "multi-label" in (tagged.path / "model/README.md").read_text(encoding="utf-8")


def test_a_prediction_is_told_in_a_line(tagged: supertune.Run) -> None:
    found = tagged.predict(["film good 很好 电影 9", "film 电影 16"])
    assert "good" in readable(found[0])
    assert readable({**found[1], "prediction": []}).startswith("(none)")


@pytest.mark.parametrize("form", ["separated", "printed", "bits"])
def test_every_way_of_writing_labels_gives_the_same_run(
    form: str, tagged: supertune.Run, tmp_path: Path, tiny_encoder: Path
) -> None:
    names = ("good", "bad", "很好")
    written: list[dict[str, Any]] = []
    for row in rows():
        if form == "bits":
            written.append({"text": row["text"], **{name: int(name in row["labels"]) for name in names}})
        else:
            joined = "; ".join(row["labels"]) or "[]" if form == "separated" else str(row["labels"])
            written.append({"text": row["text"], "labels": joined})
    run = fit(written, tmp_path, tiny_encoder, **({} if form == "separated" else {"train.epochs": 2}))
    truth = [row for row in rows() if row["text"] in {line["text"] for line in stored(run)}]
    assert len(truth) == len(stored(run))
    if form == "separated":
        assert {row["text"]: row["prediction"] for row in stored(run)} == {
            row["text"]: row["prediction"] for row in stored(tagged)
        }
    if form == "bits":
        assert set(stored(run)[0]["scores"]) == set(names)


@pytest.mark.parametrize(
    "settings",
    [
        {"train.loss": "focal", "train.r_drop": 1.0},
        {"train.class_weights": "balanced", "train.label_smoothing": 0.1},
        {"strategy.name": "probe"},
        {"strategy.name": "lora", "strategy.rank": 4},
        {"strategy.name": "auto"},
    ],
)
def test_losses_regularisers_and_strategies_learn_labels(
    settings: dict[str, Any], tmp_path: Path, tiny_encoder: Path
) -> None:
    run = fit(rows(), tmp_path, tiny_encoder, **settings)
    found = [event["loss"] for event in events(run) if event["event"] == "epoch"]
    assert found[-1] < found[0]
    before = stored(run)[:3]
    again = supertune.load_run(run.path).predict([row["text"] for row in before])
    assert [row["scores"] for row in again] == [pytest.approx(row["scores"], abs=1e-5) for row in before]


@pytest.mark.parametrize(
    ("settings", "where"),
    [
        ({"train.loss": "cross_entropy"}, "train.loss"),
        ({"evaluate.metric": "mcc"}, "evaluate.metric"),
        ({"strategy.name": "contrastive"}, "strategy.name"),
        ({"strategy.name": "zero-shot"}, "strategy.name"),
    ],
)
def test_what_is_about_one_label_is_refused(
    settings: dict[str, Any], where: str, tmp_path: Path, tiny_encoder: Path
) -> None:
    with pytest.raises(UserError) as caught:
        fit(rows(), tmp_path, tiny_encoder, **settings)
    assert caught.value.where == where


@pytest.mark.slow
def test_the_written_configuration_repeats_the_run_and_every_text_gets_a_label_where_every_row_had_one(
    tmp_path: Path, tiny_encoder: Path
) -> None:
    labelled = [{**row, "labels": "|".join(row["labels"])} for row in rows() if row["labels"]]
    first = fit(labelled, tmp_path / "a", tiny_encoder)
    settings = written_settings(first)
    assert settings["data.separator"] == "|"
    again = supertune.fit(labelled, out=tmp_path / "b", settings=settings)
    assert stored(again) == stored(first)
    state = json.loads((first.path / "model/supertune.json").read_text(encoding="utf-8"))["state"]
    assert state["some"] is True
    assert all(row["prediction"] for row in stored(first))
    given = card_numbers(first.path / "model", "texts = ['电影', 'xyz']\n", "given")
    assert all(any(flags) for flags in given)


@pytest.mark.parametrize(
    ("spoilt", "said"),
    [
        ({"labels": [["good"]]}, "among its labels"),
        ({"labels": [1.5]}, "among its labels"),
    ],
)
def test_bad_labels_are_named_by_file_and_row(
    spoilt: dict[str, Any], said: str, tmp_path: Path, tiny_encoder: Path
) -> None:
    with pytest.raises(UserError) as caught:
        fit([*rows(), {"text": "x", **spoilt}], tmp_path, tiny_encoder)
    assert "row 80" in caught.value.what
    assert said in caught.value.what
    with pytest.raises(UserError) as caught:
        supertune.check([*rows(), {"text": "x", **spoilt}], task="multilabel", model=str(tiny_encoder))
    assert "row 80" in caught.value.what


def test_labels_never_learned_and_labels_that_hardly_come_back_are_refused(tmp_path: Path, tiny_encoder: Path) -> None:
    data, held_out = tmp_path / "train.jsonl", tmp_path / "test.jsonl"
    data.write_text("\n".join(map(json.dumps, rows())), encoding="utf-8")
    held_out.write_text(json.dumps({"text": "x", "labels": ["gold"]}), encoding="utf-8")
    asked: dict[str, Any] = {"task": "multilabel", "model": str(tiny_encoder), "test": str(held_out)}
    with pytest.raises(UserError, match="'gold', which is not among the labels learned") as caught:
        supertune.fit(str(data), out=tmp_path / "run", **asked)
    assert "test.jsonl" in str(caught.value.where)
    free = [{"text": f"a b {row}", "labels": [f"label {row}"]} for row in range(60)]
    with pytest.raises(UserError, match="60 of 60 labels differ"):
        fit(free, tmp_path, tiny_encoder)
