"""Whether new rows help is told by trainings with and without them, on the same rows, none of them a test row."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from test_training_choices import SETTINGS

import supertune
from supertune.data import Table, added_rows, originals_repeated
from supertune.errors import UserError
from supertune.evaluate import RepeatedDifference, repeated_difference
from supertune.recipes.measure_augmentation import MeasuredAugmentation


def rows() -> list[dict[str, Any]]:
    good, bad = ("a fine film with a warm heart", "too long and far too loud to like")
    return [{"text": f"{good} number {n}", "label": "yes"} for n in range(20)] + [
        {"text": f"{bad} number {n}", "label": "no"} for n in range(20)
    ]


def measured(data: Any, tiny_encoder: Path, **options: Any) -> Any:
    quick = {**SETTINGS, "train.epochs": 1, "model.name": str(tiny_encoder), "evaluate.resamples": 1000}
    return supertune.augment(data, by=["random-swap"], settings=quick, measure=3, **options).measured


def test_trainings_with_and_without_are_paired_kept_and_never_see_the_test_rows(
    tmp_path: Path, tiny_encoder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows()), "utf-8")
    Path("test.jsonl").write_text(json.dumps({"text": "what nobody has seen", "label": "never"}) + "\n", "utf-8")
    found = measured("train.jsonl", tiny_encoder, test="test.jsonl")
    assert set(found.scores) == {"without", "repeated", "with"}
    assert [len(scores) for scores in found.scores.values()] == [3, 3, 3]
    differences = [b - a for a, b in zip(found.scores["without"], found.scores["with"], strict=True)]
    assert found.difference == repeated_difference(differences, found.learned, found.asked)
    beside = [b - a for a, b in zip(found.scores["repeated"], found.scores["with"], strict=True)]
    assert found.over_repeated == repeated_difference(beside, found.learned, found.asked)
    # All training rows but those that choose the epoch, and not one of the test.
    assert found.learned + found.asked == 36
    assert found.verdict in ("helps", "steps", "hurts", "unproven")
    assert sorted(path.name for path in found.folder.iterdir()) == ["scores.json"]
    # What was trained is not trained again, and what is missing is.
    kept = json.loads((found.folder / "scores.json").read_text())
    kept["scores"] = [[0, "with", 0.125], *kept["scores"][2:]]
    (found.folder / "scores.json").write_text(json.dumps(kept))
    again = measured("train.jsonl", tiny_encoder, test="test.jsonl")
    assert again.scores["with"][0] == 0.125
    assert again.scores["without"] == pytest.approx(found.scores["without"])


def test_too_few_divisions_are_refused_before_anything_is_read(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="2 divisions tell nothing"):
        supertune.augment(tmp_path / "nowhere.csv", by=["random-swap"], measure=2)


def told(better: tuple[float, float], over: tuple[float, float], *, higher: bool = True) -> MeasuredAugmentation:
    one, other = (RepeatedDifference(sum(ends) / 2, *ends, 10, 0.5) for ends in (better, over))
    return MeasuredAugmentation("accuracy", {}, one, other, higher, 80, 20, Path())


@pytest.mark.parametrize(
    ("better", "over", "verdict"),
    [
        ((0.01, 0.05), (0.001, 0.03), "helps"),
        ((0.01, 0.05), (-0.01, 0.03), "steps"),
        ((0.01, 0.05), (-0.03, -0.01), "steps"),
        ((-0.01, 0.05), (0.01, 0.05), "unproven"),
        ((-0.05, -0.01), (-0.05, 0.01), "hurts"),
    ],
)
def test_new_rows_help_where_they_beat_the_same_rows_repeated(
    better: tuple[float, float], over: tuple[float, float], verdict: str
) -> None:
    found = told(better, over)
    assert found.verdict == verdict
    assert "[" in found.sentence
    turned = told((-better[1], -better[0]), (-over[1], -over[0]), higher=False)
    assert turned.verdict == verdict


def test_repeated_rows_are_as_many_of_each_original_as_were_made_of_it() -> None:
    made = supertune.augment(rows(), by=["random-swap"], copies=3, settings={"data.split": [1.0, 0.0, 0.0]})
    table = made.tables["train"]
    again = originals_repeated(table)
    assert again.row_ids.tolist() == list(range(len(table)))
    assert len(again) == len(table) > 40
    assert not added_rows(again).any()
    made_of = Counter(
        row if origin is None else origin
        for row, origin in zip(table.column("supertune_row"), table.column("supertune_augmented_from"), strict=True)
    )
    assert Counter(again.column("supertune_row")) == made_of
    assert set(again.column("text")) == {row["text"] for row in rows()}
    plain = Table.from_rows(rows())
    assert originals_repeated(plain) is plain
