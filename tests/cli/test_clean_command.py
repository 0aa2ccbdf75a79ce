"""``supertune clean`` as a process of its own, and what becomes of what it writes."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

import supertune
from supertune.data import read, read_splits
from supertune.errors import UserError
from warm_processes import Done, supertune_command

ROWS = [
    {
        "text": f"<p>Great   food &amp; service {number}</p>" if number % 2 else f"很差，浣犲ソ{number}",
        "label": ["pos", "neg"][number % 2],
    }
    for number in range(40)
]
ROWS += [{"text": "", "label": "pos"}, {"text": "很差，你好0", "label": "pos"}]


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in ROWS), encoding="utf-8")
    return path


def run(*arguments: object, code: int = 0) -> Done:
    done = supertune_command(*map(str, arguments))
    assert done.code == code, done.said
    assert "Traceback" not in done.said
    return done


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_rows_are_cleaned_and_everything_is_told(rows: Path, tmp_path: Path) -> None:
    out = tmp_path / "cleaned"
    done = run("clean", rows, "--out", out, "--json")
    shape = json.loads(done.printed)
    assert shape["out"] == str(out)
    assert shape["splits"]["all"]["rows"] == 40
    told = {step["step"]: step for step in shape["splits"]["all"]["steps"]}
    assert told["encoding"]["changed"] == 20
    assert told["html"]["changed"] == 20
    assert told["missing"]["removed"] == {"no text": 1}
    assert told["exact-duplicates"]["removed"] == {"repeats a row": 1}

    assert lines(out / "train.jsonl")[:2] == [
        {"text": "很差，你好0", "label": "pos"},
        {"text": "Great food & service 1", "label": "neg"},
    ]
    gone = lines(out / "removed.jsonl")
    assert [(row["split"], row["row"], row["step"]) for row in gone] == [
        ("all", 40, "missing"),
        ("all", 41, "exact-duplicates"),
    ]
    assert gone[1]["values"] == ROWS[41]
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "浣犲ソ" in page
    assert "&lt;p&gt;Great" in page
    assert "<script" not in page

    # The same again, from what was written beside.
    again = tmp_path / "again"
    run("clean", out / "preparation.yaml", "--out", again)
    assert (again / "train.jsonl").read_bytes() == (out / "train.jsonl").read_bytes()
    assert (again / "preparation.yaml").read_bytes() == (out / "preparation.yaml").read_bytes()


def test_what_was_done_travels_on(rows: Path, tmp_path: Path) -> None:
    out = tmp_path / "cleaned"
    supertune.clean(rows, steps=["encoding", {"length": {"least": 2}}], out=out)
    table = read(out / "train.jsonl")
    assert [step.name for step in table.lineage] == ["read", "clean:encoding", "clean:length", "read"]
    assert table.lineage[2].parameters == {"least": 2}
    assert "prepared from" in table.notes[0]
    assert read_splits(out)["all"].lineage == table.lineage
    with (out / "train.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"text": "one more", "label": "pos"}\n')
    changed = read(out / "train.jsonl")
    assert [step.name for step in changed.lineage] == ["read"]
    assert "was changed after it was prepared" in changed.notes[0]
    (out / "preparation.json").write_text("[1]")
    assert "no record of a preparation" in read(out / "train.jsonl").notes[0]


def test_without_a_place_it_only_tells(rows: Path) -> None:
    before = sorted(rows.parent.iterdir())
    done = run("clean", rows, "--step", "html", "--step", "length: {least: 4}")
    assert "html, row" in done.said
    assert "shorter than 4 words" in done.said
    assert done.printed == ""
    assert sorted(rows.parent.iterdir()) == before


def test_splits_stay_splits(rows: Path, tmp_path: Path) -> None:
    test = tmp_path / "questions.jsonl"
    test.write_text(rows.read_text(encoding="utf-8").splitlines()[0] + "\n", encoding="utf-8")
    out = tmp_path / "cleaned"
    run("clean", rows, "--test", test, "--out", out, "--format", "parquet")
    tables = read_splits(out)
    assert {split: len(table) for split, table in tables.items()} == {"train": 39, "test": 1}
    # Two rows said it once their encoding was repaired; one repeated the other.
    steps = {row["row"]: row["step"] for row in lines(out / "removed.jsonl")}
    assert steps == {0: "leakage", 40: "missing", 41: "exact-duplicates"}


def test_formulas_in_csv_are_texts(tmp_path: Path) -> None:
    table = supertune.read([{"text": "=1+1", "label": "a", "n": -1}, {"text": '@x, "y"', "label": "b", "n": 2}])
    supertune.clean(table, steps=["unicode"], out=tmp_path / "out", format="csv")
    with (tmp_path / "out" / "train.csv").open(encoding="utf-8", newline="") as file:
        assert list(csv.reader(file)) == [["text", "label", "n"], ["'=1+1", "a", "-1"], ['\'@x, "y"', "b", "2"]]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("steps: [html, htm]", "clean.yaml:1: there is no step 'htm'"),
        ("data:\n  source: rows.jsonl\nsteps:\n  - html\n  - length: {lest: 2}", "clean.yaml:5: length has no option"),
        ("data:\n  sorce: rows.jsonl\nsteps:\n  - html", "clean.yaml:2: unknown key 'data.sorce'"),
        ("steps: html", "clean.yaml:1: steps is not a list"),
        ("train:\n  epochs: 3", "clean.yaml:1: unknown key 'train' in a preparation"),
        ("- html", "clean.yaml: holds no preparation"),
        ("steps:\n  - [html]", "clean.yaml:2: ['html'] is no step"),
        ("steps:\n  - length: 3", "clean.yaml:2: {'length': 3} is no step"),
        ("steps:\n\t- html", "is not valid YAML"),
        ("steps:\n  - html", "no data was named"),
        ("data:\n  source: [rows.jsonl, more.jsonl]\nsteps: [html]", "rows are prepared source by source"),
    ],
)
def test_mistakes_in_a_preparation_are_told_with_their_line(
    rows: Path, tmp_path: Path, content: str, told: str
) -> None:
    path = tmp_path / "clean.yaml"
    path.write_text(content)
    done = run("clean", path, "--out", tmp_path / "out", code=2)
    assert told in done.said
    assert not (tmp_path / "out").exists()


def test_places_that_cannot_be_written(rows: Path, tmp_path: Path) -> None:
    assert "exists already" in run("clean", rows, "--out", rows, code=2).said
    assert "--out" in run("clean", rows, "--out", tmp_path / "clean.csv", code=2).said
    assert "use one of jsonl" in run("clean", rows, "--out", tmp_path / "x", "--format", "xml", code=2).said
    nested = supertune.read([{"messages": [{"role": "user", "content": "a"}], "text": "b"}])
    with pytest.raises(UserError, match="lists or objects"):
        supertune.clean(nested, text="text", out=tmp_path / "y", format="parquet")


def test_rows_without_labels_can_be_cleaned(tmp_path: Path) -> None:
    path = tmp_path / "texts.csv"
    path.write_text("text\n<b>one</b>\none\ntwo\n")
    made = run("clean", path, "--json")
    assert json.loads(made.printed)["splits"]["all"]["rows"] == 2
    assert "no label column was found" in made.said


def test_what_was_cleaned_goes_on_in_memory(rows: Path, tmp_path: Path) -> None:
    made = supertune.clean(supertune.read(rows))
    report = supertune.check(made.tables)
    assert report.rows == 40
    assert not [finding for finding in report.findings if finding.check in ("exact-duplicates", "empty-rows")]
    halves = {
        "train": made.tables["all"].select(range(30), step="h"),
        "test": made.tables["all"].select([0, 35], step="h"),
    }
    assert list(supertune.clean(halves).tables) == ["train", "test"]
