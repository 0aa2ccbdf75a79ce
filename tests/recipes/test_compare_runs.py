"""Runs beside each other: the numbers of their files, the rows that flip, and what cannot be compared."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from test_multilabel_runs import rows as set_rows
from test_regression_runs import numbers
from test_training_choices import SETTINGS

import supertune
from supertune.errors import UserError
from supertune.evaluate import measure
from supertune.files import read_jsonl
from supertune.recipes.told_outcome import told_outcome
from warm_processes import supertune_command


def rows() -> list[dict[str, Any]]:
    texts = ("a fine film with a warm heart", "too long and far too loud to like", "it rains in the north")
    return [
        {"text": f"{texts[n % 3]} {n}", "label": ("yes", "no", "none")[n % 3], "row": n, "source": "ab"[n % 2]}
        for n in range(150)
    ]


def fit(data: Any, out: Path, model: Path, **settings: Any) -> supertune.Run:
    task = settings.pop("task", None)
    label = settings.pop("label", "label")
    quick = {**SETTINGS, "train.epochs": 1, "data.split": [0.4, 0.1, 0.5], **settings}
    return supertune.fit(data, label=label, task=task, model=str(model), out=out, settings=quick)


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory, tiny_encoder: Path) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("two")
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows()), "utf-8")
    data = str(folder / "rows.jsonl")
    one = fit(data, folder / "one", tiny_encoder, **{"train.learning_rate": 0.01})
    other = fit(data, folder / "other", tiny_encoder, **{"train.learning_rate": 1e-6})
    return one.path, other.path


def test_what_is_compared_is_what_the_runs_say(two: tuple[Path, Path], tmp_path: Path) -> None:
    done = supertune_command("compare", *map(str, two), "--out", str(tmp_path / "flipped.jsonl"), "--json")
    assert done.code == 0, done.said
    found = json.loads(done.printed)
    lines = [list(read_jsonl(run / "predictions/test.jsonl")) for run in two]
    assert found["rows"] == len(lines[0]) == 75
    for run in two:
        stored = supertune.load_run(run).metrics["test"]
        for name, score in found["scores"][run.name].items():
            assert score["value"] == pytest.approx(stored[name].value, abs=1e-9), name
    right = [[line["prediction"] == line["label"] for line in told] for told in lines]
    pair = found["pairs"][0]
    assert pair["differences"]["accuracy"]["value"] == pytest.approx((sum(right[0]) - sum(right[1])) / 75)
    assert pair["test"]["only_first_right"] == sum(a and not b for a, b in zip(*right, strict=True))
    flipped = [one["row"] for one, other in zip(*lines, strict=True) if one["prediction"] != other["prediction"]]
    # The user's own column `row` is kept, and the number of the row beside it.
    assert pair["flipped"] == [line["supertune_row"] for line in lines[0] if line["row"] in flipped]
    assert [line["row"] for line in read_jsonl(tmp_path / "flipped.jsonl")] == pair["flipped"]
    names = {part["name"] for part in pair["slices"]}
    assert {"label = yes", "label = no", "label = none", "source = a", "source = b"} <= names
    for part in pair["slices"]:
        if part["name"].startswith("source = "):
            here = [at for at, line in enumerate(lines[0]) if f"source = {line['source']}" == part["name"]]
            gap = sum(right[0][at] - right[1][at] for at in here) / len(here)
            assert part["difference"]["value"] == pytest.approx(gap)
            assert part["difference"]["n"] == len(here)
        assert part["test"]["mid_p_holm"] >= part["test"]["mid_p"]


@pytest.mark.parametrize("task", ["multilabel", "regression"])
def test_sets_and_numbers_are_read_back_as_they_were_measured(task: str, tmp_path: Path, tiny_encoder: Path) -> None:
    data = set_rows() if task == "multilabel" else numbers()
    label = "labels" if task == "multilabel" else ["score", "price"]
    run = fit(data, tmp_path / "run", tiny_encoder, task=task, label=label)
    told, stored = told_outcome(run.path), run.metrics["test"]
    names = [name for name in stored if "/" not in name]
    again = measure(told.outcome, names).scores
    for name in names:
        assert again[name].value == pytest.approx(stored[name].value, rel=1e-5, abs=1e-5), name


def test_what_cannot_be_compared_is_refused_with_the_reason(two: tuple[Path, Path], tmp_path: Path) -> None:
    def refused(*runs: Path, **options: Any) -> str:
        with pytest.raises(UserError) as error:
            supertune.compare(runs, **options)
        return str(error.value)

    assert "two different runs" in refused(two[0], two[0])
    assert "no such run" in refused(two[0], tmp_path / "none")
    assert "paired comparison" in refused(*two, metrics=["ece"])
    assert "did you mean" in refused(*two, metrics=["acuracy"])
    other_rows = tmp_path / "other-rows"
    shutil.copytree(two[1], other_rows)
    manifest = json.loads((other_rows / "manifest.json").read_text("utf-8"))
    manifest["data"]["test"]["fingerprint"] = "another"
    (other_rows / "manifest.json").write_text(json.dumps(manifest), "utf-8")
    assert "other test rows" in refused(two[0], other_rows)
    told = other_rows / "predictions/test.jsonl"
    for damaged in (b'{"text": "half', b"\xff\n"):
        told.write_bytes(damaged)
        assert "test.jsonl:1" in refused(two[0], other_rows)
    told.write_bytes(b"5\n")
    assert "does not hold what the model says" in refused(two[0], other_rows)
