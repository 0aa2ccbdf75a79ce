"""A model that learned from cleaned rows cleans what it is asked in the same way, and tells it as given."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from test_training_choices import SETTINGS, rows

import supertune
from supertune.console import Console
from supertune.contracts import Columns
from supertune.data import OPERATORS, Step, Table, TextCleaning
from supertune.recipes.merge import merge_run
from supertune.recipes.predict import predict_lines
from supertune.recipes.run import Run

STEPS: list[Any] = ["html", "whitespace", {"pii": {"kinds": ["email"]}}, {"length": {"least": 3}}, "exact-duplicates"]
GIVEN = "<p>a   good&nbsp;film, write to jo@example.com</p>"
LEARNED = "a good film, write to [EMAIL]"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, tiny_encoder: Path) -> Run:
    folder = tmp_path_factory.mktemp("cleaned")
    given = [{**row, "text": f"<b>{row['text']}</b>"} for row in rows()]
    supertune.clean(given, steps=STEPS, out=folder / "prepared")
    prepared = folder / "prepared/train.jsonl"
    return supertune.fit(prepared, model=str(tiny_encoder), out=folder / "run", strategy="lora", settings=SETTINGS)


def test_what_is_asked_is_cleaned_and_told_as_it_was_given(run: Run, tmp_path: Path) -> None:
    (as_learned,) = run.predict([LEARNED], clean=False)
    (cleaned,) = run.predict([GIVEN])
    (bare,) = run.predict([GIVEN], clean=False)
    assert cleaned["scores"] == as_learned["scores"] != bare["scores"]
    assert cleaned["text"] == bare["text"] == GIVEN
    asked = tmp_path / "asked.jsonl"
    asked.write_text("".join(json.dumps({"id": n, "text": GIVEN + " " * n}) + "\n" for n in range(3)), "utf-8")
    found = run.predict(str(asked))
    assert [(row["id"], row["text"], row["row"]) for row in found] == [(n, GIVEN + " " * n, n) for n in range(3)]
    assert [row["scores"] for row in found] == [pytest.approx(as_learned["scores"], abs=1e-6)] * 3
    lines = list(predict_lines(run.path, [[GIVEN], ["x", GIVEN]]))
    assert [line["text"] for line in lines] == [GIVEN, "x", GIVEN]
    assert lines[2]["scores"] == pytest.approx(as_learned["scores"], abs=1e-6)


def test_scores_of_rows_as_they_came_are_those_of_cleaned_ones(run: Run) -> None:
    marked = [{"text": f"<i>{row['text']}</i>", "label": row["label"]} for row in rows()]
    assert run.evaluate(marked)["metrics"] == run.evaluate(rows())["metrics"]


def test_a_merged_model_cleans_too(run: Run, tmp_path: Path) -> None:
    merge_run(run.path, tmp_path / "merged", console=Console(quiet=True))
    told = [json.loads((folder / "supertune.json").read_text()) for folder in (run.path / "model", tmp_path / "merged")]
    assert [step["step"] for step in told[0]["cleaning"]] == ["html", "whitespace", "pii"]
    assert told[0]["cleaning"] == told[1]["cleaning"]


def test_only_changes_of_texts_are_repeated_and_only_on_columns_that_are_there() -> None:
    steps = [
        Step("read", {}, 3, 3),
        Step("clean:html", {"columns": ["title"]}, 3, 3),
        Step("clean:missing", {}, 3, 2),
        Step("clean:whitespace", {}, 2, 2),
        Step("clean:a-step-of-tomorrow", {}, 2, 2),
    ]
    cleaning = TextCleaning.of_lineage(OPERATORS, steps)
    assert [step.name for step in cleaning.steps] == ["html", "whitespace"]
    assert TextCleaning.from_json(OPERATORS, cleaning.as_json(), "a file") == cleaning
    table = Table.from_rows([{"text": "<b>a</b>   b"}, {"text": None}], source="asked")
    assert cleaning.changed(table, Columns(("text",), ("label",))).column("text") == ["<b>a</b> b", None]
    places = Columns(("text",), ("label",), answers="spans")
    assert cleaning.changed(table, places) is table
