"""Runs with few rows, or none to learn from: contrastive, zero-shot, and the choice that is left to supertune."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from test_strategy_runs import plain_answers, stored
from test_training_choices import SETTINGS, rows
from transformers import AutoModelForSequenceClassification, AutoTokenizer, LlamaConfig, LlamaForCausalLM

import supertune
from supertune.config import WRITING, Config, load_config
from supertune.console import Console
from supertune.data import Table, infer_columns
from supertune.errors import UserError
from supertune.language import guess_language
from supertune.recipes import advise
from supertune.recipes.choose import choose_strategy
from supertune.recipes.estimate import dry_run
from supertune.recipes.head import MOST_ROWS, head_rows
from supertune.recipes.rows import find_columns, load_rows
from supertune.strategies.own_weights import quiet_saving
from supertune.tasks import TASKS

QUICK = {**SETTINGS, "train.epochs": 6, "train.learning_rate": 0.003}


def fit(tmp_path: Path, model: Path, strategy: str, count: int = 48, **settings: Any) -> supertune.Run:
    return supertune.fit(
        rows(count), model=str(model), out=tmp_path / "run", strategy=strategy, settings={**QUICK, **settings}
    )


def read(run: supertune.Run, name: str) -> Any:
    return json.loads((run.path / name).read_text(encoding="utf-8"))


def events(run: supertune.Run, kind: str) -> list[dict[str, Any]]:
    lines = (run.path / "events.jsonl").read_text(encoding="utf-8").splitlines()
    return [row for row in map(json.loads, lines) if row["event"] == kind]


def test_few_rows_hold_none_back_for_validation(tmp_path: Path, tiny_encoder: Path) -> None:
    run = fit(tmp_path, tiny_encoder, "contrastive")
    manifest = read(run, "manifest.json")
    assert set(manifest["data"]) == {"train", "test"}
    assert set(read(run, "metrics.json")) == {"test"}
    assert run.metrics["test"]["accuracy"].value == 1.0
    losses = [event["loss"] for event in events(run, "step")]
    assert np.mean(losses[-6:]) < 0.8 * np.mean(losses[:6])
    # The same again from its own configuration, which says how the rows were divided.
    config = load_config(run.path / "config.yaml")
    assert config.data.split == pytest.approx([0.9, 0.0, 0.1])
    assert "validation" not in read(fit(tmp_path / "full", tiny_encoder, "auto"), "manifest.json")["data"]


@pytest.mark.parametrize(
    ("name", "count", "held"), [("contrastive", 480, 0), ("contrastive", 520, 52), ("full", 480, 48)]
)
def test_so_few_validation_rows_would_choose_by_chance(name: str, count: int, held: int) -> None:
    config = Config().with_values({"data.text": ["text"], "data.label": "label", "strategy.name": name})
    splits = load_rows(config, rows(count), Console(quiet=True)).splits
    assert len(splits.get("validation", ())) == held


def test_what_labels_mean_is_learned_like_rows(tmp_path: Path, tiny_encoder: Path) -> None:
    told = {"yes": ["a good film", "good"], "no": "一部很差的电影"}
    runs = {
        name: fit(tmp_path / name, tiny_encoder, "contrastive", **{"strategy.descriptions": how})
        for name, how in {"called": {}, "told": told}.items()
    }
    learned = read(runs["called"], "manifest.json")["data"]["train"]["rows"]
    assert [events(run, "start")[0]["rows"] for run in runs.values()] == [learned + 2, learned + 3]
    numbers = [{"text": row["text"], "label": int(row["label"] == "yes")} for row in rows()]
    run = supertune.fit(
        numbers, model=str(tiny_encoder), out=tmp_path / "numbers", strategy="contrastive", settings=QUICK
    )
    assert events(run, "start")[0]["rows"] == learned


def test_enough_rows_are_validated_with_a_head_fitted_to_them(tmp_path: Path, tiny_encoder: Path) -> None:
    run = fit(tmp_path, tiny_encoder, "contrastive", count=520, **{"train.epochs": 3})
    scores = [event["f1_macro"] for event in events(run, "validation")]
    assert len(scores) == 3
    assert max(scores) == 1.0
    assert set(read(run, "manifest.json")["data"]) == {"train", "validation", "test"}


def test_class_weights_reach_the_head(tmp_path: Path, tiny_encoder: Path) -> None:
    uneven = rows()[:24] + rows()[24:30]
    heads = []
    for number, weights in enumerate(("none", "balanced")):
        run = supertune.fit(
            uneven,
            model=str(tiny_encoder),
            out=tmp_path / str(number),
            strategy="contrastive",
            settings={**QUICK, "train.class_weights": weights, "data.allow": ["imbalance"]},
        )
        heads.append((run.path / "model/head.safetensors").read_bytes())
    assert heads[0] != heads[1]


@pytest.mark.parametrize(
    ("strategy", "key", "value"),
    [
        ("contrastive", "train.loss", "focal"),
        ("contrastive", "train.r_drop", 1.0),
        ("contrastive", "train.label_smoothing", 0.1),
        ("zero-shot", "train.epochs", 3),
        ("zero-shot", "train.learning_rate", "find"),
        ("zero-shot", "train.seeds", 2),
        ("full", "train.epochs", 0),
        ("auto", "strategy.rank", 4),
    ],
)
def test_what_means_nothing_is_refused(
    strategy: str, key: str, value: object, tmp_path: Path, tiny_encoder: Path
) -> None:
    with pytest.raises(UserError) as error:
        supertune.fit(rows(), model=str(tiny_encoder), out=tmp_path / "run", strategy=strategy, settings={key: value})
    assert error.value.where == key
    assert not (tmp_path / "run").exists()


def test_zero_shot_learns_nothing_and_answers(tmp_path: Path, tiny_encoder: Path) -> None:
    settings = {key: value for key, value in SETTINGS.items() if key != "train.epochs"}
    run = supertune.fit(
        rows(),
        model=str(tiny_encoder),
        out=tmp_path / "run",
        strategy="zero-shot",
        settings={**settings, "strategy.descriptions": {"yes": "a good film", "no": ["一部很差的电影", "差"]}},
    )
    manifest = read(run, "manifest.json")
    assert manifest["examples_seen"] == 0
    assert manifest["reload_check"]["max_difference"] <= 1e-6
    assert run.metrics["test"]["accuracy"].value == 1.0
    assert [answer["prediction"] for answer in run.predict(["a good film", "一部很差的电影"])] == ["yes", "no"]
    assert not events(run, "step")
    # It is repeated from what it wrote, and finished again from there.
    again = supertune.fit(
        rows(), out=tmp_path / "again", settings=flat(load_config(run.path / "config.yaml").model_dump())
    )
    assert again.metrics == run.metrics


def own_model(kind: str, encoder: Path, folder: Path) -> Path:
    """The encoder itself, one that judges entailment, or a decoder, with the same tokenizer."""
    if kind == "encoder":
        return encoder
    tokenizer = AutoTokenizer.from_pretrained(encoder)
    torch.manual_seed(0)
    if kind == "entailment":
        judged = {0: "contradiction", 1: "entailment"}
        model = AutoModelForSequenceClassification.from_pretrained(encoder, num_labels=2, id2label=judged)
    else:
        settings = {"num_hidden_layers": 2, "num_attention_heads": 2, "max_position_embeddings": 64}
        special = {"pad_token_id": 0, "bos_token_id": 2, "eos_token_id": 3}
        sizes = {"vocab_size": len(tokenizer), "hidden_size": 32, "intermediate_size": 32}
        model = LlamaForCausalLM(LlamaConfig(**settings, **special, **sizes))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.05 * torch.randn_like(parameter)
    with quiet_saving():
        model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.mark.parametrize(
    "kind", ["encoder", *(pytest.param(kind, marks=pytest.mark.slow) for kind in ("entailment", "decoder"))]
)
def test_zero_shot_models_of_every_kind_are_read_back_and_need_no_supertune(
    kind: str, tmp_path: Path, tiny_encoder: Path
) -> None:
    settings = {key: value for key, value in SETTINGS.items() if key != "train.epochs"}
    told = {"yes": ["a good film", "good"], "no": "a bad film"}
    run = supertune.fit(
        rows(),
        model=str(own_model(kind, tiny_encoder, tmp_path / "own")),
        out=tmp_path / "run",
        strategy="zero-shot",
        settings={**settings, "strategy.descriptions": told, "strategy.template": "It is {}."},
    )
    kept = stored(run)
    assert len({round(row["scores"]["yes"], 6) for row in kept}) > 1
    for row in kept:
        (answer,) = supertune.load_run(run.path).predict([row["text"]])
        assert answer["scores"] == pytest.approx(row["scores"], abs=1e-5)
    for row, scores in zip(kept, plain_answers(run.path / "model", [row["text"] for row in kept]), strict=True):
        assert scores == pytest.approx(row["scores"], abs=1e-4)


@pytest.mark.parametrize("kind", ["encoder", "entailment"])
def test_what_needs_no_labelled_row_answers_as_a_run_does(kind: str, tmp_path: Path, tiny_encoder: Path) -> None:
    model = str(own_model(kind, tiny_encoder, tmp_path / "own"))
    told = {"no": ["一部很差的电影", "差"], "yes": "a good film"}
    settings = {key: value for key, value in SETTINGS.items() if key != "train.epochs"}
    settings |= {"strategy.descriptions": told, "strategy.template": "It is {}."}
    run = supertune.fit(rows(), model=model, out=tmp_path / "run", strategy="zero-shot", settings=settings)
    kept = stored(run)
    asked = [{"id": row["row"], "text": row["text"], "label": "of another kind"} for row in kept]
    answers = supertune.zero_shot(asked, told, text="text", model=model, template="It is {}.")
    assert [answer["id"] for answer in answers] == [row["row"] for row in kept]
    for answer, row in zip(answers, kept, strict=True):
        assert answer["scores"] == pytest.approx(row["scores"], abs=1e-5)
        assert answer["prediction"] == row["prediction"]


@pytest.mark.parametrize(
    "labels", ["refund", ["refund"], {"refund": "money", "delivery": [3]}, ["1", "2"], [3, 4], [["a"], ["b"]]]
)
def test_labels_that_are_none(labels: Any) -> None:
    with pytest.raises(UserError) as error:
        supertune.zero_shot(["where is my parcel"], labels)
    assert error.value.where == "labels"
    assert "refund,delivery" in (error.value.fix or "")


def test_the_language_of_the_texts_chooses_the_model_that_reads_the_labels(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def refuse(name: str, **_: object) -> None:
        asked.append(name)
        raise UserError("enough")

    monkeypatch.setattr("supertune.recipes.start.resolve", refuse)
    for texts in (["where is my parcel", "the film was good"], ["我的包裹在哪里", "这部电影很好看"]):
        with pytest.raises(UserError, match="enough"):
            supertune.zero_shot(texts, ["物流", "退款"])
    assert asked == ["minilm", "e5-multilingual"]


def test_what_is_read_behind_the_text_needs_room(tmp_path: Path, tiny_encoder: Path) -> None:
    folder = own_model("entailment", tiny_encoder, tmp_path / "own")
    most = json.loads((folder / "config.json").read_text())["max_position_embeddings"]
    settings = {key: value for key, value in SETTINGS.items() if key != "train.epochs"}
    with pytest.raises(UserError, match="and a label's text behind each") as error:
        supertune.fit(
            rows(),
            model=str(folder),
            out=tmp_path / "run",
            strategy="zero-shot",
            settings={**settings, "model.max_length": most},
        )
    assert error.value.where == "model.max_length"


def test_labels_that_are_called_like_answers_of_an_entailment_model(tmp_path: Path, tiny_encoder: Path) -> None:
    names = {"yes": "entailment", "no": "neutral"}
    run = supertune.fit(
        [{**row, "label": names[row["label"]]} for row in rows()],
        model=str(tiny_encoder),
        out=tmp_path / "run",
        strategy="zero-shot",
        settings={
            **{key: value for key, value in SETTINGS.items() if key != "train.epochs"},
            "strategy.descriptions": {"entailment": "a good film", "neutral": "一部很差的电影"},
        },
    )
    assert run.metrics["test"]["accuracy"].value == 1.0
    assert not (run.path / "model/zero_shot.json").exists()
    assert (run.path / "model/head.safetensors").exists()


def test_several_seeds_and_averages_without_validation_rows(tmp_path: Path, tiny_encoder: Path) -> None:
    bodies = {}
    for averaging, seeds in (("none", 1), ("ema", 1), ("uniform", 2)):
        settings = {"train.averaging": averaging, "train.seeds": seeds, "train.epochs": 2}
        run = fit(tmp_path / averaging, tiny_encoder, "contrastive", **settings)
        known = read(run, "manifest.json")["validation_of_seeds"]
        assert (len(known["seeds"]), known["mean"], known["standard_deviation"]) == (seeds, None, None)
        bodies[averaging] = (run.path / "model/model.safetensors").read_bytes()
    assert len(set(bodies.values())) == 3


def test_a_rate_is_found_where_a_batch_holds_a_single_text(tmp_path: Path, tiny_encoder: Path) -> None:
    run = fit(tmp_path, tiny_encoder, "contrastive", **{"train.learning_rate": "find", "train.batch_size": 14})
    assert load_config(run.path / "config.yaml").train.learning_rate != "find"


def flat(config: dict[str, Any]) -> dict[str, Any]:
    left_out = ("data.source", "data.test", "data.validation")
    every = {f"{section}.{key}": value for section, keys in config.items() for key, value in keys.items()}
    return {key: value for key, value in every.items() if key not in left_out}


def test_the_choice_is_said_and_written_down(tmp_path: Path, tiny_encoder: Path) -> None:
    few = fit(tmp_path / "few", tiny_encoder, "auto")
    assert read(few, "manifest.json")["strategy"]["name"] == "contrastive"
    assert "few" in read(few, "manifest.json")["strategy"]["why"]
    many = fit(tmp_path / "many", tiny_encoder, "auto", count=220, **{"train.epochs": 1})
    assert load_config(many.path / "config.yaml").strategy.name == "full"


def test_what_is_chosen() -> None:
    def chosen(rows: int, parameters: int | None = 22_000_000, free: int | None = 10**10, encoder: bool = True) -> str:
        return choose_strategy(rows / 4, parameters, free, encoder=encoder).strategy

    assert chosen(4 * 8) == "contrastive"
    assert chosen(4 * 8, encoder=False) == "full"
    assert chosen(4 * 64) == "contrastive"
    assert chosen(4 * 500) == "full"
    assert chosen(4 * 500, parameters=400_000_000) == "lora", "7.2 of 10 GB"
    assert chosen(4 * 500, parameters=600_000_000, free=10**12) == "lora", "a large file for every task"
    assert chosen(4 * 500, parameters=None, free=None) == "full"


def test_rows_for_the_head_are_bounded_and_hold_every_class() -> None:
    random = np.random.default_rng(0)
    labels = np.where(random.random(40_000) < 0.0005, 1, 0)
    chosen = head_rows(labels, seed=0)
    assert len(chosen) == MOST_ROWS
    assert len(np.unique(chosen)) == MOST_ROWS
    assert (labels[chosen] == 1).sum() >= min(16, int(labels.sum()))
    assert np.array_equal(chosen, head_rows(labels, seed=0))
    assert np.array_equal(head_rows(labels[:100], 0), np.arange(100))
    many = np.arange(40_000) % 1_000
    chosen = head_rows(many, seed=0)
    assert len(chosen) == MOST_ROWS
    assert len(np.unique(many[chosen])) == 1_000


@pytest.mark.parametrize(("strategy", "more"), [("auto", {}), ("partial", {"strategy.layers": 1}), ("zero-shot", {})])
def test_what_it_would_cost(strategy: str, more: dict[str, Any], tmp_path: Path, tiny_encoder: Path) -> None:
    data = tmp_path / "rows.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in rows()), encoding="utf-8")
    values = {"data.source": str(data), "model.name": str(tiny_encoder), "strategy.name": strategy, **more}
    plan = dry_run(Config().with_values(values), console=Console(quiet=True)).as_dict()
    expected: Any = plan["expected"]
    assert (expected["steps"] == 0) is (strategy == "zero-shot")
    assert expected["seconds_low"] <= expected["seconds"] <= expected["seconds_high"]
    assert bool(plan["why"]) is (strategy == "auto")


def test_advice_comes_from_trials_of_every_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    """What each trial says is made up here: real ones are dry runs, as above, in processes of their own."""
    asked = []

    def trial(_: str, arguments: list[str]) -> dict[str, Any]:
        options = dict(zip(arguments[::2], arguments[1::2], strict=True))
        name = options["--strategy"] if options["--strategy"] != "auto" else "full"
        asked.append((options["--model"], options["--strategy"]))
        expected = {"seconds": 60.0, "seconds_low": 50.0, "seconds_high": 90.0, "peak_mb": 800}
        config = {"model": {"name": options["--model"]}, "strategy": {"name": name}}
        return {"expected": expected, "config": config, "language": "en", "why": "there are enough rows"}

    monkeypatch.setattr(advise, "dry_run", trial)
    found = advise.advise(None, advise.Sample(300, 3, "en", 20), console=Console(quiet=True))
    assert (found.model, found.strategy, found.why) == ("minilm", "full", "there are enough rows")
    assert asked[0] == ("minilm", "auto")
    both = {(model, strategy) for model in ("minilm", "e5-multilingual") for strategy in advise.STRATEGIES}
    assert {(option.model, option.strategy) for option in found.options} == both
    asked.clear()
    found = advise.advise(None, advise.Sample(300, 3, "zh", 20), console=Console(quiet=True))
    assert {option.model for option in found.options} == {"e5-multilingual"}
    asked.clear()
    found = advise.advise(None, advise.Sample(300, 3, "en", 20, "chat"), console=Console(quiet=True))
    assert {option.model for option in found.options} == {"gemma-270m"}
    assert {option.strategy for option in found.options} == set(advise.WRITING_STRATEGIES)


@pytest.mark.parametrize("task", sorted(WRITING))
def test_rows_that_are_made_up_are_such_as_the_task_learns_to_write_from(task: str) -> None:
    rows = advise.made_up(advise.Sample(40, 2, "zh", 30, task))
    config = Config().with_values({"task.name": task})
    found = find_columns(config, {"train": Table.from_rows(rows)}, Console(quiet=True))
    assert found.layout is not None
    assert len({str(row) for row in rows}) == 40


def test_rows_that_are_made_up() -> None:
    chinese = advise.made_up(advise.Sample(200, 4, "zh", 30))
    assert len(chinese) == 200
    assert len({row["label"] for row in chinese}) == 4
    assert guess_language([row["text"] for row in chinese]).language == "zh"
    assert np.mean([len(row["text"]) for row in chinese]) == pytest.approx(30, abs=2)
    assert advise.made_up(advise.Sample(5, 2, "en", 10)) == advise.made_up(advise.Sample(5, 2, "en", 10))


@pytest.mark.parametrize(
    ("task", "columns"),
    [
        ("regression", {"text", "label"}),
        ("multilabel", {"text", "labels"}),
        ("extractive-qa", {"question", "context", "answers"}),
    ],
)
def test_rows_are_made_up_for_every_task(task: str, columns: set[str]) -> None:
    rows = advise.made_up(advise.Sample(40, 5, "en", 20, task))
    assert set(rows[0]) == columns
    assert infer_columns(Table.from_rows(rows), answers=TASKS[task].answers).labels


def test_a_strategy_that_the_task_cannot_use_is_no_option(monkeypatch: pytest.MonkeyPatch) -> None:
    def trial(_: str, arguments: list[str]) -> dict[str, Any]:
        options = dict(zip(arguments[::2], arguments[1::2], strict=True))
        if options["--strategy"] == "probe":
            raise UserError("strategy.name: probe answers for a text as a whole")
        expected = {"seconds": 60.0, "seconds_low": 50.0, "seconds_high": 90.0, "peak_mb": 800}
        config = {"model": {"name": options["--model"]}, "strategy": {"name": "full"}}
        return {"expected": expected, "config": config, "language": "en", "why": ""}

    monkeypatch.setattr(advise, "dry_run", trial)
    found = advise.advise(None, advise.Sample(300, 3, "zh", 20, "extractive-qa"), console=Console(quiet=True))
    assert {option.strategy for option in found.options} == {*advise.STRATEGIES} - {"probe"}
