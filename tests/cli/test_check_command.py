"""``supertune check --report`` and ``--fix`` on rows with faults planted in them, in both languages."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

import supertune
from warm_processes import Done, supertune_command

TEXTS = {
    "en": ("we waited for the parcel number {} and nobody called", "the parcel number {} came on the day it should"),
    "zh": ("第 {} 个包裹一直没有送到，也没有人打电话", "第 {} 个包裹按时送到了，一点也没有损坏"),
}
LABELS = {"en": ("late", "fine"), "zh": ("迟到", "准时")}


def run(folder: Path, *arguments: str) -> Done:
    done = supertune_command("check", *arguments, cwd=folder, environment={"SUPERTUNE_CACHE": str(folder / "cache")})
    assert "Traceback" not in done.said
    return done


def write(path: Path, rows: list[dict[str, str]]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return path


def lines(path: Path) -> list[dict[str, Any]]:
    return list(map(json.loads, path.read_text(encoding="utf-8").splitlines()))


def good(language: str, count: int = 60) -> list[dict[str, str]]:
    return [
        {"text": TEXTS[language][number % 2].format(1000 + 37 * number), "label": LABELS[language][number % 2]}
        for number in range(count)
    ]


def dirty(language: str) -> list[dict[str, str]]:
    rows = good(language)
    late, fine = LABELS[language]
    rows[3]["text"] = f"<p>{rows[3]['text']}</p>"
    rows[4]["text"] = f"caf\u00c3\u00a9 {rows[4]['text']}"
    rows[5]["label"] = f"{fine} "
    rows += [dict(rows[6]), {"text": " ", "label": late}, {"text": rows[8]["text"], "label": fine}]
    return rows


@pytest.mark.parametrize("language", ["en", "zh"])
def test_what_needs_no_decision_is_put_right_in_a_copy_and_the_rest_is_told(tmp_path: Path, language: str) -> None:
    source = write(tmp_path / "rows.csv", dirty(language))
    before = source.read_bytes()
    first = json.loads(run(tmp_path, "rows.csv", "--json", "--no-label-errors").printed)
    checks = {finding["check"] for finding in first["findings"]}
    assert {"empty-rows", "damaged-texts", "exact-duplicates", "label-names", "label-conflicts"} <= checks
    done = run(tmp_path, "rows.csv", "--fix", "mended", "--json", "--no-label-errors")
    told = json.loads(done.printed)
    left = {finding["check"] for finding in told["findings"]}
    assert not left & {"empty-rows", "damaged-texts", "exact-duplicates", "label-names"}
    assert "label-conflicts" in left
    assert done.code == 3
    assert source.read_bytes() == before
    rows = {row["text"]: row["label"] for row in lines(tmp_path / "mended/train.jsonl")}
    assert all(row["text"] in rows for row in good(language)[6:])
    assert set(rows.values()) == set(LABELS[language])
    gone = lines(tmp_path / "mended/removed.jsonl")
    # The repeated row and the blank one.
    assert sorted(row["row"] for row in gone) == [60, 61]
    assert told["mended"]["out"] == "mended"
    assert {step["step"] for step in told["mended"]["splits"]["all"]["steps"]} >= {
        "encoding",
        "html",
        "labels",
        "missing",
    }


def test_a_fix_never_acts_on_what_a_model_thinks_or_a_person_has_to_decide(tmp_path: Path) -> None:
    rows = good("en", 80)
    for number in range(0, 80, 10):
        rows[number]["label"] = "fine"
    write(tmp_path / "rows.csv", [*rows, {"text": rows[1]["text"], "label": "late"}])
    done = run(tmp_path, "rows.csv", "--fix", "mended", "--label-errors")
    assert "no copy was made" in done.said
    assert not (tmp_path / "mended").exists()
    assert done.code == 3


def test_leaked_rows_are_taken_out_of_what_is_learned(tmp_path: Path) -> None:
    rows = good("zh")
    write(tmp_path / "train.csv", rows[:50])
    write(tmp_path / "test.csv", [*rows[50:], *rows[:2]])
    done = run(tmp_path, "train.csv", "--test", "test.csv", "--fix", "mended", "--json", "--no-label-errors")
    told = json.loads(done.printed)
    assert "leakage" not in {finding["check"] for finding in told["findings"]}
    counts = {
        split: len((tmp_path / f"mended/{split}.jsonl").read_text(encoding="utf-8").splitlines())
        for split in ("train", "test")
    }
    assert counts == {"train": 48, "test": 12}


@pytest.mark.parametrize(("language", "word"), [("en", "Data check"), ("zh", "数据检查")])
def test_the_page_shows_labels_lengths_findings_and_rows(tmp_path: Path, language: str, word: str) -> None:
    rows = dirty(language)
    rows[7]["text"] += " someone@example.org 4111 1111 1111 1111"
    write(tmp_path / "rows.csv", rows)
    done = run(tmp_path, "rows.csv", "--report", "page.html", "--no-label-errors")
    assert done.code == 3
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert f'<html lang="{"zh" if language == "zh" else "en"}' in page
    assert word in page
    assert page.count("<svg") >= 2
    assert "label-conflicts" in page
    assert "&lt;p&gt;" in page
    # Where personal data stands is told, and not what it is.
    assert "someone@example.org" not in page
    # Findings come first.
    assert page.index('id="gate"') < page.index("<svg")


def test_a_page_of_numbers_and_one_without_findings(tmp_path: Path) -> None:
    rows = [{"text": TEXTS["en"][0].format(37 * n), "score": n * 37 % 101 / 10} for n in range(100)]
    report = supertune.check(rows, task="regression", label="score", report=tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "What is to be learned: score" in page
    assert bool(report.findings) == ("nothing was found" not in page)


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (("--report", "page.txt"), "no ending of a page"),
        (("--report", "there.html"), "exists already"),
        (("--fix", "rows.csv"), "exists already"),
        (("--fix", "full"), "exists already"),
        (("--fix", "new.jsonl"), "is the name of a file"),
    ],
)
def test_names_that_cannot_be_written_to_are_told_before_any_work(
    tmp_path: Path, arguments: tuple[str, ...], what: str
) -> None:
    write(tmp_path / "rows.csv", good("en"))
    (tmp_path / "there.html").write_text("mine")
    (tmp_path / "full").mkdir()
    (tmp_path / "full/file").write_text("mine")
    done = run(tmp_path, "rows.csv", *arguments)
    assert done.code == 2
    assert what in done.said
    assert "Gate" not in done.said
    assert (tmp_path / "there.html").read_text() == "mine"
