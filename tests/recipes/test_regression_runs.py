"""Numbers and pairs from the command to the saved run and back."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from test_training_choices import SETTINGS, events

import supertune
from supertune.errors import InterruptedRunError, UserError
from supertune.recipes import train_one
from supertune.recipes.predict import predict_lines, predict_typed

QUICK: dict[str, Any] = {**SETTINGS, "train.learning_rate": 0.01, "train.epochs": 6}


def numbers(count: int = 60) -> list[dict[str, Any]]:
    """How good a film is, on a scale around 40, and what it cost; told by how often it is called good."""
    return [
        {"text": f"film {row} {'good ' * (row % 5)}", "score": 40.5 + 10 * (row % 5), "price": float(row % 3) / 7}
        for row in range(count)
    ]


def pairs(count: int = 60) -> list[dict[str, Any]]:
    words = ("good film", "bad film", "很好 电影", "很差 电影")
    return [
        {
            "sentence1": f"{words[row % 4]} {row}",
            "sentence2": f"{words[(row // 4) % 4]} {row}",
            "label": "same" if row % 4 == (row // 4) % 4 else "other",
        }
        for row in range(count)
    ]


def fit(rows: list[dict[str, Any]], folder: Path, model: Path, **options: Any) -> supertune.Run:
    settings = {**QUICK, **options.pop("settings", {})}
    return supertune.fit(rows, model=str(model), out=folder / "run", settings=settings, **options)


def stored(run: supertune.Run) -> list[dict[str, Any]]:
    lines = (run.path / "predictions/test.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def card_numbers(model: Path, ask: str, name: str) -> list[Any]:
    """What the lines of the model's card give, in a process that cannot import supertune."""
    code = (model / "README.md").read_text(encoding="utf-8").partition("```python\n")[2].partition("```")[0]
    begin = code.index("texts = ")
    code = code[:begin] + ask + code[code.index("batch = ", begin) :]
    code = f'import json, sys\nsys.modules["supertune"] = None\n{code}\nprint(json.dumps({name}.tolist()))\n'
    done = subprocess.run([sys.executable, "-c", code], cwd=model, capture_output=True, text=True, check=True)
    found: list[Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory, tiny_encoder: Path) -> supertune.Run:
    return fit(
        numbers(), tmp_path_factory.mktemp("scored"), tiny_encoder, task="regression", label=["score", "price"],
        settings={"evaluate.baselines": True, "train.epochs": 30},
    )  # fmt: skip


def test_numbers_are_learned_and_told_in_their_own_units(scored: supertune.Run) -> None:
    metrics = scored.metrics["test"]
    assert {"r2", "r2/score", "r2/price", "rmse/score", "mae/price"} <= set(metrics)
    assert metrics["rmse/score"].value > 10 * metrics["rmse/price"].value
    assert metrics["r2/score"].value > 0.3
    for row in stored(scored):
        assert set(row["prediction"]) == {"score", "price"}
        assert 20 < row["prediction"]["score"] < 110
    assert {"test_mean", "test_tfidf"} <= set(scored.metrics)
    assert scored.metrics["test_mean"]["r2"].value < 0.1


def test_what_is_read_back_says_the_same_in_every_way(scored: supertune.Run) -> None:
    manifest = json.loads((scored.path / "manifest.json").read_text())
    assert manifest["reload_check"]["max_difference"] <= 1e-6
    before = stored(scored)[:4]
    again = supertune.load_run(scored.path).predict([row["text"] for row in before])
    ask = f"texts = {[row['text'] for row in before]!r}\n"
    plain = card_numbers(scored.path / "model", ask, "numbers")
    for old, new, bare in zip(before, again, plain, strict=True):
        assert new["prediction"] == pytest.approx(old["prediction"], rel=1e-4, abs=1e-5)
        assert bare == pytest.approx([old["prediction"]["score"], old["prediction"]["price"]], rel=1e-4, abs=1e-4)
    assert scored.evaluate(numbers())["metrics"]["test"]["r2/score"]["n"] == 60


def test_the_report_shows_every_column_and_the_largest_errors(scored: supertune.Run) -> None:
    report = scored.report.read_text(encoding="utf-8")
    for said in ("Column by column", "Answers and truth: price", "The largest errors", "TF-IDF", "off by"):
        assert said in report
    told = [event for event in events(scored) if event["event"] == "validation"]
    assert all({"rmse", "r2"} <= set(event) for event in told)


def test_ratings_are_answered_as_ratings(tmp_path: Path, tiny_encoder: Path) -> None:
    rows = [{"text": row["text"], "stars": int(row["score"] // 10 - 3)} for row in numbers()]
    run = fit(rows, tmp_path, tiny_encoder, task="regression", settings={"evaluate.language": "zh"})
    assert "quadratic_kappa" in run.metrics["test"]
    for row in stored(run):
        assert row["prediction"] in range(1, 6)
        assert round(float(np.clip(row["scores"]["stars"], 1, 5))) == row["prediction"]
    assert "平均偏差" in run.report.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "settings",
    [
        {"train.loss": "huber", "train.r_drop": 1.0},
        {"train.loss": "mae", "train.adversarial": "fgm"},
        {"strategy.name": "probe", "train.learning_rate": 0.01},
        {"strategy.name": "lora", "strategy.rank": 4},
        {"strategy.name": "partial", "strategy.layers": 1},
        {"strategy.name": "auto"},
    ],
)
def test_losses_regularisers_and_strategies_learn_numbers(
    settings: dict[str, Any], tmp_path: Path, tiny_encoder: Path
) -> None:
    run = fit(numbers(), tmp_path, tiny_encoder, task="regression", label="score", settings=settings)
    found = [event["loss"] for event in events(run) if event["event"] == "epoch"]
    assert found[-1] < found[0]
    assert json.loads((run.path / "manifest.json").read_text())["status"] == "done"


@pytest.mark.slow
def test_the_written_configuration_repeats_the_run(scored: supertune.Run, tmp_path: Path) -> None:
    again = supertune.fit(numbers(), out=tmp_path / "again", settings=written_settings(scored))
    assert again.metrics["test"]["r2"].value == pytest.approx(scored.metrics["test"]["r2"].value, abs=1e-6)


def written_settings(run: supertune.Run) -> dict[str, Any]:
    from supertune.config import load_config

    sections = load_config(run.path / "config.yaml").model_dump(exclude_defaults=True)
    flat = {f"{section}.{key}": value for section, keys in sections.items() for key, value in keys.items()}
    return {key: value for key, value in flat.items() if key != "data.source"}


@pytest.mark.parametrize(
    ("settings", "where"),
    [
        ({"train.loss": "cross_entropy"}, "train.loss"),
        ({"train.class_weights": "balanced"}, "train.class_weights"),
        ({"train.label_smoothing": 0.1}, "train.label_smoothing"),
        ({"evaluate.metric": "accuracy"}, "evaluate.metric"),
        ({"strategy.name": "contrastive"}, "strategy.name"),
        ({"strategy.name": "zero-shot"}, "strategy.name"),
    ],
)
def test_what_is_about_classes_is_refused(
    settings: dict[str, Any], where: str, tmp_path: Path, tiny_encoder: Path
) -> None:
    with pytest.raises(UserError) as caught:
        fit(numbers(), tmp_path, tiny_encoder, task="regression", label="score", settings=settings)
    assert caught.value.where == where


# ---------------------------------------------------------------------------------------------------------- pairs


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory, tiny_encoder: Path) -> supertune.Run:
    return fit(pairs(), tmp_path_factory.mktemp("compared"), tiny_encoder)


def test_a_pair_is_found_by_its_names_and_predicted_as_one(compared: supertune.Run) -> None:
    config = (compared.path / "config.yaml").read_text(encoding="utf-8")
    assert "pair: true" in config
    before = stored(compared)[:3]
    asked = [(row["sentence1"], row["sentence2"]) for row in before]
    again = compared.predict(asked)
    for old, new in zip(before, again, strict=True):
        assert new["scores"] == pytest.approx(old["scores"], abs=1e-5)
    swapped = compared.predict([(second, first) for first, second in asked])
    assert any(abs(a["scores"]["same"] - b["scores"]["same"]) > 1e-6 for a, b in zip(again, swapped, strict=True))


def test_the_lines_on_a_pair_models_card_give_what_supertune_gives(compared: supertune.Run) -> None:
    before = stored(compared)[:3]
    ask = f"texts = {[row['sentence1'] for row in before]!r}\nothers = {[row['sentence2'] for row in before]!r}\n"
    plain = card_numbers(compared.path / "model", ask, "probabilities")
    for old, bare in zip(before, plain, strict=True):
        assert list(old["scores"].values()) == pytest.approx(bare, abs=1e-5)


def test_the_command_takes_texts_two_and_two(compared: supertune.Run) -> None:
    command = [sys.executable, "-m", "supertune", "predict", str(compared.path), "--json"]
    done = subprocess.run([*command, "good film", "很好 电影"], capture_output=True, text=True, check=True)
    (found,) = json.loads(done.stdout)["predictions"]
    assert found["sentence1"] == "good film"
    assert found["sentence2"] == "很好 电影"
    with pytest.raises(UserError, match="compares two texts, and 1 were given"):
        predict_typed(compared.path, ["good film"])
    with pytest.raises(UserError, match="compares two texts"):
        list(predict_lines(compared.path, [["good film"]]))


def test_single_texts_are_no_pairs_and_pairs_no_texts(compared: supertune.Run, scored: supertune.Run) -> None:
    with pytest.raises(UserError, match="compares two texts"):
        compared.predict(["one"])
    with pytest.raises(UserError, match="one text at a time"):
        scored.predict([("one", "two")])


@pytest.mark.parametrize("strategy", ["probe", "contrastive", "prefix", "prompt", "lora"])
def test_strategies_learn_from_pairs(strategy: str, tmp_path: Path, tiny_encoder: Path) -> None:
    run = fit(pairs(), tmp_path, tiny_encoder, strategy=strategy)
    before = stored(run)[:3]
    again = supertune.load_run(run.path).predict([(row["sentence1"], row["sentence2"]) for row in before])
    for old, new in zip(before, again, strict=True):
        assert new["scores"] == pytest.approx(old["scores"], abs=1e-5)


def test_two_columns_may_be_one_text_and_any_two_a_pair(tmp_path: Path, tiny_encoder: Path) -> None:
    joined = fit(pairs(), tmp_path / "a", tiny_encoder, pair=False, text=["sentence1", "sentence2"])
    assert "pair: false" in (joined.path / "config.yaml").read_text(encoding="utf-8")
    renamed = [{"x": row["sentence1"], "y z": row["sentence2"], "label": row["label"]} for row in pairs()]
    named = fit(renamed, tmp_path / "b", tiny_encoder, pair=True, text=["x", "y z"])
    assert "pair: true" in (named.path / "config.yaml").read_text(encoding="utf-8")
    with pytest.raises(UserError, match="a pair has two text columns, not 1"):
        fit(renamed, tmp_path / "c", tiny_encoder, pair=True, text="x")
    with pytest.raises(UserError, match="reads one text"):
        fit(pairs(), tmp_path / "d", tiny_encoder, strategy="zero-shot")


def test_of_symmetric_pairs_the_order_means_nothing(tmp_path: Path, tiny_encoder: Path) -> None:
    run = fit(pairs(), tmp_path, tiny_encoder, settings={"task.symmetric": True, "evaluate.baselines": True})
    start = next(event for event in events(run) if event["event"] == "start")
    before = stored(run)
    assert start["rows"] == 2 * (60 - len(before) - run.metrics["validation"]["accuracy"].n)
    assert run.metrics["test"]["accuracy"].n == len(before)
    asked = [(row["sentence1"], row["sentence2"]) for row in before]
    again, swapped = run.predict(asked), run.predict([(second, first) for first, second in asked])
    ask = f"texts = {[one for one, _ in asked]!r}\nothers = {[other for _, other in asked]!r}\n"
    plain = card_numbers(run.path / "model", ask, "probabilities")
    for old, new, other, bare in zip(before, again, swapped, plain, strict=True):
        assert new["scores"] == pytest.approx(old["scores"], abs=1e-5)
        assert other["scores"] == pytest.approx(new["scores"], abs=1e-6)
        assert list(old["scores"].values()) == pytest.approx(bare, abs=1e-5)


def test_symmetric_numbers_are_means_and_single_texts_have_no_order(tmp_path: Path, tiny_encoder: Path) -> None:
    rows = [
        {**row, "score": float(row.pop("label") == "same") + row_number / 7} for row_number, row in enumerate(pairs())
    ]
    symmetric = {"task.symmetric": True}
    run = fit(rows, tmp_path / "a", tiny_encoder, task="regression", label="score", settings=symmetric)
    for row in stored(run)[:3]:
        (swapped,) = run.predict([(row["sentence2"], row["sentence1"])])
        assert swapped["prediction"] == pytest.approx(row["prediction"], abs=1e-5)
    with pytest.raises(UserError) as caught:
        fit(numbers(), tmp_path / "b", tiny_encoder, task="regression", label="score", settings=symmetric)
    assert caught.value.where == "task.symmetric"


def test_a_pair_is_shown_as_the_model_sees_it(tiny_encoder: Path) -> None:
    rows = [{"premise": "good film good film good film", "hypothesis": "bad film", "label": "a"}]
    settings = {"model.max_length": 8}
    (shown,) = supertune.inspect(rows, model=str(tiny_encoder), settings=settings).as_dict()["rows"]
    pieces = [piece["text"] for piece in shown["pieces"]]
    assert pieces == ["[CLS]", "good", "film", "good", "[SEP]", "bad", "film", "[SEP]"]
    assert shown["cut"] == ["film", "good", "film"]
    assert shown["truncated"]


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_an_interrupted_run_on_pairs_ends_as_an_uninterrupted_one(
    task: str, tmp_path: Path, tiny_encoder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "rows.jsonl"
    rows = [{**row, "score": index / 7} for index, row in enumerate(pairs())]
    data.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    # Attention that is measured anew may be chosen otherwise.
    steady = {"train.precision": "fp32", "train.attention": "sdpa"}
    settings = {**QUICK, **steady, "task.symmetric": True, "train.epochs": 2, "train.checkpoint_every": 2}
    asked: dict[str, Any] = {"model": str(tiny_encoder), "task": task, "settings": settings}
    asked["label"] = "score" if task == "regression" else "label"
    whole = supertune.fit(str(data), out=tmp_path / "whole", **asked)
    real, taken = train_one.train, 0

    def breaking(*given: Any, **named: Any) -> Any:
        nonlocal taken
        for event in real(*given, **named):
            yield event
            taken += event.event == "step"
            if taken == 5:
                raise KeyboardInterrupt

    monkeypatch.setattr(train_one, "train", breaking)
    with pytest.raises(InterruptedRunError):
        supertune.fit(str(data), out=tmp_path / "broken", **asked)
    monkeypatch.setattr(train_one, "train", real)
    broken = supertune.resume(tmp_path / "broken")
    assert '"event": "resumed"' in (broken.path / "events.jsonl").read_text(encoding="utf-8")
    assert stored(broken) == stored(whole)


def test_which_text_is_the_second_reaches_the_model(compared: supertune.Run) -> None:
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    folder = compared.path / "model"
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    batch = tokenizer("good film", "bad film", return_tensors="pt")
    assert batch["token_type_ids"].max() == 1
    with torch.inference_mode():
        told = model(**batch).logits.softmax(-1)[0].tolist()
        untold = model(**{**batch, "token_type_ids": batch["token_type_ids"] * 0}).logits.softmax(-1)[0].tolist()
    (found,) = compared.predict([("good film", "bad film")])
    assert list(found["scores"].values()) == pytest.approx(told, abs=1e-5)
    assert list(found["scores"].values()) != pytest.approx(untold, abs=1e-4)


def test_a_model_with_one_type_is_told_none(tmp_path: Path, tiny_encoder: Path) -> None:
    folder = tmp_path / "one-type"
    shutil.copytree(tiny_encoder, folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "type_vocab_size": 1}))
    weights = load_file(folder / "model.safetensors")
    name = next(name for name in weights if "token_type_embeddings" in name)
    save_file(
        {**weights, name: weights[name][:1].contiguous()}, folder / "model.safetensors", metadata={"format": "pt"}
    )
    run = fit(pairs(), tmp_path, folder)
    assert json.loads((run.path / "manifest.json").read_text())["status"] == "done"
