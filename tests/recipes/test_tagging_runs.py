"""Entities from the command to the saved run and back."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_training_choices import SETTINGS, events

import supertune
from supertune.data import Table, TokenCache, infer_columns
from supertune.errors import GateError, UserError
from supertune.models import load_tokenizer, resolve
from supertune.recipes import encode
from supertune.recipes.kinds.marking import marked_all
from supertune.tasks import TaggingTask
from supertune.tasks.tagging import Settings

QUICK: dict[str, Any] = {
    **SETTINGS,
    "train.learning_rate": 0.005,
    "strategy.head_rate": 2.0,
    "train.epochs": 10,
    "train.precision": "fp32",
    "train.attention": "sdpa",
    "model.max_length": 24,
    "task.stride": 12,
}


def tagged_rows(count: int = 60) -> list[dict[str, Any]]:
    """Films that are good or bad are entities, the same words alone are none; every sixth text has none."""
    rows = []
    for row in range(count):
        around = " ".join(("the parcel and i", "a parcel here")[row % 2] for _ in range(row % 4))
        said = ("good film", "bad 电影", "很好")[row % 3] if row % 6 else "parcel"
        text = f"{around} 😀 , my {said} is late . {around} 1 {row}"
        start = text.index(f"my {said}") + 3
        label = "中文" if row % 3 == 2 else "FILM"
        entities = [{"start": start, "end": start + len(said), "label": label}] if row % 6 else []
        rows.append({"text": text, "entities": entities})
    return rows


def fit(rows: object, folder: Path, model: Path, **options: Any) -> supertune.Run:
    settings = {**QUICK, **options.pop("settings", {})}
    return supertune.fit(rows, task="tagging", model=str(model), out=folder / "run", settings=settings, **options)


def stored(run: supertune.Run, split: str = "test") -> list[dict[str, Any]]:
    lines = (run.path / f"predictions/{split}.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def card_answers(model: Path, texts: list[str]) -> list[list[tuple[int, int, str]]]:
    """What the lines of the model's card give, in a process that cannot import supertune."""
    code = (model / "README.md").read_text(encoding="utf-8").partition("```python\n")[2].partition("```")[0]
    begin = code.index("texts = ")
    code = code[:begin] + f"texts = {texts!r}\n" + code[code.index("batch = ", begin) :]
    code = f'import json, sys\nsys.modules["supertune"] = None\n{code}\n'
    code += 'print(json.dumps([[(e["start"], e["end"], e["entity_group"]) for e in row] for row in entities]))\n'
    done = subprocess.run([sys.executable, "-c", code], cwd=model, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout.strip().splitlines()[-1])
    return [[tuple(one) for one in row] for row in found]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, tiny_encoder: Path) -> supertune.Run:
    return fit(tagged_rows(), tmp_path_factory.mktemp("tagged"), tiny_encoder, settings={"evaluate.baselines": True})


def test_entities_are_learned_and_stand_where_they_are_said_to(run: supertune.Run) -> None:
    scores = run.metrics["test"]
    assert {"f1_micro", "f1_macro", "f1_boundaries", "label_accuracy", "exact_texts", "f1/FILM"} <= set(scores)
    assert "rule:exact" in scores["f1_micro"].signature
    assert run.metrics["validation"]["f1_micro"].value > 0.5
    assert "f1_micro" in run.metrics["test_dictionary"]
    given = 0
    for row in stored(run):
        for one in row["prediction"]:
            assert row["text"][one["start"] : one["end"]] == one["text"]
            assert set(one) == {"start", "end", "label", "text", "score"}
            given += 1
    assert given
    losses = [event["loss"] for event in events(run) if event["event"] == "epoch"]
    assert losses[-1] < losses[0]


def test_what_is_read_back_says_the_same_in_every_way(run: supertune.Run) -> None:
    manifest = json.loads((run.path / "manifest.json").read_text())
    assert manifest["reload_check"]["max_difference"] <= 1e-6
    before = stored(run) + stored(run, "validation")
    again = supertune.load_run(run.path).predict([row["text"] for row in before])
    for old, new in zip(before, again, strict=True):
        assert [one["text"] for one in new["prediction"]] == [one["text"] for one in old["prediction"]]  # type: ignore[attr-defined]
    short = [row for row in before if len(row["text"].split()) < 14]
    assert short
    config = json.loads((run.path / "model/config.json").read_text(encoding="utf-8"))
    assert list(config["id2label"].values()) == ["O", "B-FILM", "I-FILM", "B-中文", "I-中文"]
    plain = card_answers(run.path / "model", [row["text"] for row in short])
    mine = [[(one["start"], one["end"], one["label"]) for one in row["prediction"]] for row in short]
    # Plain transformers takes the likeliest tag of each token, whatever comes before it; mostly that is the same.
    assert sum(one == other for one, other in zip(plain, mine, strict=True)) >= 0.6 * len(short)
    scores = run.evaluate(tagged_rows())["metrics"]["test"]
    assert scores["f1_micro"]["n"] == 60


def test_the_report_points_entities_out(run: supertune.Run) -> None:
    report = run.report.read_text(encoding="utf-8")
    for said in ("Entities in their texts", "⟦", "in none of them", "looking up the training entities", "(missed)"):
        assert said in report
    config = (run.path / "config.yaml").read_text(encoding="utf-8")
    assert "stride: 12" in config
    state = json.loads((run.path / "model/supertune.json").read_text(encoding="utf-8"))["state"]
    assert state["labels"] == ["FILM", "中文"]
    # Words of the training texts do not travel with the model.
    assert "good film" not in json.dumps(state)


def test_the_command_reads_conll_and_gives_tags_back(tmp_path: Path, tiny_encoder: Path) -> None:
    lines = []
    for row in range(40):
        said = "good film" if row % 2 else "bad 电影"
        words = ["my", *said.split(), "is", "late", str(row)]
        tags = ["O", "B-FILM", "I-FILM", "O", "O", "O"]
        lines += [f"{word}\t{tag}" for word, tag in zip(words, tags, strict=True)] + [""]
    data = tmp_path / "train.txt"
    data.write_text("\n".join(lines), encoding="utf-8")
    settings = [part for key, value in {**QUICK, "train.epochs": 2, "evaluate.language": "zh"}.items()
                for part in ("--set", f"{key}={json.dumps(value)}")]  # fmt: skip
    out = tmp_path / "run"
    command = [sys.executable, "-m", "supertune"]
    train = [*command, "train", str(data), "--task", "tagging", "--model", str(tiny_encoder), "--out", str(out)]
    done = subprocess.run([*train, *settings, "--json"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "tags, IOB2" in done.stderr
    assert json.loads(done.stdout)["status"] == "done"
    assert "真实实体" in (out / "report.html").read_text(encoding="utf-8")
    (first, *_) = stored(supertune.load_run(out))
    assert first["text"] == " ".join(first["tokens"]) or "电影" in first["text"]
    # The user's own column of tags stays as it is.
    assert len(first["supertune_tags"]) == len(first["tags"]) == len(first["tokens"])
    (found,) = supertune.load_run(out).predict(["my good film is late"])
    assert found["tokens"] == "my good film is late"


def test_frozen_layers_are_computed_once(
    tmp_path: Path, tiny_encoder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = {"train.epochs": 1, "strategy.layers": 1}
    fit(tagged_rows(30), tmp_path, tiny_encoder, strategy="partial", settings=settings, quiet=False)
    assert "computed at every pass" not in capsys.readouterr().err


@pytest.mark.parametrize("strategy", ["partial", "lora", "dora", "adapter", "bitfit", "layernorm", "ia3"])
def test_strategies_that_learn_few_weights_keep_the_head(strategy: str, tmp_path: Path, tiny_encoder: Path) -> None:
    run = fit(
        tagged_rows(24), tmp_path, tiny_encoder, strategy=strategy,
        settings={"train.epochs": 3, "data.split": [0.5, 0.0, 0.5]},
    )  # fmt: skip
    before = stored(run)
    again = run.predict([row["text"] for row in before])
    for old, new in zip(before, again, strict=True):
        assert [(one["start"], one["label"]) for one in new["prediction"]] == [  # type: ignore[attr-defined]
            (one["start"], one["label"]) for one in old["prediction"]
        ]
    if strategy == "lora":
        assert len(card_answers(run.path / "model", [row["text"] for row in before])) == len(before)


@pytest.mark.parametrize(
    ("settings", "where"),
    [
        *(({"strategy.name": name}, "strategy.name") for name in ("probe", "contrastive", "zero-shot", "prompt")),
        *(({"strategy.name": name}, "strategy.name") for name in ("p-tuning", "prefix")),
        ({"train.loss": "mse"}, "train.loss"),
        ({"train.r_drop": 1.0}, "train.r_drop"),
        ({"train.class_weights": "balanced"}, "train.class_weights"),
        ({"task.symmetric": True}, "task.symmetric"),
        ({"task.n_best": 2}, "task.n_best"),
        ({"data.pair": True}, "data.pair"),
        ({"data.separator": "|"}, "data.separator"),
        ({"evaluate.metric": "accuracy"}, "evaluate.metric"),
    ],
)
def test_what_means_nothing_here_is_refused_before_any_work(
    settings: dict[str, Any], where: str, tmp_path: Path, tiny_encoder: Path
) -> None:
    with pytest.raises(UserError) as caught:
        fit("no such file", tmp_path, tiny_encoder, settings=settings)
    assert caught.value.where == where
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("key", ["data.tag_names", "task.stride"])
def test_settings_of_tags_mean_nothing_elsewhere(key: str, tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        supertune.fit("no such file", out=tmp_path / "run", settings={key: ["O"] if key == "data.tag_names" else 3})
    assert caught.value.where == key


def test_bad_data_is_told_with_file_row_and_what_to_do(tmp_path: Path, tiny_encoder: Path) -> None:
    path = tmp_path / "bad.jsonl"
    rows = tagged_rows(12)
    rows[3]["entities"] = [{"start": 3, "end": 999, "label": "FILM"}]
    path.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    for act in (lambda: fit(str(path), tmp_path, tiny_encoder), lambda: checked(path, tiny_encoder)):
        with pytest.raises(UserError, match="row 3 has an entity at the characters 3 to 999") as caught:
            act()
        assert caught.value.where == f"{path}, column 'entities'"
    rows[3]["entities"] = [{"start": 3, "end": 9, "label": "FILM", "text": "nowhere"}]
    path.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    findings = {(one.check, one.severity, one.rows) for one in checked(path, tiny_encoder).findings}
    assert ("entities", "error", (3,)) in findings
    assert "truncation" not in {check for check, _, _ in findings}
    with pytest.raises(GateError, match="nowhere in the text"):
        fit(str(path), tmp_path, tiny_encoder)
    unknown = tmp_path / "unknown.jsonl"
    held_out = tagged_rows(8)
    held_out[5]["entities"][0]["label"] = "MOVIE"
    unknown.write_text("\n".join(json.dumps(row) for row in held_out), encoding="utf-8")
    with pytest.raises(UserError, match="row 5 has an entity with the label 'MOVIE'") as caught:
        fit(tagged_rows(), tmp_path / "other", tiny_encoder, test=str(unknown))
    assert str(unknown) in str(caught.value)


def checked(path: Path, model: Path) -> Any:
    return supertune.check(str(path), task="tagging", model=str(model))


def test_the_first_rows_are_shown_with_their_tags(tiny_encoder: Path) -> None:
    shown = supertune.inspect(
        tagged_rows(), task="tagging", model=str(tiny_encoder), rows=4, settings={"model.max_length": 24}
    ).as_dict()["rows"]
    assert isinstance(shown, list)
    pieces = [(piece["text"], piece["tag"]) for row in shown if row["row"] == 1 for piece in row["pieces"]]
    assert ("bad", "B-FILM") in pieces
    assert ("电", "I-FILM") in pieces
    assert ("[CLS]", "") in pieces


def test_without_texts_none_is_written_into_the_report(tmp_path: Path, tiny_encoder: Path) -> None:
    run = fit(tagged_rows(), tmp_path, tiny_encoder, settings={"evaluate.text": False})
    assert "my good film" not in run.report.read_text(encoding="utf-8")
    assert all("text" not in row for row in stored(run))
    given = [one for split in ("test", "validation") for row in stored(run, split) for one in row["prediction"]]
    assert given
    assert all(set(one) == {"start", "end", "label", "score"} for one in given)


def test_entities_are_marked_where_they_stand() -> None:
    text = "Ann met Bob in New York"
    shown = marked_all(text, [(0, 3, 0), (15, 23, 1)], [(0, 3, 0), (19, 23, 1), (8, 11, 0)], ("PER", "LOC"))
    assert shown == "⟦«Ann»PER⟧PER met «Bob»PER in ⟦New «York»LOC⟧LOC"
    assert marked_all(text, [], [], ("PER",)) == text


def test_windows_that_were_kept_are_those_that_would_be_made_anew(
    tiny_encoder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encode, "CACHED_CHARACTERS", 0)
    tokenizer = load_tokenizer(resolve(str(tiny_encoder)), max_length=24)
    rows = Table.from_rows(tagged_rows(30))
    columns = infer_columns(rows, answers="spans")
    for stride in (9, 9, 3):
        task = TaggingTask(columns, labels=("FILM", "中文"), settings=Settings(stride))
        kept = encode.encode_labelled(task, rows, tokenizer, 24, cache=TokenCache(pytest.fail))
        anew = task.encode(rows, tokenizer, 24)
        for name, values in (*anew.tokens.items(), *anew.targets.items()):
            np.testing.assert_array_equal({**kept.tokens, **kept.targets}[name], values)
        assert kept.rows.tolist() == anew.rows.tolist()
