"""Several data sets learned from together: each in its own format, divided alike, taken by weight, told apart."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import supertune
from supertune.config import Config, dump_config, load_config
from supertune.console import Console
from supertune.contracts import Features
from supertune.errors import InterruptedRunError, UserError
from supertune.recipes import train_one
from supertune.recipes.rows import load_rows
from supertune.recipes.sources import by_weight
from tiny_decoders import TINY, sentences, write_tiny_decoder

QUIET = Console(quiet=True)
ALLOW = ["leakage", "contamination", "exact-duplicates", "label-conflicts"]


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUPERTUNE_CACHE", str(tmp_path / "cache"))


def written(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows), encoding="utf-8")
    return path


def alpaca(folder: Path, count: int = 60) -> Path:
    rows = [{"instruction": f"{asked} {n}", "output": answer} for n, (asked, answer) in enumerate(sentences(count))]
    return written(folder / "alpaca.jsonl", rows)


def sharegpt(folder: Path, count: int = 40) -> Path:
    said = [(f"{asked}? {n}", answer) for n, (asked, answer) in enumerate(sentences(count))]
    rows = [
        {"conversations": [{"from": "human", "value": asked}, {"from": "gpt", "value": answer}]}
        for asked, answer in said
    ]
    return written(folder / "talks.jsonl", rows)


def pairs(folder: Path, count: int = 20) -> Path:
    return written(
        folder / "pairs.jsonl", [{"en": f"{en} {n}", "zh": zh} for n, (en, zh) in enumerate(sentences(count))]
    )


def config_of(folder: Path, text: str) -> Config:
    path = folder / "run.yaml"
    path.write_text(text, encoding="utf-8")
    return load_config(path)


def test_each_is_read_in_its_format_and_every_split_gets_its_share_of_each(tmp_path: Path):
    for make in (alpaca, sharegpt, pairs):
        make(tmp_path)
    sources = (
        "  - alpaca.jsonl\n  - path: talks.jsonl\n    system: Be brief.\n  - {path: pairs.jsonl, task: translation}\n"
    )
    config = config_of(tmp_path, f"data:\n  source:\n{sources}task:\n  name: chat\n")
    rows = load_rows(config, None, QUIET)
    counts = {split: Counter(table.column("source")) for split, table in rows.splits.items()}
    assert counts["train"] == {"alpaca.jsonl": 48, "talks.jsonl": 32, "pairs.jsonl": 16}
    assert counts["test"] == counts["validation"] == {"alpaca.jsonl": 6, "talks.jsonl": 4, "pairs.jsonl": 2}
    told = [
        (row["source"], row["source_row"], row["messages"])
        for row in rows.given["all"].select([3, 60, 101], step="x").rows()
    ]
    said = sentences(60)
    assert told[0] == (
        "alpaca.jsonl",
        3,
        [{"role": "user", "content": f"{said[3][0]} 3"}, {"role": "assistant", "content": said[3][1]}],
    )
    assert told[1][2][0] == {"role": "system", "content": "Be brief."}
    assert told[2][:2] == ("pairs.jsonl", 1)
    assert f"{said[1][0]} 1" in told[2][2][0]["content"]
    assert told[2][2][0]["content"] != f"{said[1][0]} 1"
    lineage = rows.splits["train"].lineage
    together = next(step for step in lineage if step.name == "together").parameters["sources"]
    assert [each["rows"] for each in together] == [60, 40, 20]
    assert [each["format"] for each in together] == ["alpaca", "sharegpt", "translation"]
    assert len({each["fingerprint"] for each in together}) == 3
    # What was found is written down, and found again.
    again = load_rows(config.with_values({"data.source": [each.model_dump() for each in rows.sources]}), None, QUIET)
    for split, table in rows.splits.items():
        assert again.splits[split].fingerprint == table.fingerprint


def test_equal_questions_of_two_data_sets_stay_in_one_split(tmp_path: Path):
    rows = [{"instruction": f"question {n}", "output": "yes"} for n in range(40)]
    for name in ("a.jsonl", "b.jsonl"):
        written(tmp_path / name, rows)
    config = config_of(tmp_path, "data:\n  source: [a.jsonl, b.jsonl]\ntask:\n  name: chat\n")
    found = load_rows(config, None, QUIET).splits
    asked = {split: {row["messages"][0]["content"] for row in table.rows()} for split, table in found.items()}
    assert not asked["train"] & asked["test"]
    assert not asked["train"] & asked["validation"]
    assert len(set.union(*asked.values())) == 40


CLASSES = """data:
  source:
  - path: first.csv
  - path: second.jsonl
    weight: 2.5
    text: [review]
    label: sentiment
  - path: third.jsonl
    weight: 0.5
"""


def labelled(folder: Path) -> Config:
    lines = "\n".join(f"text number {n} is {'good' if n % 2 else 'bad'},{'ab'[n % 2]}" for n in range(60))
    (folder / "first.csv").write_text(f"text,label\n{lines}\n", encoding="utf-8")
    rows = [
        {"review": f"评论 {n} {'好' if n % 2 else '坏'}", "sentiment": "ab"[n % 2], "note": f"note {n} 备注"}
        for n in range(40)
    ]
    written(folder / "second.jsonl", rows)
    written(folder / "third.jsonl", [{"text": f"third {n}", "label": "ab"[n % 2]} for n in range(30)])
    return config_of(folder, CLASSES)


def features_of(table: Any) -> Features:
    count = len(table)
    lengths = np.arange(count) % 3 + 1
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    tokens = {"input_ids": np.arange(offsets[-1], dtype=np.int32)}
    numbers = np.arange(count, dtype=np.int64)
    return Features(tokens, offsets, {"labels": numbers}, numbers, lengths.astype(np.int64), table=table)


def test_classes_come_from_columns_of_other_names_and_rows_are_taken_by_weight(tmp_path: Path):
    config = labelled(tmp_path)
    rows = load_rows(config, None, QUIET)
    assert rows.columns.text == ("text",)
    assert rows.columns.label == "label"
    train = rows.splits["train"]
    counts = Counter(zip(train.column("source"), train.column("label"), strict=True))
    assert set(counts.values()) <= {24, 16, 12}
    assert len(train) == 104
    features = features_of(train)
    settled = config.with_values({"data.source": [each.model_dump() for each in rows.sources]})
    taken, facts = by_weight(settled, train, {"train": features}, rows.whole, QUIET)
    source = np.array(train.column("source"))
    times = np.bincount(taken.rows, minlength=len(train))
    assert set(times[source == "first.csv"]) == {1}
    assert Counter(times[source == "second.jsonl"].tolist()) == {2: 16, 3: 16}
    assert Counter(times[source == "third.jsonl"].tolist()) == {0: 12, 1: 12}
    # Targets and tokens go with their rows.
    np.testing.assert_array_equal(taken.targets["labels"], taken.rows)
    np.testing.assert_array_equal(taken.lengths, taken.rows % 3 + 1)
    assert [fact["items"] for fact in facts] == [48, 80, 12]
    assert [fact["rows"]["test"] for fact in facts] == [6, 4, 3]
    assert sum(fact["share"] for fact in facts) == pytest.approx(1)
    again, _ = by_weight(settled, train, {"train": features}, rows.whole, QUIET)
    np.testing.assert_array_equal(again.rows, taken.rows)


@pytest.mark.parametrize(
    ("text", "line", "what", "fix"),
    [
        ("- a.jsonl\n  - path: b.jsonl\n    weight: 0", 5, "data.source[1].weight: 0 does not fit", "how often"),
        ("- a.jsonl\n  - path: b.jsonl\n    weight: -1", 5, "greater than 0", "how often"),
        ("- a.jsonl\n  - path: b.jsonl\n    wait: 2", 5, "unknown key 'data.source[1].wait'", "weight"),
        ("- {weight: 2}", None, "field required", "file, folder"),
        ("  []", 2, "at least 1 item", "list of them"),
    ],
)
def test_slips_are_told_with_their_line(tmp_path: Path, text: str, line: int | None, what: str, fix: str):
    with pytest.raises(UserError) as caught:
        config_of(tmp_path, f"data:\n  source:\n  {text}\n")
    assert what in caught.value.what
    assert fix in (caught.value.fix or "")
    assert (caught.value.where or "").endswith("run.yaml" if line is None else f"run.yaml:{line}")


@pytest.mark.parametrize(
    ("sources", "task", "where", "what"),
    [
        ("[alpaca.jsonl, alpaca.jsonl]", "chat", "data.source[1]", "named twice"),
        ("[alpaca.jsonl, {path: nothing.jsonl}]", "chat", "nothing.jsonl", ""),
        ("[alpaca.jsonl, {path: first.csv, text: [body]}]", "chat", "first.csv", "'body'"),
        ("[alpaca.jsonl, {path: talks.jsonl, task: singing}]", "chat", "data.source", "'singing' is no task"),
        ("[alpaca.jsonl, {path: notes.jsonl, task: text}]", "chat", "data.source", "cannot be mixed"),
        ("[first.csv, {path: second.jsonl, prompt: x}]", "classification", "data.source", "writes nothing"),
        (
            "[first.csv, {path: second.jsonl, text: [review, note], label: sentiment}]",
            "classification",
            "second",
            "is read as",
        ),
    ],
)
def test_what_cannot_be_put_together_is_refused(tmp_path: Path, sources: str, task: str, where: str, what: str):
    labelled(tmp_path)
    for make in (alpaca, sharegpt, pairs):
        make(tmp_path)
    written(tmp_path / "notes.jsonl", [{"text": f"A note of some words, number {n}."} for n in range(20)])
    config = config_of(tmp_path, f"data:\n  source: {sources}\ntask:\n  name: {task}\n")
    with pytest.raises(UserError) as caught:
        load_rows(config, None, QUIET)
    assert where in (caught.value.where or "")
    assert what in caught.value.what


def test_a_run_tells_its_data_sets_apart_and_resumes_in_the_same_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    alpaca(tmp_path)
    sharegpt(tmp_path)
    model = write_tiny_decoder(tmp_path / "model")
    config = config_of(
        tmp_path, "data:\n  source: [alpaca.jsonl, {path: talks.jsonl, weight: 2}]\ntask:\n  name: chat\n"
    )
    values = {**TINY, "model.name": str(model), "train.epochs": 2, "evaluate.generate": 2, "evaluate.general": "none"}
    values |= {"data.allow": ALLOW, "evaluate.baselines": False}
    (tmp_path / "run.yaml").write_text(dump_config(config.with_values(values)), encoding="utf-8")
    whole = supertune.fit(tmp_path / "run.yaml", out=tmp_path / "whole")
    facts = json.loads((whole.path / "manifest.json").read_text(encoding="utf-8"))["sources"]
    assert [(fact["name"], fact["weight"], fact["items"]) for fact in facts] == [
        ("alpaca.jsonl", 1.0, 48),
        ("talks.jsonl", 2.0, 64),
    ]
    assert [fact["rows"] for fact in facts] == [
        {"train": 48, "validation": 6, "test": 6},
        {"train": 32, "validation": 4, "test": 4},
    ]
    assert facts[1]["share"] > 0.5
    scores = whole.metrics
    assert scores["test_from_alpaca.jsonl"]["loss_per_token"].n
    lines = (whole.path / "predictions/test.jsonl").read_text(encoding="utf-8").splitlines()
    assert Counter(json.loads(line)["source"] for line in lines) == {"alpaca.jsonl": 6, "talks.jsonl": 4}

    steps = train_one._steps

    def interrupted(*arguments: Any) -> Any:
        for event in steps(*arguments):
            yield event
            if event.event == "step" and event.step == 17:
                raise KeyboardInterrupt

    monkeypatch.setattr(train_one, "_steps", interrupted)
    with pytest.raises(InterruptedRunError):
        supertune.fit(tmp_path / "run.yaml", out=tmp_path / "again", settings={"train.checkpoint_every": 5})
    monkeypatch.setattr(train_one, "_steps", steps)
    resumed = supertune.resume(tmp_path / "again")
    assert model_bytes(resumed.path) == model_bytes(whole.path)


def model_bytes(run: Path) -> bytes:
    (path,) = (run / "model").glob("*.safetensors")
    return path.read_bytes()
