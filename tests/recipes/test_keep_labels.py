"""``supertune augment --keep-labels`` with the real encoder: what is left out is written down, and done again alike."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import supertune
from supertune.errors import UserError
from supertune.files import read_jsonl

ASKS = ("where is my parcel number {}", "when does delivery {} arrive", "has order {} been sent yet")
THANKS = ("thank you, {} was lovely", "what a great service, {} stars", "many thanks to agent {}")


def rows(path: Path) -> Path:
    made = [
        {"text": text.format(n), "label": label}
        for label, texts in (("question", ASKS), ("praise", THANKS))
        for text in texts
        for n in range(6)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in made), "utf-8")
    return path


def test_what_is_left_out_is_written_down_and_the_recipe_repeats_it(tmp_path: Path) -> None:
    data = str(rows(tmp_path / "rows.jsonl"))
    found = supertune.augment(data, by=[{"random-deletion": {"share": 0.5}}], keep_labels=True, out=tmp_path / "out")
    changed = list(read_jsonl(tmp_path / "out" / "changed-labels.jsonl"))
    record = json.loads((tmp_path / "out" / "preparation.json").read_text("utf-8"))
    assert record["keep_labels"]["left_out"] == len(changed)
    assert record["keep_labels"]["judged"] > 0
    learned = set(found.tables["train"].column("text"))
    for one in changed:
        assert one["read_as"] != one["values"]["label"]
        assert one["values"]["text"] not in learned
    assert "keep_labels: true" in (tmp_path / "out" / "augmentation.yaml").read_text("utf-8")
    supertune.augment(str(tmp_path / "out" / "augmentation.yaml"), out=tmp_path / "again")
    for name in ("train.jsonl", "changed-labels.jsonl"):
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "again" / name).read_bytes()


def test_too_few_rows_are_refused_before_any_model_is_opened() -> None:
    few = [{"text": f"a text of its own, {n}", "label": str(n % 6)} for n in range(18)]
    with pytest.raises(UserError, match="too few to learn to read them"):
        supertune.augment(few, by=["random-swap"], keep_labels=True)
