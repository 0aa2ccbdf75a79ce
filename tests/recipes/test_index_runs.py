"""From texts to an index and back: resumed, refused, damaged, and the same from the command line."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import supertune
from supertune.errors import InterruptedRunError, UserError
from supertune.passages import Partial, begun, place_of
from supertune.recipes import passages as passages_module
from supertune.recipes.embedder import Embedder, open_embedder
from tiny_models import needs_minilm, write_tiny_encoder
from warm_processes import supertune_command

WORDS = ("film", "parcel", "late", "good", "bad", "电影", "很好", "不好", "here", "my")


def rows(count: int) -> list[dict[str, Any]]:
    generator = np.random.default_rng(0)
    return [
        {
            "number": row,
            "text": f"the {' '.join(generator.choice(WORDS, size=5))} . {row}",
            "when": None if row % 2 else 0.5,
        }
        for row in range(count)
    ]


def write_rows(path: Path, some: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in some), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A tiny model, and an index by it that tests may look at but not change."""
    folder = tmp_path_factory.mktemp("index")
    model = write_tiny_encoder(folder / "model")
    supertune.index(rows(60), out=folder / "index", model=str(model), text="text")
    return model, folder / "index"


def test_texts_find_themselves_with_all_their_columns(made: tuple[Path, Path]) -> None:
    _, folder = made
    index = supertune.open_index(folder)
    assert len(index) == 60
    for number, found in zip((3, 59), index.search([rows(60)[3]["text"], rows(60)[59]["text"]], 2), strict=True):
        row = rows(60)[number]
        assert found[0]["row"] == number
        assert found[0]["score"] == pytest.approx(1, abs=1e-5)
        assert found[0]["columns"] == row
        assert (found[0]["text"], found[0]["start"], found[0]["end"]) == (row["text"], 0, len(row["text"]))
        assert found[0]["score"] >= found[1]["score"]


def test_scores_are_cosines_of_the_models_vectors(made: tuple[Path, Path]) -> None:
    model, folder = made
    embedder = open_embedder(str(model))
    vectors = embedder.encode([row["text"] for row in rows(60)], "passage")
    query = embedder.encode(["my good film"], "query")[0]
    found = supertune.retrieve(folder, "my good film", count=60)[0]
    assert sorted(hit["row"] for hit in found) == list(range(60))
    for hit in found:
        assert hit["score"] == pytest.approx(float(vectors[hit["row"]] @ query), abs=1e-5)


def test_words_and_both(made: tuple[Path, Path]) -> None:
    _, folder = made
    index = supertune.open_index(folder)
    by_words = index.search(["17"], 5, method="bm25")[0]
    assert [hit["row"] for hit in by_words] == [17]
    near = index.search(["17"], 60, method="exact")[0]
    both = index.search(["17"], 60, method="hybrid")[0]
    rank = next(hit["rank"] for hit in near if hit["row"] == 17)
    score = next(hit["score"] for hit in both if hit["row"] == 17)
    assert score == pytest.approx(1 / 61 + 1 / (60 + rank), rel=1e-5)
    assert index.search(["zebra"], 5, method="bm25") == [[]]


@pytest.mark.parametrize(
    ("options", "files"),
    [
        ({"storage": "float16"}, {"vectors.npy"}),
        ({"storage": "int8"}, {"vectors.npy", "vectors.scales.npy"}),
        ({"storage": "binary"}, {"vectors.npy", "finer.npy", "finer.scales.npy"}),
        ({"dimensions": 8, "rescore": "float16"}, {"vectors.npy", "finer.npy"}),
    ],
)
def test_smaller_vectors_say_what_they_lose(
    made: tuple[Path, Path], tmp_path: Path, options: dict[str, Any], files: set[str]
) -> None:
    model, _ = made
    index = supertune.index(rows(60), out=tmp_path / "index", model=str(model), text="text", **options)
    named = {path.name for path in (tmp_path / "index").iterdir() if path.name.startswith(("vectors", "finer"))}
    assert named == files
    measured = index.manifest["recall"]["exact"]
    assert 0.8 <= measured["low"] <= measured["value"] <= measured["high"] <= 1
    assert measured["n"] == 60
    assert index.search([rows(60)[9]["text"]], 1)[0][0]["row"] == 9


def test_a_graph_is_walked_unless_asked_otherwise(made: tuple[Path, Path], tmp_path: Path) -> None:
    pytest.importorskip("usearch")
    model, plain = made
    index = supertune.index(rows(60), out=tmp_path / "index", model=str(model), text="text", approximate=True)
    assert index.method == "approximate"
    assert index.manifest["recall"]["approximate"]["value"] >= 0.98
    exact = supertune.open_index(plain).search(["my good film"], 5)
    assert index.search(["my good film"], 5) == exact
    with pytest.raises(UserError, match="without --approximate"):
        supertune.open_index(plain).search(["x"], method="approximate")


def test_the_same_rows_give_the_same_files(made: tuple[Path, Path], tmp_path: Path) -> None:
    model, folder = made
    supertune.index(rows(60), out=tmp_path / "again", model=str(model), text="text")
    one, other = (json.loads((place / "manifest.json").read_text())["files"] for place in (folder, tmp_path / "again"))
    assert one == other


def test_rows_open_with_arrow_alone(made: tuple[Path, Path]) -> None:
    table = pa.ipc.open_file(str(made[1] / "rows.arrow")).read_all()
    assert table.to_pylist() == rows(60)


def test_long_texts_are_counted_or_divided(made: tuple[Path, Path], tmp_path: Path) -> None:
    model, _ = made
    long = "the film is good . " * 6 + "my parcel was late ! " + "the film is good . " * 6
    some = [{"text": long}, {"text": "the film is bad ."}, {"text": " "}, {"text": "好！" * 40}]
    options: dict[str, Any] = {"model": str(model), "text": "text", "max_length": 16}
    cut = supertune.index(some, out=tmp_path / "cut", **options)
    assert {name: cut.manifest["passages"][name] for name in ("count", "cut", "blank")} == {
        "count": 3,
        "cut": 2,
        "blank": 1,
    }
    index = supertune.index(some, out=tmp_path / "split", split=True, **options)
    assert index.manifest["passages"]["divided"] == 2
    assert len(index) > 6
    embedder = open_embedder(str(model), max_length=16)
    assert not embedder.cut([long[start:end] for row, start, end in index.index.spans if row == 0], "passage").any()
    found = index.search(["my parcel was late !"], 10, method="bm25")[0]
    assert found[0]["row"] == 0
    assert "parcel" in found[0]["text"]
    assert found[0]["text"] == long[found[0]["start"] : found[0]["end"]]
    # Every row once, however many windows it has.
    every = index.search(["my parcel was late !"], 10)[0]
    assert sorted(hit["row"] for hit in every) == [0, 1, 3]


def stopping_after(blocks: int) -> Callable[[Partial, Any], int]:
    """Writes some blocks, and then behaves as Ctrl-C does."""
    left, add = [None] * blocks, Partial.add

    def adding(partial: Partial, vectors: Any) -> int:
        if not left:
            raise KeyboardInterrupt
        left.pop()
        return add(partial, vectors)

    return adding


def test_ctrl_c_loses_a_block_and_the_same_call_goes_on(
    made: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, out, folder = made[0], tmp_path / "index", tmp_path / "uninterrupted"
    monkeypatch.setattr(passages_module, "BLOCK", 16)
    supertune.index(rows(60), out=folder, model=str(model), text="text")
    with monkeypatch.context() as patch:
        patch.setattr(Partial, "add", stopping_after(2))
        with pytest.raises(InterruptedRunError, match="goes on"):
            supertune.index(rows(60), out=out, model=str(model), text="text")
    assert not out.exists()
    assert json.loads((place_of(out) / "progress.json").read_text()) == 32
    with pytest.raises(UserError, match=r"other data was begun here"):
        supertune.index(rows(50), out=out, model=str(model), text="text")
    with pytest.raises(UserError, match=r"other --max-length was begun here"):
        supertune.index(rows(60), out=out, model=str(model), text="text", max_length=12)
    told: list[int] = []
    encode = Embedder.encode

    def counted(self: Embedder, texts: Any, role: Any, **options: Any) -> Any:
        told.append(len(texts))
        return encode(self, texts, role, **options)

    monkeypatch.setattr(Embedder, "encode", counted)
    supertune.index(rows(60), out=out, model=str(model), text="text")
    assert told == [16, 12]
    assert not place_of(out).exists()
    one, other = (json.loads((place / "manifest.json").read_text())["files"] for place in (out, folder))
    assert one == other


@pytest.mark.slow
def test_kill_leaves_what_was_done_and_the_same_command_goes_on(made: tuple[Path, Path], tmp_path: Path) -> None:
    model, _ = made
    data, out = write_rows(tmp_path / "rows.jsonl", rows(10_000)), tmp_path / "index"
    arguments = ["index", data, "--out", out, "--model", model, "--text", "text", "--json"]
    process = subprocess.Popen(
        [sys.executable, "-m", "supertune", *map(str, arguments)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    progress = place_of(out) / "progress.json"
    until = time.monotonic() + 300
    while not (progress.exists() and progress.read_text().strip() not in ("", "0")) and time.monotonic() < until:
        assert process.poll() is None
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not out.exists()
    assert 0 < json.loads(progress.read_text()) < 10_000
    done = supertune_command(*arguments)
    assert done.code == 0, done.said
    assert "going on" in done.said
    assert json.loads(done.printed)["passages"] == 10_000
    assert sorted(path.name for path in tmp_path.iterdir()) == ["index", "rows.jsonl"]
    index = supertune.open_index(out)
    whole = open_embedder(str(model)).encode([row["text"] for row in rows(10_000)[-50:]], "passage")
    assert index.index.vectors.block(9950, 10_000) == pytest.approx(whole, abs=1e-5)


def test_a_begun_index_with_damaged_files_is_refused(
    made: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "index"
    monkeypatch.setattr(Partial, "add", stopping_after(0))
    with pytest.raises(InterruptedRunError):
        supertune.index(rows(20), out=out, model=str(made[0]), text="text")
    vectors = place_of(out) / "vectors.npy"
    vectors.write_bytes(vectors.read_bytes()[:-8])
    with pytest.raises(UserError, match=r"vectors\.npy.*damaged"):
        supertune.index(rows(20), out=out, model=str(made[0]), text="text")
    assert begun(tmp_path / "nothing", {}) is None


@pytest.mark.parametrize(
    "name",
    ["manifest.json", "rows.arrow", "row_ids.npy", "spans.npy", "vectors.npy", "bm25/worth.npy", "bm25/terms.json"],
)
def test_files_that_changed_are_named(made: tuple[Path, Path], tmp_path: Path, name: str) -> None:
    folder = tmp_path / "index"
    shutil.copytree(made[1], folder)
    content = (folder / name).read_bytes()
    for damage in (content[:-3], content[:10], b""):
        (folder / name).write_bytes(damage)
        with pytest.raises(UserError, match=Path(name).name.replace(".", r"\.")):
            supertune.open_index(folder)
    if name != "manifest.json":
        flipped = bytearray(content)
        flipped[len(flipped) // 2] ^= 1
        (folder / name).write_bytes(flipped)
        with pytest.raises(UserError, match="has changed since"):
            supertune.open_index(folder)
    (folder / name).unlink()
    with pytest.raises(UserError):
        supertune.open_index(folder)


@pytest.mark.parametrize(
    "change",
    [{"format": 99}, {"vectors": {}}, {"files": {"../x": {"bytes": 1, "sha256": ""}}}, {"model": None}, {"graph": {}}],
)
def test_another_manifest_is_refused(made: tuple[Path, Path], tmp_path: Path, change: dict[str, Any]) -> None:
    folder = tmp_path / "index"
    shutil.copytree(made[1], folder)
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps(manifest | change))
    with pytest.raises(UserError, match=r"manifest\.json"):
        supertune.open_index(folder)


def test_another_model_is_refused(made: tuple[Path, Path], tmp_path: Path) -> None:
    model, folder = made
    other = tmp_path / "other"
    shutil.copytree(model, other)
    from safetensors.numpy import load_file, save_file

    weights = load_file(other / "model.safetensors")
    weights["embeddings.word_embeddings.weight"][0] += 1
    save_file(weights, other / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(UserError, match="has other weights"):
        supertune.retrieve(folder, "film", model=str(other))
    moved = tmp_path / "moved"
    shutil.copytree(model, moved)
    assert supertune.retrieve(folder, "film", model=str(moved)) == supertune.retrieve(folder, "film")
    pooling = {"word_embedding_dimension": 32, "pooling_mode_cls_token": True}
    (moved / "1_Pooling").mkdir()
    (moved / "1_Pooling" / "config.json").write_text(json.dumps(pooling))
    with pytest.raises(UserError, match="pools otherwise"):
        supertune.retrieve(folder, "film", model=str(moved))
    # Words need no model.
    assert supertune.retrieve(folder, "17", model=str(other), method="bm25")[0][0]["row"] == 17


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"storage": "int4"}, "int4"),
        ({"rescore": "all"}, "--rescore"),
        ({"recall": 0.0}, "--recall"),
        ({"dimensions": 1000}, "--dimensions"),
        ({"text": "nothing"}, "nothing"),
    ],
)
def test_bad_choices_are_refused(
    made: tuple[Path, Path], tmp_path: Path, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        supertune.index(rows(5), out=tmp_path / "index", model=str(made[0]), **({"text": "text"} | options))
    assert list(tmp_path.iterdir()) == []


def test_rows_without_text_and_taken_places_are_refused(made: tuple[Path, Path], tmp_path: Path) -> None:
    model, folder = made
    with pytest.raises(UserError, match="no text"):
        supertune.index([{"text": " "}, {"text": "。".strip("。")}], out=tmp_path / "a", model=str(model), text="text")
    with pytest.raises(UserError, match="exists already"):
        supertune.index(rows(3), out=folder, model=str(model), text="text")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(UserError, match="is no index"):
        supertune.open_index(tmp_path)
    with pytest.raises(UserError, match="use exact"):
        supertune.open_index(folder).search(["x"], method="nearest")  # type: ignore[arg-type]
    with pytest.raises(UserError, match="1 or more"):
        supertune.open_index(folder).search(["x"], 0)


def test_one_text_is_an_index(made: tuple[Path, Path], tmp_path: Path) -> None:
    index = supertune.index(["the film"], out=tmp_path / "index", model=str(made[0]), storage="binary")
    assert [hit["row"] for hit in index.search(["film"], 5)[0]] == [0]


@needs_minilm
def test_the_command_line_in_english_and_chinese(tmp_path: Path) -> None:
    texts = [
        "You can send the lamp back within thirty days; we pay the postage.",
        "Parcels arrive within two to four working days.",
        "商品可以在七天内退货，运费由我们承担。",
        "To change your password, open the settings.",
    ]
    data = write_rows(tmp_path / "docs.jsonl", [{"text": text, "id": f"d{n}"} for n, text in enumerate(texts)])
    out = tmp_path / "index"
    done = supertune_command("index", data, "--out", out, "--model", "minilm", "--storage", "int8", "--json")
    assert done.code == 0, done.said
    told = json.loads(done.printed)
    assert (told["passages"], told["storage"], told["model"]) == (4, "int8", "minilm")
    asked = supertune_command("retrieve", out, "how do I return a lamp", "--count", 2, "--json")
    answer = json.loads(asked.printed)
    assert answer["method"] == "exact"
    assert answer["queries"][0]["results"][0]["columns"]["id"] == "d0"
    queries = write_rows(tmp_path / "queries.jsonl", [{"text": "退货", "row": "q1"}, {"text": "password", "row": "q2"}])
    found = tmp_path / "found.jsonl"
    done = supertune_command("retrieve", out, "--file", queries, "--out", found, "--method", "bm25", "--count", 1)
    assert done.code == 0, done.said
    lines = [json.loads(line) for line in found.read_text(encoding="utf-8").splitlines()]
    assert [(line["row"], line["supertune_row"], line["results"][0]["row"]) for line in lines] == [
        ("q1", 0, 2),
        ("q2", 1, 3),
    ]
    piped = supertune_command("retrieve", out, "--method", "hybrid", "--count", 1, stdin="七天\n")
    assert json.loads(piped.printed)["results"][0]["row"] == 2
    for wrong in (
        ["retrieve", tmp_path, "x"],
        ["retrieve", out, "x", "--method", "best"],
        ["index", data, "--out", out],
    ):
        refused = supertune_command(*wrong)
        assert refused.code == 2
        assert "Traceback" not in refused.said
