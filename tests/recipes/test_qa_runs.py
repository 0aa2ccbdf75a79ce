"""Questions from the command to the saved run and back."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_training_choices import SETTINGS, events

import supertune
from supertune.data import Table, TokenCache, infer_columns
from supertune.errors import GateError, UserError
from supertune.models import load_tokenizer, resolve
from supertune.recipes import encode
from supertune.recipes.predict import predict_typed
from supertune.tasks import ExtractiveQaTask
from supertune.tasks.extractive_qa import Settings

QUICK: dict[str, Any] = {
    **SETTINGS,
    "train.learning_rate": 0.01,
    "train.epochs": 5,
    "train.precision": "fp32",
    "train.attention": "sdpa",
    "model.max_length": 24,
    "task.longest_answer": 8,
    "task.stride": 6,
}
HOW = ("good", "bad", "late", "好", "坏")


def questions(count: int = 60) -> list[dict[str, Any]]:
    """How the film was, said somewhere in a text of one or several windows; every sixth text does not say."""
    rows = []
    for row in range(count):
        said, around = HOW[row % 5], " ".join(("the parcel and i", "a parcel here")[row % 2] for _ in range(row % 4))
        context = f"{around} 😀 , my 电影 is {said} . {around} 1 {row}" if row % 6 else f"{around} {row}"
        answers = [{"text": said, "answer_start": context.index(f"is {said}") + 3}] if row % 6 else []
        rows.append({"question": "电影 ?", "context": context, "answers": answers})
    return rows


def fit(rows: object, folder: Path, model: Path, **options: Any) -> supertune.Run:
    settings = {**QUICK, **options.pop("settings", {})}
    return supertune.fit(rows, task="extractive-qa", model=str(model), out=folder / "run", settings=settings, **options)


def stored(run: supertune.Run, split: str = "test") -> list[dict[str, Any]]:
    lines = (run.path / f"predictions/{split}.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def card_answers(model: Path, pairs: list[tuple[str, str]]) -> list[str]:
    """What the lines of the model's card give, in a process that cannot import supertune."""
    code = (model / "README.md").read_text(encoding="utf-8").partition("```python\n")[2].partition("```")[0]
    texts, others = map(list, zip(*pairs, strict=True))
    begin = code.index("texts = ")
    code = code[:begin] + f"texts = {texts!r}\nothers = {others!r}\n" + code[code.index("batch = ", begin) :]
    code = f'import json, sys\nsys.modules["supertune"] = None\n{code}\nprint(json.dumps(answers))\n'
    done = subprocess.run([sys.executable, "-c", code], cwd=model, capture_output=True, text=True, check=True)
    found: list[str] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory, tiny_encoder: Path) -> supertune.Run:
    return fit(questions(), tmp_path_factory.mktemp("asked"), tiny_encoder, settings={"evaluate.baselines": True})


def test_answers_are_learned_and_stand_where_they_are_said_to(asked: supertune.Run) -> None:
    assert {"exact_match", "f1", "exact_match_cmrc", "f1_cmrc"} <= set(asked.metrics["test"])
    assert "rules:squad" in asked.metrics["test"]["f1"].signature
    assert asked.metrics["validation"]["f1"].value > 0.3
    assert "test_sentence" in asked.metrics
    for row in stored(asked):
        best = row["n_best"][0]
        assert row["context"][best["start"] : best["end"]] == best["text"]
        assert row["prediction"] in ("", best["text"])
        assert (row["start"] is None) == (not row["prediction"])
        assert len({told["text"] for told in row["n_best"]}) == len(row["n_best"]) <= 5
    losses = [event["loss"] for event in events(asked) if event["event"] == "epoch"]
    assert losses[-1] < losses[0]


def test_what_is_read_back_says_the_same_in_every_way(asked: supertune.Run) -> None:
    manifest = json.loads((asked.path / "manifest.json").read_text())
    assert manifest["reload_check"]["max_difference"] <= 1e-6
    before = stored(asked) + stored(asked, "validation")
    again = supertune.load_run(asked.path).predict([(row["question"], row["context"]) for row in before])
    assert [row["prediction"] for row in again] == [row["prediction"] for row in before]
    assert again[0]["n_best"][0]["score"] == pytest.approx(before[0]["n_best"][0]["score"], abs=1e-4)  # type: ignore[index]
    short = [row for row in before if len(row["context"]) < 40]
    assert short
    plain = card_answers(asked.path / "model", [(row["question"], row["context"]) for row in short])
    assert plain == [row["prediction"] for row in short]
    scores = asked.evaluate(questions())["metrics"]["test"]
    assert scores["f1"]["n"] == 60


def test_the_report_points_answers_out(asked: supertune.Run) -> None:
    report = asked.report.read_text(encoding="utf-8")
    for said in ("Answers in their texts", "⟦", "Short and long", "the sentence most like the question", "CMRC 2018"):
        assert said in report
    state = json.loads((asked.path / "model/supertune.json").read_text())["state"]
    assert state["threshold"] is not None
    config = (asked.path / "config.yaml").read_text(encoding="utf-8")
    assert "group: context" in config
    assert "stride: 6" in config


def test_rows_of_a_text_never_straddle_splits(asked: supertune.Run) -> None:
    manifest = json.loads((asked.path / "manifest.json").read_text())
    assert manifest["data"]["test"]["lineage"][-1]["parameters"]["group"] == "context"


def test_the_command_reads_squads_form_and_takes_texts_two_and_two(tmp_path: Path, tiny_encoder: Path) -> None:
    articles = [
        {"title": f"t{row % 20}", "paragraphs": [{"context": asked["context"], "qas": [
            {"id": str(row), "question": asked["question"], "answers": asked["answers"]}]}]}
        for row, asked in enumerate(questions(40)) if asked["answers"]
    ]  # fmt: skip
    data = tmp_path / "squad.json"
    data.write_text(json.dumps({"data": articles}, ensure_ascii=False), encoding="utf-8")
    settings = [part for key, value in {**QUICK, "train.epochs": 1, "evaluate.language": "zh"}.items()
                for part in ("--set", f"{key}={json.dumps(value)}")]  # fmt: skip
    run = tmp_path / "run"
    command = [sys.executable, "-m", "supertune"]
    train = [*command, "train", str(data), "--task", "extractive-qa", "--model", str(tiny_encoder), "--out", str(run)]
    done = subprocess.run([*train, *settings, "--json"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "rows of one 'title' together" in done.stderr
    assert json.loads(done.stdout)["status"] == "done"
    assert "标准答案" in (run / "report.html").read_text(encoding="utf-8")
    (found,) = predict_typed(run, ["电影 ?", "the 电影 is good ."])
    assert found["context"] == "the 电影 is good ."
    # Every training question has an answer, so one is always given.
    assert found["prediction"] == found["context"][found["start"] : found["end"]] != ""
    assert "no_answer_score" not in found


def test_frozen_layers_are_computed_once(
    tmp_path: Path, tiny_encoder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = {"train.epochs": 1, "strategy.layers": 1}
    fit(questions(30), tmp_path, tiny_encoder, strategy="partial", settings=settings, quiet=False)
    assert "computed at every pass" not in capsys.readouterr().err


@pytest.mark.parametrize("strategy", ["partial", "lora", "dora", "adapter", "bitfit", "layernorm", "ia3"])
def test_strategies_that_learn_few_weights_keep_the_head(strategy: str, tmp_path: Path, tiny_encoder: Path) -> None:
    run = fit(
        questions(24), tmp_path, tiny_encoder, strategy=strategy,
        settings={"train.epochs": 1, "data.split": [0.5, 0.0, 0.5]},
    )  # fmt: skip
    before = stored(run)[:6]
    again = run.predict([(row["question"], row["context"]) for row in before])
    for old, new in zip(before, again, strict=True):
        assert new["n_best"][0]["score"] == pytest.approx(old["n_best"][0]["score"], abs=1e-4)  # type: ignore[index]
    if strategy == "lora":
        short = [(row["question"], row["context"]) for row in before if len(row["context"]) < 40]
        assert len(card_answers(run.path / "model", short)) == len(short)


@pytest.mark.parametrize(
    ("settings", "where"),
    [
        *(({"strategy.name": name}, "strategy.name") for name in ("probe", "contrastive", "zero-shot", "prompt")),
        *(({"strategy.name": name}, "strategy.name") for name in ("p-tuning", "prefix")),
        ({"train.loss": "mse"}, "train.loss"),
        ({"train.r_drop": 1.0}, "train.r_drop"),
        ({"train.class_weights": "balanced"}, "train.class_weights"),
        ({"task.symmetric": True}, "task.symmetric"),
        ({"data.pair": False}, "data.pair"),
        ({"evaluate.metric": "accuracy"}, "evaluate.metric"),
    ],
)
def test_what_means_nothing_here_is_refused_before_any_work(
    settings: dict[str, Any], where: str, tmp_path: Path, tiny_encoder: Path
) -> None:
    with pytest.raises(UserError) as caught:
        fit("no such file", tmp_path, tiny_encoder, settings=settings)
    assert caught.value.where == where
    assert not (tmp_path / "run").exists()


def test_settings_of_questions_mean_nothing_elsewhere(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        supertune.fit("no such file", out=tmp_path / "run", settings={"task.n_best": 3})
    assert caught.value.where == "task.n_best"


def test_bad_data_is_told_with_file_row_and_what_to_do(tmp_path: Path, tiny_encoder: Path) -> None:
    path = tmp_path / "bad.jsonl"
    rows = questions(12)
    rows[3]["answers"] = [{"answer_start": 3}]
    path.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    with pytest.raises(UserError) as caught:
        fit(str(path), tmp_path, tiny_encoder)
    assert "row 3 has" in caught.value.what
    assert caught.value.where == f"{path}, column 'answers'"
    with pytest.raises(UserError, match="row 3 has") as caught:
        supertune.check(str(path), task="extractive-qa", model=str(tiny_encoder))
    assert str(path) in str(caught.value)
    rows[3]["answers"] = [{"text": "nowhere", "answer_start": 3}]
    path.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    report = supertune.check(str(path), task="extractive-qa", model=str(tiny_encoder))
    assert ("answers", "error", (3,)) in [(found.check, found.severity, found.rows) for found in report.findings]
    assert "truncation" not in {found.check for found in report.findings}
    with pytest.raises(GateError, match="nowhere in the text"):
        fit(str(path), tmp_path, tiny_encoder)


def test_windows_that_were_kept_are_those_that_would_be_made_anew(
    tiny_encoder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encode, "CACHED_CHARACTERS", 0)
    tokenizer = load_tokenizer(resolve(str(tiny_encoder)), max_length=24)
    rows = Table.from_rows(questions(30))
    columns = infer_columns(rows, answers="answers")
    wide, narrow = (ExtractiveQaTask(columns, settings=Settings(stride, 8)) for stride in (9, 3))
    for task in (wide, wide, narrow):
        kept = encode.encode_labelled(task, rows, tokenizer, 24, cache=TokenCache(pytest.fail))
        anew = task.encode(rows, tokenizer, 24)
        for name, values in (*anew.tokens.items(), *anew.targets.items()):
            np.testing.assert_array_equal({**kept.tokens, **kept.targets}[name], values)
        assert kept.rows.tolist() == anew.rows.tolist()
        assert kept.table is rows


def test_the_first_rows_are_shown_as_windows(tiny_encoder: Path) -> None:
    shown = supertune.inspect(
        questions(), task="extractive-qa", model=str(tiny_encoder), rows=4,
        settings={"model.max_length": 24, "task.stride": 6, "task.longest_answer": 8},
    ).as_dict()["rows"]  # fmt: skip
    assert isinstance(shown, list)
    numbers = [row["row"] for row in shown]
    assert sorted(set(numbers)) == [0, 1, 2, 3]
    assert len(numbers) > 4
    assert not any(row["truncated"] for row in shown)
    pieces = [[piece["text"] for piece in row["pieces"] if piece["loss"]] for row in shown if row["row"] == 1]
    assert ["bad"] in pieces


def test_without_texts_the_answer_alone_is_written(tmp_path: Path, tiny_encoder: Path) -> None:
    run = fit(questions(), tmp_path, tiny_encoder, settings={"evaluate.text": False, "train.epochs": 1})
    for row in stored(run):
        assert set(row) == {"answers", "prediction", "row"}
    assert "my 电影 is" not in run.report.read_text(encoding="utf-8")
