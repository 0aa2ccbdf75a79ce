"""``supertune check`` on the shipped example with planted label errors: found, listed, decided about, done."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

import supertune
from supertune.data import apply_review, read_review
from warm_processes import supertune_command

EXAMPLE = Path(__file__).parents[2] / "examples" / "support-tickets" / "tickets-en.csv"
LABELS = ("return_refund", "account_access", "order_status")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[int, str]]:
    """A folder with ``rows.csv``, and the right label of each row whose label was made wrong."""
    folder = tmp_path_factory.mktemp("label-errors")
    with EXAMPLE.open(encoding="utf-8", newline="") as stream:
        found = [row for row in csv.DictReader(stream) if row["intent"] in LABELS and row["message"].strip()]
    rows = [{"message": row["message"], "intent": row["intent"]} for row in found[:300]]
    random, right = np.random.default_rng(0), {}
    for number in random.permutation(len(rows))[: len(rows) // 10].tolist():
        right[number] = rows[number]["intent"]
        rows[number]["intent"] = str(random.choice([label for label in LABELS if label != right[number]]))
    with (folder / "rows.csv").open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return folder, right


def run(folder: Path, *arguments: str) -> tuple[int, str, str]:
    done = supertune_command(*arguments, cwd=folder, environment={"SUPERTUNE_CACHE": str(folder / "cache")}, alone=True)
    assert "Traceback" not in done.said
    return done.code, done.printed, done.said


def test_planted_errors_are_found_listed_and_put_right_as_a_person_decides(place: tuple[Path, dict[int, str]]) -> None:
    folder, right = place
    code, printed, said = run(folder, "check", "rows.csv", "--json", "--review", "list.csv")
    assert code == 3, said
    (finding,) = [each for each in json.loads(printed)["findings"] if each["check"] == "label-errors"]
    assert set(finding) == {"check", "severity", "split", "rows", "message", "fix"}
    hit = set(finding["rows"]) & set(right)
    assert len(hit) >= 0.6 * len(right)
    assert len(hit) >= 0.6 * len(finding["rows"])
    with (folder / "list.csv").open(encoding="utf-8-sig", newline="") as stream:
        lines = list(csv.DictReader(stream))
    assert {int(line["row"]) for line in lines} == set(finding["rows"])
    for line in lines:
        line["decision"] = f"change to {right[int(line['row'])]}" if int(line["row"]) in right else "keep"
    with (folder / "list.csv").open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, lines[0])
        writer.writeheader()
        writer.writerows(lines)
    before = supertune.read(str(folder / "rows.csv"))
    after, done = apply_review(before, read_review(folder / "list.csv"))
    assert {row for row, *_ in done.changed} == hit
    assert [after.row(row)["intent"] for row in sorted(hit)] == [right[row] for row in sorted(hit)]
    assert len(after) == len(before)

    code, _, said = run(folder, "check", "rows.csv", "--review", "list.csv")
    assert code == 2
    assert "there already" in said

    vectors = {path: path.stat().st_mtime_ns for path in (folder / "cache" / "vectors").iterdir()}
    code, again, said = run(folder, "check", "rows.csv", "--json")
    assert json.loads(again) == json.loads(printed), "few tokens: judged without being asked for, and the same"
    assert set((folder / "cache" / "vectors").iterdir()) == set(vectors)

    code, printed, _ = run(folder, "check", "rows.csv", "--json", "--no-label-errors")
    assert all(each["check"] != "label-errors" for each in json.loads(printed)["findings"])


def test_rows_too_few_to_judge_are_refused_only_when_asked_for(place: tuple[Path, dict[int, str]]) -> None:
    folder, _ = place
    (folder / "few.jsonl").write_text(
        '{"text": "where is my parcel", "label": 1}\n{"text": "I want my money back", "label": 2}\n', encoding="utf-8"
    )
    code, _, said = run(folder, "check", "few.jsonl", "--label-errors")
    assert code == 2
    assert "cannot be told apart here" in said
    code, _, _ = run(folder, "check", "few.jsonl", "--fail-on", "error")
    assert code in (0, 3)
