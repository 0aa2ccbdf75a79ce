"""Extractive summaries from the command to the saved run and back."""

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
from supertune.tasks import ExtractiveSummaryTask

QUICK: dict[str, Any] = {
    **SETTINGS,
    "train.learning_rate": 0.01,
    "train.epochs": 5,
    "train.precision": "fp32",
    "train.attention": "sdpa",
    "model.max_length": 32,
}
AROUND = ("the parcel was here .", "a film and my film .", "not 1 of the 2 .", "i was late and here .", "电影不坏。")


def documents(count: int = 60) -> list[dict[str, Any]]:
    """What matters is the one sentence that is very good or bad, wherever it stands in one or several windows."""
    generator = np.random.default_rng(0)
    rows = []
    for row in range(count):
        said = ("the film is very good .", "my parcel is very bad !", "电影很好，的。")[row % 3]
        around = [AROUND[place] for place in generator.integers(0, len(AROUND), 4 + row % 4)]
        around.insert(int(generator.integers(0, len(around) + 1)), said)
        rows.append({"document": " ".join([*around, f"{row} ."]), "summary": said})
    return rows


def fit(rows: object, folder: Path, model: Path, **options: Any) -> supertune.Run:
    settings = {**QUICK, **options.pop("settings", {})}
    return supertune.fit(
        rows, task="extractive-summary", model=str(model), out=folder / "run", settings=settings, **options
    )


def stored(run: supertune.Run, split: str = "test") -> list[dict[str, Any]]:
    lines = (run.path / f"predictions/{split}.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def card_answers(model: Path, texts: list[str]) -> list[str]:
    """What the lines of the model's card give, in a process that cannot import supertune."""
    code = (model / "README.md").read_text(encoding="utf-8").partition("```python\n")[2].partition("```")[0]
    begin = code.index("texts = ")
    code = code[:begin] + f"texts = {texts!r}\n" + code[code.index("batch = ", begin) :]
    code = f'import json, sys\nsys.modules["supertune"] = None\n{code}\nprint(json.dumps(summaries))\n'
    done = subprocess.run([sys.executable, "-c", code], cwd=model, capture_output=True, text=True, check=True)
    found: list[str] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


@pytest.fixture(scope="module")
def summed_up(tmp_path_factory: pytest.TempPathFactory, tiny_encoder: Path) -> supertune.Run:
    folder = tmp_path_factory.mktemp("summed_up")
    settings = {"evaluate.baselines": True, "data.split": [0.65, 0.1, 0.25]}
    return fit(documents(120), folder, tiny_encoder, settings=settings)


def test_sentences_are_learned_wherever_they_stand(summed_up: supertune.Run) -> None:
    scores = summed_up.metrics
    assert {"rouge1", "rouge2", "rougeLsum", "chrf"} <= set(scores["test"])
    assert {"test_lead", "test_textrank", "test_oracle"} <= set(scores)
    assert scores["test"]["rouge1"].value > scores["test_lead"]["rouge1"].high
    assert scores["test"]["rouge1"].value <= scores["test_oracle"]["rouge1"].value + 1e-9
    assert scores["test_oracle"]["rouge1"].value == pytest.approx(1.0)
    for row in stored(summed_up):
        told = row["sentences"]
        assert [row["document"][one["start"] : one["end"]] for one in told] == [one["text"] for one in told]
        assert row["prediction"] == "\n".join(one["text"] for one in told)
        assert all(0 < one["score"] < 1 for one in told)
    losses = [event["loss"] for event in events(summed_up) if event["event"] == "epoch"]
    assert losses[-1] < losses[0]


def test_what_is_read_back_says_the_same_in_every_way(summed_up: supertune.Run) -> None:
    manifest = json.loads((summed_up.path / "manifest.json").read_text())
    assert manifest["reload_check"]["max_difference"] <= 1e-6
    before = stored(summed_up)
    again = supertune.load_run(summed_up.path).predict([row["document"] for row in before])
    assert [row["prediction"] for row in again] == [row["prediction"] for row in before]
    (typed,) = predict_typed(summed_up.path, ["not here . the film is very good ."])
    assert typed["prediction"] == "the film is very good ."
    assert summed_up.evaluate(documents())["metrics"]["test"]["rouge1"]["n"] == 60
    short = [row for row in before if len(row["sentences"]) == 1][:6]
    plain = card_answers(summed_up.path / "model", [row["document"] for row in short])
    # The card's lines cut long documents, and know fewer rules of where sentences end.
    assert sum(one == row["prediction"] for one, row in zip(plain, short, strict=True)) >= len(short) / 2


def test_the_report_points_sentences_out(summed_up: supertune.Run) -> None:
    report = summed_up.report.read_text(encoding="utf-8")
    for part in ("Where in the documents", "⟦", "«", "TextRank", "the first sentences", "Short and long documents"):
        assert part in report
    state = json.loads((summed_up.path / "model/supertune.json").read_text())["state"]
    assert state["length"]["sentences"] == 1
    assert state["unit"] == "sentence"


def test_the_command_takes_dialogues_in_turns_and_speaks_chinese(tmp_path: Path, tiny_encoder: Path) -> None:
    data = tmp_path / "talks.jsonl"
    rows = [
        {"对话": f"甲：{row['document'][:40]}\n乙：{row['summary']} 好 。\n甲：电影不坏。", "摘要": row["summary"]}
        for row in documents(40)
    ]
    data.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows), encoding="utf-8")
    settings = [part for key, value in {**QUICK, "train.epochs": 1, "evaluate.language": "zh", "task.sentences": 1,
                                        "evaluate.baselines": True}.items()
                for part in ("--set", f"{key}={json.dumps(value)}")]  # fmt: skip
    run = tmp_path / "run"
    command = [sys.executable, "-m", "supertune", "train", str(data), "--task", "extractive-summary"]
    command += ["--model", str(tiny_encoder), "--out", str(run), "--json"]
    done = subprocess.run([*command, *settings], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "'对话' (by its name)" in done.stderr
    assert json.loads(done.stdout)["status"] == "done"
    assert "句子取自何处" in (run / "report.html").read_text(encoding="utf-8")
    for line in (run / "predictions/test.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        assert row["prediction"] in row["对话"].split("\n")


@pytest.mark.parametrize("strategy", ["partial", "lora", "dora", "adapter", "bitfit", "layernorm", "ia3"])
def test_strategies_that_learn_few_weights_keep_the_head(strategy: str, tmp_path: Path, tiny_encoder: Path) -> None:
    run = fit(
        documents(24), tmp_path, tiny_encoder, strategy=strategy,
        settings={"train.epochs": 1, "data.split": [0.5, 0.0, 0.5]},
    )  # fmt: skip
    before = stored(run)[:6]
    again = run.predict([row["document"] for row in before])
    for old, new in zip(before, again, strict=True):
        scores = [one["score"] for one in new["sentences"]]  # type: ignore[attr-defined, union-attr]
        assert scores == pytest.approx([one["score"] for one in old["sentences"]], abs=1e-4)
    if strategy == "lora":
        assert len(card_answers(run.path / "model", [row["document"] for row in before])) == len(before)


def test_frozen_layers_are_computed_once(
    tmp_path: Path, tiny_encoder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = {"train.epochs": 1, "strategy.layers": 1}
    fit(documents(24), tmp_path, tiny_encoder, strategy="partial", settings=settings, quiet=False)
    assert "computed at every pass" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("settings", "where"),
    [
        *(({"strategy.name": name}, "strategy.name") for name in ("probe", "contrastive", "zero-shot", "prompt")),
        *(({"strategy.name": name}, "strategy.name") for name in ("p-tuning", "prefix")),
        ({"train.loss": "mse"}, "train.loss"),
        ({"train.r_drop": 1.0}, "train.r_drop"),
        ({"task.symmetric": True}, "task.symmetric"),
        ({"task.stride": 3}, "task.stride"),
        ({"data.separator": "|"}, "data.separator"),
        ({"data.pair": True}, "data.pair"),
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


@pytest.mark.parametrize(
    ("key", "value"), [("unit", "line"), ("sentences", 3), ("characters", 100), ("blocking", True)]
)
def test_settings_of_summaries_mean_nothing_elsewhere(key: str, value: object, tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        supertune.fit("no such file", out=tmp_path / "run", settings={f"task.{key}": value})
    assert caught.value.where == f"task.{key}"


def test_bad_data_is_told_with_file_row_and_what_to_do(tmp_path: Path, tiny_encoder: Path) -> None:
    path = tmp_path / "bad.jsonl"
    rows: list[dict[str, Any]] = [{**row, "summary": [row["summary"]]} for row in documents(12)]
    rows[3]["summary"] = [3]
    path.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    with pytest.raises(UserError) as caught:
        fit(str(path), tmp_path, tiny_encoder)
    assert str(path) in str(caught.value)
    rows = documents(30)
    for place, row in enumerate(rows):
        row["summary"] = f"parliament passed budget number {place} after long talks between five parties"
    report = supertune.check(rows, task="extractive-summary", model=str(tiny_encoder))
    assert ("summaries", "error") in [(found.check, found.severity) for found in report.findings]
    rows[0]["summary"] = documents(1)[0]["summary"]
    with pytest.raises(GateError, match="fewer than one in four"):
        fit(rows, tmp_path, tiny_encoder)


def test_windows_that_were_kept_are_those_that_would_be_made_anew(
    tiny_encoder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encode, "CACHED_CHARACTERS", 0)
    tokenizer = load_tokenizer(resolve(str(tiny_encoder)), max_length=24)
    rows = Table.from_rows(documents(30))
    columns = infer_columns(rows, answers="texts")
    sentences, lines = (ExtractiveSummaryTask(columns, unit=unit) for unit in ("sentence", "line"))
    for task in (sentences, sentences, lines):
        kept = encode.encode_labelled(task, rows, tokenizer, 24, cache=TokenCache(pytest.fail))
        anew = task.encode(rows, tokenizer, 24)
        for name, values in (*anew.tokens.items(), *anew.targets.items()):
            np.testing.assert_array_equal({**kept.tokens, **kept.targets}[name], values)
        assert kept.rows.tolist() == anew.rows.tolist()
        assert kept.table is rows


def test_the_first_rows_are_shown_as_windows(tiny_encoder: Path) -> None:
    shown = supertune.inspect(
        documents(), task="extractive-summary", model=str(tiny_encoder), rows=4, settings={"model.max_length": 16}
    ).as_dict()["rows"]
    assert isinstance(shown, list)
    assert sorted({row["row"] for row in shown}) == [0, 1, 2, 3]
    assert len(shown) > 4
    first = [piece["text"] for row in shown if row["row"] == 0 for piece in row["pieces"] if piece["loss"]]
    assert first == ["the", "film", "is", "very", "good", "."]


def test_sentences_that_no_window_holds_are_counted(
    tmp_path: Path, tiny_encoder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = documents(24)
    for row in rows[:20]:
        row["document"] += " the film and my parcel" * 10
    fit(rows, tmp_path, tiny_encoder, settings={"train.epochs": 1}, quiet=False)
    told = capsys.readouterr().err
    assert "longer than model.max_length, and judged by the beginning" in told


def test_without_texts_the_extract_alone_is_written(tmp_path: Path, tiny_encoder: Path) -> None:
    run = fit(documents(), tmp_path, tiny_encoder, settings={"evaluate.text": False, "train.epochs": 1})
    for row in stored(run):
        assert set(row) == {"summary", "prediction", "row"}
    assert "parcel was here" not in run.report.read_text(encoding="utf-8")
