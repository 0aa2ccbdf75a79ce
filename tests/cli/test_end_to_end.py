"""The real command line on the shipped example and the real small encoder: what a user does, and may rely on."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from warm_processes import supertune_command

EXAMPLES = Path(__file__).parents[2] / "examples" / "support-tickets"
SETTINGS = [
    *("train.epochs=1", "train.learning_rate=1e-4", "train.precision=fp32", "train.attention=sdpa", "train.threads=1"),
    "model.max_length=32",
]
SUPERTUNE = [sys.executable, "-c", "from supertune.cli import main; main()"]

NO_NETWORK = """
import socket
def refuse(self, address, *rest):
    if self.family in (socket.AF_INET, socket.AF_INET6):
        raise AssertionError(f"a call left the machine: {address}")
    return connect(self, address, *rest)
connect = socket.socket.connect
socket.socket.connect = refuse
"""


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("end-to-end")
    (folder / "site").mkdir()
    (folder / "site" / "sitecustomize.py").write_text(NO_NETWORK, encoding="utf-8")
    with (EXAMPLES / "tickets-en.csv").open(encoding="utf-8", newline="") as stream:
        rows = [row for row in csv.DictReader(stream) if row["intent"]][:240]
    with (folder / "tickets.csv").open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return folder


def environment(workplace: Path) -> dict[str, str]:
    """No network at all: a connection attempt is a bug in the process that tries it."""
    return {**os.environ, "SUPERTUNE_CACHE": str(workplace / "cache"), "PYTHONPATH": str(workplace / "site")}


def supertune(workplace: Path, *arguments: str, code: int = 0, stdin: str | None = None) -> str:
    """As `supertune_anew`, without the seconds of importing."""
    cache = {"SUPERTUNE_CACHE": str(workplace / "cache")}
    done = supertune_command(*arguments, cwd=workplace, environment=cache, stdin=stdin, alone=True)
    assert done.code == code, done.said
    assert "Traceback" not in done.said
    return done.printed


def supertune_anew(workplace: Path, *arguments: str, stdin: str | None = None) -> str:
    """In a process that imports everything by itself."""
    done = subprocess.run(
        [*SUPERTUNE, *arguments],
        cwd=workplace,
        env=environment(workplace),
        capture_output=True,
        text=True,
        input=stdin,
        timeout=300,
        stdin=subprocess.DEVNULL if stdin is None else None,
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout


def train(workplace: Path, out: str, *arguments: str, call: Callable[..., str] = supertune) -> dict[str, Any]:
    settings = [part for setting in SETTINGS for part in ("--set", setting)]
    columns = ["--text", "message", "--label", "intent", "--model", "minilm"]
    told = call(workplace, "train", "tickets.csv", *columns, *settings, "--out", out, "--json", *arguments)
    answer: dict[str, Any] = json.loads(told)
    return answer


@pytest.fixture(scope="module")
def trained(workplace: Path) -> dict[str, Any]:
    return train(workplace, "first", "--seed", "7", call=supertune_anew)


@pytest.fixture(scope="module")
def other(workplace: Path) -> Path:
    """A run of another seed, whose texts are left out, with a Chinese report."""
    train(workplace, "other", "--seed", "8", "--no-text", "--set", "evaluate.language=zh")
    return workplace / "other"


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_run_holds_everything_the_contract_names(workplace: Path, trained: dict[str, Any]) -> None:
    run = workplace / "first"
    assert trained["status"] == "done"
    assert trained["run"] == "first"
    assert trained["metrics"] == json.loads((run / "metrics.json").read_text(encoding="utf-8"))
    for name in (
        "config.yaml",
        "events.jsonl",
        "report.html",
        "gate.json",
        "predictions/test.jsonl",
        "model/README.md",
    ):
        assert (run / name).is_file(), name
    manifest = json.loads((run / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["status"] == "done"
    assert manifest["reload_check"]["rows"] > 0
    assert manifest["examples_seen"] == manifest["data"]["train"]["rows"]
    assert {"config.yaml", "metrics.json", "model/model.safetensors"} <= set(manifest["files"])
    for name, facts in manifest["files"].items():
        assert digest(run / name) == facts["sha256"], name
    score = trained["metrics"]["test"]["f1_macro"]
    assert score["low"] <= score["value"] <= score["high"]
    assert {"validation", "test", "test_majority", "test_tfidf"} <= set(trained["metrics"])
    for event in lines(run / "events.jsonl"):
        assert {"time", "step", "event"} <= set(event)


@pytest.mark.slow
def test_the_same_command_gives_the_same_model_and_numbers(workplace: Path, trained: dict[str, Any]) -> None:
    again = train(workplace, "again", "--seed", "7")
    assert digest(workplace / "again/model/model.safetensors") == digest(workplace / "first/model/model.safetensors")
    assert again["metrics"] == trained["metrics"]
    assert lines(workplace / "again/predictions/test.jsonl") == lines(workplace / "first/predictions/test.jsonl")


@pytest.mark.slow
def test_another_seed_gives_another_split_and_model(workplace: Path, trained: dict[str, Any], other: Path) -> None:
    assert digest(other / "model/model.safetensors") != digest(workplace / "first/model/model.safetensors")
    rows = [{row["ticket"] for row in lines(workplace / run / "predictions/test.jsonl")} for run in ("first", "other")]
    assert rows[0] != rows[1]


def test_the_written_configuration_repeats_the_run(workplace: Path, trained: dict[str, Any]) -> None:
    supertune(workplace, "train", "first/config.yaml", "--out", "repeated", "--quiet")
    assert digest(workplace / "repeated/model/model.safetensors") == digest(workplace / "first/model/model.safetensors")


def test_plain_transformers_reproduces_the_predictions(workplace: Path, trained: dict[str, Any]) -> None:
    script = """
import json, sys
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer
folder, rows = sys.argv[1], [json.loads(line) for line in open(sys.argv[2], encoding="utf-8")]
tokenizer = AutoTokenizer.from_pretrained(folder)
model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
assert not any(name.startswith("supertune") for name in sys.modules)
for row in rows:
    with torch.no_grad():
        batch = tokenizer([row["message"]], truncation=True, return_tensors="pt")
        scores = model(**batch).logits.double().softmax(-1)[0].tolist()
    labels = [model.config.id2label[index] for index in range(len(scores))]
    assert labels[scores.index(max(scores))] == row["prediction"]
    assert max(abs(row["scores"][label] - score) for label, score in zip(labels, scores)) < 1e-4
print(len(rows))
"""
    done = subprocess.run(
        [sys.executable, "-c", script, "first/model", "first/predictions/test.jsonl"],
        cwd=workplace,
        env=environment(workplace),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) == len(lines(workplace / "first/predictions/test.jsonl"))


def test_the_load_lines_of_the_model_card_run(workplace: Path, trained: dict[str, Any]) -> None:
    card = (workplace / "first/model/README.md").read_text(encoding="utf-8")
    blocks = [block.partition("```")[0] for block in card.split("```python\n")[1:]]
    assert len(blocks) == 2
    for block in blocks:
        done = subprocess.run(
            [sys.executable, "-c", block],
            cwd=workplace / "first/model",
            env=environment(workplace),
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, done.stderr


def test_predictions_agree_however_they_are_asked_for(workplace: Path, trained: dict[str, Any]) -> None:
    known = {
        row["message"]: row for row in lines(workplace / "first/predictions/test.jsonl") if "\n" not in row["message"]
    }
    texts = list(known)[:3]
    from_arguments = json.loads(supertune(workplace, "predict", "first", *texts, "--json"))["predictions"]
    from_stdin = [
        json.loads(line) for line in supertune(workplace, "predict", "first", stdin="\n".join(texts)).splitlines()
    ]
    (workplace / "texts.jsonl").write_text(
        "".join(json.dumps({"message": text}, ensure_ascii=False) + "\n" for text in texts), encoding="utf-8"
    )
    supertune(workplace, "predict", "first", "--file", "texts.jsonl", "--out", "answers.jsonl")
    from_file = lines(workplace / "answers.jsonl")
    for answers in (from_arguments, from_stdin, from_file):
        assert [row["prediction"] for row in answers] == [known[text]["prediction"] for text in texts]
        for row, text in zip(answers, texts, strict=True):
            assert row["scores"] == pytest.approx(known[text]["scores"], abs=1e-5)


@pytest.mark.slow
def test_zero_shot_answers_agree_however_they_are_asked_for(workplace: Path) -> None:
    texts = ["the parcel is late", "包裹还没有到"]
    meanings = {"delivery": ["a late parcel", "物流"], "refund": "money back"}
    (workplace / "labels.yaml").write_text(json.dumps(meanings, ensure_ascii=False), encoding="utf-8")
    (workplace / "unlabelled.csv").write_text("message,id\n" + "".join(f"{text},7\n" for text in texts), "utf-8")
    asked = ["zero-shot", "--labels", "labels.yaml", "--model", "minilm"]
    answers = json.loads(supertune(workplace, *asked, "--json", stdin="\n".join(texts)))
    assert answers["labels"] == ["delivery", "refund"]
    assert answers["predictions"][0]["prediction"] == "delivery"
    supertune(workplace, *asked, "--file", "unlabelled.csv", "--text", "message", "--out", "labelled.jsonl")
    for row, expected in zip(lines(workplace / "labelled.jsonl"), answers["predictions"], strict=True):
        assert row["message"] == expected["text"]
        assert row["row"] == expected["row"]
        assert row["prediction"] == expected["prediction"]
        assert row["scores"] == pytest.approx(expected["scores"], abs=1e-5)


def test_evaluate_gives_the_scores_that_the_run_reported(workplace: Path, trained: dict[str, Any]) -> None:
    rows = [
        {"message": row["message"], "intent": row["intent"]}
        for row in lines(workplace / "first/predictions/test.jsonl")
    ]
    (workplace / "test.json").write_text(json.dumps(rows, ensure_ascii=False), encoding="utf-8")
    answer = json.loads(supertune(workplace, "evaluate", "first", "test.json", "--json"))
    assert answer["metrics"]["test"]["accuracy"] == trained["metrics"]["test"]["accuracy"]


@pytest.mark.slow
def test_no_text_keeps_the_texts_out_of_report_and_predictions(workplace: Path, other: Path) -> None:
    written = (other / "report.html").read_text(encoding="utf-8")
    with (workplace / "tickets.csv").open(encoding="utf-8", newline="") as stream:
        messages = [row["message"] for row in csv.DictReader(stream)]
    assert len(messages) == 240
    for message in messages:
        if len(message) > 20:
            assert message[:20] not in written
    for row in lines(other / "predictions/test.jsonl"):
        assert "message" not in row
        assert "ticket" in row


@pytest.mark.slow
def test_a_chinese_report_names_things_in_chinese(other: Path) -> None:
    written = (other / "report.html").read_text(encoding="utf-8")
    for name in ("最常见的标签", "TF-IDF + 线性模型", "线程", "最大差异"):
        assert name in written
    for name in ("majority", "tfidf", "threads", "largest difference"):
        assert name not in written


def test_a_dry_run_tells_the_plan_and_writes_nothing(workplace: Path) -> None:
    before = sorted(path.name for path in workplace.iterdir())
    settings = [part for setting in SETTINGS for part in ("--set", setting)]
    columns = ["--label", "intent", "--text", "message"]
    plan = json.loads(supertune(workplace, "train", "tickets.csv", *columns, *settings, "--dry-run", "--json"))
    assert plan["status"] == "would train"
    assert plan["columns"] == {"text": ["message"], "label": "intent"}
    assert sum(plan["splits"].values()) >= 230
    assert 0 < plan["expected"]["seconds_low"] <= plan["expected"]["seconds"] <= plan["expected"]["seconds_high"]
    assert plan["expected"]["peak_mb"] > 100
    assert sorted(path.name for path in workplace.iterdir()) == before


def test_inspect_shows_pieces_and_what_is_cut(workplace: Path) -> None:
    (workplace / "long.csv").write_text(
        "text,label\n" + "word " * 50 + ",a\n短文,b\n" + "hello there,a\n" * 9, encoding="utf-8"
    )
    shown = json.loads(
        supertune(
            workplace,
            "inspect",
            "long.csv",
            "--text",
            "text",
            "--label",
            "label",
            "--model",
            "minilm",
            "--set",
            "model.max_length=16",
            "--json",
        )
    )
    first = shown["rows"][0]
    assert first["truncated"]
    assert [piece["text"] for piece in first["pieces"]] == ["[CLS]", *["word"] * 14, "[SEP]"]
    assert len(first["cut"]) == 36
    assert not shown["rows"][1]["truncated"]


def test_check_exits_3_on_findings_and_0_when_clean(workplace: Path) -> None:
    clean = "".join(
        f"{json.dumps({'text': f'{word} number {index}', 'label': word})}\n"
        for word in ("apple", "pear")
        for index in range(12)
    )
    (workplace / "clean.jsonl").write_text(clean, encoding="utf-8")
    assert json.loads(supertune(workplace, "check", "clean.jsonl", "--json"))["findings"] == []
    (workplace / "doubled.jsonl").write_text(clean + clean.splitlines()[0] + "\n", encoding="utf-8")
    answer = json.loads(supertune(workplace, "check", "doubled.jsonl", "--no-label-errors", "--json", code=3))
    assert answer["rows"] == 25
    (finding,) = answer["findings"]
    assert (finding["check"], finding["severity"], finding["rows"]) == ("exact-duplicates", "warning", [24])
    supertune(workplace, "check", "doubled.jsonl", "--fail-on", "error", "--no-label-errors")


def test_runs_and_show_list_what_was_trained(workplace: Path, trained: dict[str, Any]) -> None:
    listed = json.loads(supertune(workplace, "runs", ".", "--json"))["runs"]
    assert "first" in {Path(run["run"]).name for run in listed}
    shown = json.loads(supertune(workplace, "show", "first", "--json"))
    assert shown["problems"] == []
    assert shown["metrics"] == trained["metrics"]
    assert "f1_macro" in supertune(workplace, "show", "first")


@pytest.fixture
def long_training(workplace: Path) -> Iterator[subprocess.Popen[str]]:
    settings = [part for setting in [*SETTINGS, "train.epochs=500"] for part in ("--set", setting)]
    with subprocess.Popen(
        [*SUPERTUNE, "train", "tickets.csv", "--text", "message", "--label", "intent", *settings, "--out", "stopped"],
        cwd=workplace,
        env=environment(workplace),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        yield process
        process.kill()


def test_ctrl_c_leaves_a_consistent_run(workplace: Path, long_training: subprocess.Popen[str]) -> None:
    events = workplace / "stopped" / "events.jsonl"
    deadline = time.monotonic() + 120
    while not (events.exists() and '"best"' in events.read_text(encoding="utf-8")) and time.monotonic() < deadline:
        time.sleep(0.2)
    long_training.send_signal(signal.SIGINT)
    _, said = long_training.communicate(timeout=60)
    assert long_training.returncode == 130
    assert "Traceback" not in said
    assert "stopped" in said.splitlines()[-1]
    shown = json.loads(supertune(workplace, "show", "stopped", "--json"))
    assert shown["status"] == "interrupted"
    assert shown["problems"] == []
    assert not list((workplace / "stopped").rglob("*.partial"))
    supertune(workplace, "predict", "stopped", "hello", code=2)
