"""``supertune split`` as a process of its own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from supertune.data import read_splits
from warm_processes import Done, supertune_command


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    path = tmp_path / "rows.jsonl"
    lines = [
        {
            "text": f"text {number // 2} of {'甲乙'[number % 2]}",
            "label": number % 2,
            "day": f"2024-01-{1 + number % 28:02}",
            "who": number % 10,
        }
        for number in range(200)
    ]
    path.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), encoding="utf-8")
    return path


def run(*arguments: object, code: int = 0) -> Done:
    done = supertune_command("split", *map(str, arguments))
    assert done.code == code, done.said
    assert "Traceback" not in done.said
    return done


def values(folder: Path, column: str) -> dict[str, list[Any]]:
    return {split: table.column(column) for split, table in read_splits(folder).items()}


def test_rows_are_divided_into_files_once(rows: Path, tmp_path: Path) -> None:
    told = json.loads(run(rows, "--out", tmp_path / "a", "--test-size", 40, "--validation-size", 0.1, "--json").printed)
    assert {split: part["rows"] for split, part in told["splits"].items()} == {
        "train": 140,
        "validation": 20,
        "test": 40,
    }
    run(rows, "--out", tmp_path / "b", "--test-size", 40, "--seed", 0)
    run(rows, "--out", tmp_path / "c", "--test-size", 40, "--seed", 1)
    a, b, c = (values(tmp_path / name, "text") for name in "abc")
    assert a == b != c
    assert sorted(text for part in a.values() for text in part) == sorted(text for part in c.values() for text in part)
    assert sum(values(tmp_path / "a", "label")["test"]) == 20
    lineage = read_splits(tmp_path / "a")["test"].lineage
    assert [step.name for step in lineage] == ["read", "split:test", "read"]
    assert not (tmp_path / "a" / "removed.jsonl").exists()


def test_by_time_and_by_group(rows: Path, tmp_path: Path) -> None:
    run(rows, "--out", tmp_path / "time", "--time", "day")
    days = values(tmp_path / "time", "day")
    assert max(days["train"]) < min(days["validation"]) <= max(days["validation"]) < min(days["test"])
    run(rows, "--out", tmp_path / "group", "--group", "who")
    who = [set(part) for part in values(tmp_path / "group", "who").values()]
    assert not (who[0] & who[1])
    assert not (who[0] & who[2])
    assert not (who[1] & who[2])


def test_what_cannot_be_divided_is_told(rows: Path, tmp_path: Path) -> None:
    assert "choose one of them" in run(rows, "--time", "day", "--group", "who", code=2).said
    assert "more than the 200 there are" in run(rows, "--test-size", 500, code=2).said
    assert "no time" in run(rows, "--time", "text", code=2).said
    run(rows, "--out", tmp_path / "a")
    assert "is divided already" in run(tmp_path / "a", code=2).said
    assert "exists already" in run(rows, "--out", tmp_path / "a", code=2).said


def test_near_duplicates_stay_in_one_split_unless_they_may_be_divided(tmp_path: Path) -> None:
    words = [[f"w{(number * 37 + place * 101) % 4001}" for place in range(40)] for number in range(60)]
    path = tmp_path / "near.jsonl"
    with path.open("w", encoding="utf-8") as lines:
        for number, base in enumerate(words):
            for first in ("one", "other"):
                lines.write(
                    json.dumps({"text": " ".join([first, *base]), "label": "ab"[number % 2], "of": number}) + "\n"
                )

    def divided(*more: str) -> int:
        out = tmp_path / f"out{len(more)}"
        run(path, "--text", "text", "--label", "label", "--out", out, *more)
        homes = [(number, split) for split, numbers in values(out, "of").items() for number in set(numbers)]
        return len(homes) - 60

    assert divided() == 0
    assert divided("--set", "data.split_near_duplicates=true") > 0


def test_folds_are_written_as_columns(rows: Path, tmp_path: Path) -> None:
    run(rows, "--folds", 4, "--repeats", 2, "--out", tmp_path / "folds")
    for name in ("fold_0", "fold_1"):
        numbers = values(tmp_path / "folds", name)["all"]
        assert sorted(numbers) == sorted(list(range(4)) * 50)
    assert "--time" in run(rows, "--folds", 4, "--time", "day", code=2).said
    assert "--folds" in run(rows, "--folds", 1, code=2).said
    assert "--repeats" in run(rows, "--repeats", 2, code=2).said
