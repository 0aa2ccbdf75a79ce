"""Cross-validation: each row is asked about once by a model that has not learned from it; what is done is kept."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from test_training_choices import SETTINGS

import supertune
from supertune.errors import InterruptedRunError, UserError
from supertune.evaluate import repeated_score
from supertune.recipes import crossval as recipe


def rows() -> list[dict[str, Any]]:
    texts = ("a fine film with a warm heart", "too long and far too loud to like")
    return [
        {"text": f"{texts[n % 2]} number {n}", "label": ("yes", "no")[n % 2], "part": "xyz"[n % 3]} for n in range(48)
    ]


def validated(tiny_encoder: Path, **options: Any) -> Any:
    quick = {**SETTINGS, "train.epochs": 1, "model.name": str(tiny_encoder), "evaluate.resamples": 1000}
    return supertune.crossval(rows(), folds=2, settings=quick, **options)


def out_of_fold(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "predictions" / "out_of_fold.jsonl").read_text("utf-8").splitlines()]


def test_each_row_is_asked_about_once_and_what_was_interrupted_goes_on(
    tmp_path: Path, tiny_encoder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fits: list[list[int]] = []
    fit = recipe.fit

    def stopping(config: Any, data: Any, **options: Any) -> Any:
        if len(fits) == 1:
            fits.append([])
            raise InterruptedRunError("interrupted")
        fits.append(sorted(data["train"].row_ids.tolist()))
        return fit(config, data, **options)

    monkeypatch.setattr(recipe, "fit", stopping)
    with pytest.raises(InterruptedRunError, match="the same command goes on"):
        validated(tiny_encoder, out=tmp_path / "cv")
    found = validated(tiny_encoder, out=tmp_path / "cv")
    assert len(fits) == 3
    told = out_of_fold(tmp_path / "cv")
    assert [line["row"] for line in told] == list(range(48))
    assert [line["text"] for line in told] == [row["text"] for row in rows()]
    for learned, fold in ((fits[0], 0), (fits[2], 1)):
        asked = [line["row"] for line in told if line["fold"] == fold]
        assert sorted([*learned, *asked]) == list(range(48))
    # The means are of what the rows say themselves.
    right = [[line["prediction"] == line["label"] for line in told if line["fold"] == fold] for fold in range(2)]
    assert found.metrics["accuracy"].value == pytest.approx(sum(sum(part) / len(part) for part in right) / 2)
    stored = json.loads((tmp_path / "cv" / "metrics.json").read_text("utf-8"))
    assert stored["out_of_fold"]["accuracy"]["value"] == found.metrics["accuracy"].value
    assert not (tmp_path / "cv" / "folds").exists()
    # Done once, it is not done again; and nothing else is written into the same folder.
    assert validated(tiny_encoder, out=tmp_path / "cv").as_dict() == found.as_dict()
    assert len(fits) == 3
    with pytest.raises(UserError, match="of other rows, folds or settings"):
        validated(tiny_encoder, out=tmp_path / "cv", seed=1)


def test_folds_of_a_column_are_taken_as_they_are(tmp_path: Path, tiny_encoder: Path) -> None:
    found = validated(tiny_encoder, out=tmp_path / "cv", fold_column="part", keep_models=True)
    assert len(found.folds) == 3
    for line in out_of_fold(tmp_path / "cv"):
        assert line["fold"] == "xyz".index(line["part"])
    assert supertune.load_run(tmp_path / "cv" / "folds" / "0-2").status == "done"


def test_the_interval_is_that_of_the_corrected_resampled_t_test() -> None:
    # Nadeau & Bengio (2003), eq. 13: s² = 0.00325, J = 5, test/train = 1/4; t(0.975, 4) = 2.776.
    values = [0.7, 0.75, 0.8, 0.85, 0.8]
    mean, variance = 0.78, 0.00325
    score = repeated_score("accuracy", values, 80, 20, rows=100)
    half = 2.7764451 * ((1 / 5 + 1 / 4) * variance) ** 0.5
    assert (score.low, score.high) == pytest.approx((mean - half, mean + half), abs=1e-6)
    assert repeated_score("accuracy", [0.99, 1.0, 0.9], 80, 40, rows=120, bounded=True).high == 1.0
    assert repeated_score("accuracy", [1.0, 1.0], 80, 40, rows=80).warning
