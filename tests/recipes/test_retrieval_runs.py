"""Retrieval from the command to the saved run, and to sentence-transformers."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from test_training_choices import SETTINGS, events

import supertune
from supertune.config import Config
from supertune.console import Console
from supertune.contracts import Columns
from supertune.data import Table
from supertune.errors import GateError, UserError
from supertune.models import load_tokenizer, resolve
from supertune.recipes.embedder import open_embedder
from supertune.recipes.inspect import inspect
from supertune.recipes.kinds import kind_of
from supertune.recipes.merge import merge_run
from supertune.recipes.prepare import prepare
from supertune.relevance import CANDIDATES
from supertune.tasks import RerankTask

QUICK: dict[str, Any] = {
    **SETTINGS,
    "train.learning_rate": 0.003,
    "train.epochs": 4,
    "train.batch_size": 8,
    "train.precision": "fp32",
    "train.attention": "sdpa",
    "model.max_length": 16,
    "evaluate.baselines": True,
}
WORDS = ("good", "bad", "late", "here", "film", "parcel", "好", "坏", "电", "影")


def pairs(count: int = 90) -> list[dict[str, Any]]:
    """Two words are asked for, and the passage says both among others; the same two are asked for twice."""
    rows = []
    for row in range(count):
        one, two = WORDS[(row // 2) % 10], WORDS[(row // 2 // 10 + row // 2 + 1) % 10]
        rows.append({"query": f"{one} {two} {row % 2 + 1}", "passage": f"the {two} is not {one} ."})
    return rows


def fit(rows: object, folder: Path, model: Path, **options: Any) -> supertune.Run:
    settings = {**QUICK, **options.pop("settings", {})}
    return supertune.fit(rows, task="retrieval", model=str(model), out=folder / "run", settings=settings, **options)


def weights(run: supertune.Run) -> dict[str, torch.Tensor]:
    from safetensors.torch import load_file

    return load_file(run.path / "model/model.safetensors")


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory, tiny_encoder: Path) -> supertune.Run:
    prompts = {"task.query_prompt": "i ", "task.passage_prompt": "my ", "task.dimensions": [8]}
    return fit(pairs(), tmp_path_factory.mktemp("found"), tiny_encoder, settings=prompts)


def test_what_is_asked_for_is_found_and_the_model_before_training_stands_beside(found: supertune.Run) -> None:
    metrics = found.metrics
    assert {"mrr", "recall@1", "recall@10", "ndcg@10", "map"} <= set(metrics["test"])
    assert {"test_untrained", "test_bm25"} <= set(metrics)
    losses = [event["loss"] for event in events(found) if event["event"] == "epoch"]
    assert losses[-1] < losses[0]
    lines = (found.path / "predictions/test.jsonl").read_text(encoding="utf-8").splitlines()
    first = json.loads(lines[0])
    assert -1 <= first["prediction"] <= 1
    assert {"rank", "first"} <= set(first)
    report = found.report.read_text(encoding="utf-8")
    for said in ("What is found", "the model before training", "words alone (BM25)", "The worst errors"):
        assert said in report


def test_sentence_transformers_makes_the_same_vectors(found: supertune.Run) -> None:
    from sentence_transformers import SentenceTransformer

    texts = ["good film", "电影 坏", "my parcel is here . " * 8, ""]
    ours = open_embedder(str(found.path))
    theirs = SentenceTransformer(str(found.path / "model"), device="cpu")
    assert theirs.max_seq_length == 16
    for role, prompt in (("query", "query"), ("passage", "passage"), ("passage", "document")):
        expected = theirs.encode(texts, prompt_name=prompt)
        np.testing.assert_allclose(ours.encode(texts, role), expected, atol=1e-5)  # type: ignore[arg-type]
    assert ours.cut(texts, "query").tolist() == [False, False, True, False]


def test_the_lines_of_the_card_make_them_too(found: supertune.Run) -> None:
    code = (found.path / "model/README.md").read_text(encoding="utf-8").partition("```python\n")[2].partition("```")[0]
    begin = code.index("texts = ")
    assert "tokenizer(texts, others" not in code
    end = code.index("\n", code.index("others = "))
    texts, others = ["good film", "坏 1"], ["the film is not good .", "a b"]
    code = f"{code[:begin]}texts = {texts!r}\nothers = {others!r}\n{code[end:]}"
    shown = "print(json.dumps((queries @ passages.T).tolist()))"
    code = f'import json, sys\nsys.modules["supertune"] = None\n{code}\n{shown}\n'
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=found.path / "model", capture_output=True, text=True, check=True
    )
    ours = open_embedder(str(found.path))
    expected = ours.encode(texts, "query") @ ours.encode(others, "passage").T
    np.testing.assert_allclose(json.loads(done.stdout.strip().splitlines()[-1]), expected, atol=1e-5)


def test_it_reads_back_evaluates_and_predicts(found: supertune.Run) -> None:
    assert json.loads((found.path / "manifest.json").read_text())["reload_check"]["max_difference"] <= 1e-6
    scores = found.evaluate(pairs())["metrics"]["test"]
    assert scores["mrr"]["n"] == 90
    told = found.predict([("good bad 1", "the bad is not good ."), ("good bad 1", "my parcel")])
    ours = open_embedder(str(found.path))
    expected = ours.encode(["good bad 1"], "query") @ ours.encode(["the bad is not good .", "my parcel"], "passage").T
    assert [row["prediction"] for row in told] == pytest.approx(expected[0].tolist(), abs=1e-5)


def test_the_model_before_training_is_opened_as_it_was_allowed_to_be(tmp_path: Path, tiny_encoder: Path) -> None:
    from safetensors.torch import load_file

    pickled = tmp_path / "pickled"
    shutil.copytree(tiny_encoder, pickled)
    torch.save(load_file(pickled / "model.safetensors"), pickled / "pytorch_model.bin")
    (pickled / "model.safetensors").unlink()
    settings = {"train.epochs": 1, "model.allow_pickle": True}
    run = fit(pairs(40), tmp_path, pickled, settings=settings)
    assert "test_untrained" in run.metrics


def test_a_step_in_pieces_comes_to_the_same_model(tmp_path: Path, tiny_encoder: Path) -> None:
    whole = fit(pairs(40), tmp_path / "whole", tiny_encoder, settings={"train.epochs": 1, "evaluate.baselines": False})
    cut = {"train.epochs": 1, "evaluate.baselines": False, "train.accumulate": 4}
    pieces = fit(pairs(40), tmp_path / "pieces", tiny_encoder, settings={**cut, "train.dropout": 0.0})
    plain = fit(
        pairs(40), tmp_path / "plain", tiny_encoder, settings={**cut, "train.accumulate": 1, "train.dropout": 0.0}
    )
    for name, value in weights(plain).items():
        torch.testing.assert_close(weights(pieces)[name], value, atol=2e-5, rtol=1e-3)
    assert any(not torch.equal(value, weights(whole)[name]) for name, value in weights(plain).items())


def test_frozen_layers_are_computed_once(
    tmp_path: Path, tiny_encoder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = {"train.epochs": 1, "strategy.layers": 1}
    fit(pairs(40), tmp_path, tiny_encoder, strategy="partial", settings=settings, quiet=False)
    assert "computed at every pass" not in capsys.readouterr().err


@pytest.mark.parametrize("strategy", ["lora", "partial", "bitfit", "adapter", "ia3"])
def test_strategies_that_change_the_body_learn_vectors(tmp_path: Path, tiny_encoder: Path, strategy: str) -> None:
    run = fit(
        pairs(40),
        tmp_path,
        tiny_encoder,
        strategy=strategy,
        settings={"train.epochs": 1, "train.learning_rate": "auto"},
    )
    vectors = open_embedder(str(run.path)).encode(["good", "坏 film"], "query")
    assert vectors.shape == (2, 32)
    if strategy == "lora":
        from sentence_transformers import SentenceTransformer

        merge_run(run.path, tmp_path / "whole", console=Console(quiet=True))
        whole = SentenceTransformer(str(tmp_path / "whole"), device="cpu")
        np.testing.assert_allclose(whole.encode(["good", "坏 film"], prompt_name="query"), vectors, atol=1e-5)
    assert run.metrics["test"]["mrr"].n > 0


@pytest.mark.parametrize("where", ["bm25", "model"])
def test_hard_negatives_are_found_among_the_training_passages(tmp_path: Path, tiny_encoder: Path, where: str) -> None:
    values = {
        **QUICK,
        "task.name": "retrieval",
        "task.negatives": where,
        "task.negatives_per_row": 2,
        "model.name": str(tiny_encoder),
    }
    prepared = prepare(Config().with_values(values), pairs(60), Console(quiet=True))
    features = prepared.learned["train"]
    texts = prepared.task.texts_of(prepared.features["train"])  # type: ignore[attr-defined]
    held_out = {row["passage"] for row in prepared.rows.splits["test"].rows()}
    learned = {row["passage"] for row in prepared.rows.splits["train"].rows()}
    wanted: dict[str, set[str]] = {}
    for row in prepared.rows.splits["train"].rows():
        wanted.setdefault(row["query"], set()).add(row["passage"])
    assert features.groups is not None
    negatives = 0
    for group in features.groups.items.tolist():
        others = [texts[item] for item in group[2:] if item >= 0]
        negatives += len(others)
        assert not set(others) & wanted[texts[group[0]]]
        assert set(others) <= learned
    assert negatives > len(features.groups)
    assert not (held_out - learned) & set(texts)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"strategy": "probe"}, "head of its own"),
        ({"strategy": "prompt"}, "tokens before the text"),
        ({"settings": {"train.loss": "focal"}}, "means nothing for rankings"),
        ({"settings": {"train.r_drop": 1.0}}, "comparing them"),
        ({"settings": {"task.n_best": 3}}, "means nothing for retrieval"),
        ({"settings": {"data.pair": False}}, "always two texts"),
        ({"settings": {"task.dimensions": [64]}}, "no fewer"),
    ],
)
def test_settings_that_mean_nothing_are_refused(tmp_path: Path, tiny_encoder: Path, options: Any, said: str) -> None:
    with pytest.raises(UserError, match=said):
        fit(pairs(40), tmp_path, tiny_encoder, **options)


def test_settings_of_retrieval_mean_nothing_elsewhere(tmp_path: Path, tiny_encoder: Path) -> None:
    rows = [{"text": f"good {row}", "label": row % 2} for row in range(30)]
    for settings, said in (
        ({"task.scale": 5.0}, "means nothing for"),
        ({"task.prompt": "{text}?"}, "means nothing for"),
        ({"train.loss": "in_batch"}, "compares queries"),
    ):
        with pytest.raises(UserError, match=said):
            supertune.fit(rows, model=str(tiny_encoder), out=tmp_path / "run", settings=settings)


def test_the_gate_tells_of_negatives_that_are_asked_for(tmp_path: Path, tiny_encoder: Path) -> None:
    rows = [{**row, "negatives": [row["passage"]] if place < 10 else []} for place, row in enumerate(pairs(60))]
    with pytest.raises(GateError, match="negatives"):
        fit(rows, tmp_path, tiny_encoder)


# ---------------------------------------------------------------- reranking


@pytest.fixture(scope="module")
def ordered(tmp_path_factory: pytest.TempPathFactory, tiny_encoder: Path) -> supertune.Run:
    settings = {**QUICK, "model.max_length": 24, "task.candidates": 6, "task.negatives_per_row": 2}
    folder = tmp_path_factory.mktemp("ordered")
    return supertune.fit(pairs(), task="rerank", model=str(tiny_encoder), out=folder / "run", settings=settings)


def test_what_words_did_not_find_is_told_of_rows_that_are_scored(tiny_encoder: Path) -> None:
    tokenizer = load_tokenizer(resolve(str(tiny_encoder)), max_length=16)
    columns = Columns(("query", "passage"), pair=True, answers="ranking", negatives=(CANDIDATES,))
    held_out = [
        {"query": "good", "passage": "the film", CANDIDATES: ["a parcel"]},
        {"query": "late", "passage": "a parcel", CANDIDATES: ["here", "a parcel"]},
    ]
    task, kind = RerankTask(columns), kind_of("rerank")
    told = [kind.remarks(task, task.encode(Table.from_rows(rows), tokenizer, 16)) for rows in (held_out, held_out[:1])]
    assert told == [("for 1 of 2 queries what they ask for is not among what words found",), ()]


def test_what_words_find_is_put_in_order(ordered: supertune.Run) -> None:
    metrics = ordered.metrics
    assert "test_bm25" in metrics
    assert metrics["test"]["mrr"].n == metrics["test_bm25"]["mrr"].n
    assert "first:6" in metrics["test"]["mrr"].signature
    lines = (ordered.path / "predictions/test.jsonl").read_text(encoding="utf-8").splitlines()
    assert all("supertune_candidates" not in line for line in lines)
    first = json.loads(lines[0])
    assert 0 <= first["prediction"] <= 1
    assert {"rank", "first"} <= set(first)
    report = ordered.report.read_text(encoding="utf-8")
    assert "words alone (BM25)" in report
    weight = json.loads((ordered.path / "model/supertune.json").read_text())["state"]["words"]
    assert ("the weight was chosen on the validation rows" in report) == ("test_alone" in metrics) == (weight > 0)
    losses = [event["loss"] for event in events(ordered) if event["event"] == "epoch"]
    assert losses[-1] < losses[0]


def test_a_reranker_reads_back_and_answers(ordered: supertune.Run) -> None:
    assert json.loads((ordered.path / "manifest.json").read_text())["reload_check"]["max_difference"] <= 1e-6
    asked = ("good bad 1", "the bad is not good .")
    told = supertune.load_run(ordered.path).predict([asked])
    card = (ordered.path / "model/README.md").read_text(encoding="utf-8")
    code = card.partition("```python\n")[2].partition("```")[0]
    begin = code.index("texts = ")
    end = code.index("batch = ", begin)
    code = f"{code[:begin]}texts, others = [{asked[0]!r}], [{asked[1]!r}]\n{code[end:]}"
    code = f'import json, sys\nsys.modules["supertune"] = None\n{code}\nprint(json.dumps(scores))\n'
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ordered.path / "model", capture_output=True, text=True, check=True
    )
    assert told[0]["prediction"] == pytest.approx(json.loads(done.stdout.splitlines()[-1])[0], abs=1e-5)
    scores = ordered.evaluate(pairs(30))["metrics"]["test"]
    assert "first:6" in scores["mrr"]["signature"], "as many are looked for as when it was trained"


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"task.negatives": "model"}, "finds nothing by itself"),
        ({"task.negatives": "none"}, "name no passages"),
        ({"train.loss": "cosent"}, "order of passages"),
        ({"task.scale": 3.0}, "means nothing for rerank"),
    ],
)
def test_settings_that_mean_nothing_to_a_reranker_are_refused(
    tmp_path: Path, tiny_encoder: Path, settings: dict[str, Any], said: str
) -> None:
    with pytest.raises(UserError, match=said):
        supertune.fit(
            pairs(40), task="rerank", model=str(tiny_encoder), out=tmp_path / "run", settings={**QUICK, **settings}
        )


def test_texts_are_shown_as_they_are_read(tiny_encoder: Path) -> None:
    values = {"model.name": str(tiny_encoder), "task.query_prompt": "i ", "task.passage_prompt": "my "}
    told = inspect(
        Config().with_values({**values, "task.name": "retrieval"}), pairs(20), rows=2, console=Console(quiet=True)
    )
    assert [row.row for row in told.rows] == [0, 0, 1, 1]
    assert [row.pieces[1].text for row in told.rows] == ["i", "my", "i", "my"]
    values = {"model.name": str(tiny_encoder), "task.name": "rerank"}
    told = inspect(Config().with_values(values), pairs(20), rows=2, console=Console(quiet=True))
    assert [row.row for row in told.rows] == [0, 1]
    assert [piece.text for piece in told.rows[0].pieces].count("[SEP]") == 2


@pytest.mark.parametrize(("task", "command"), [("retrieval", "train"), ("rerank", "check")])
def test_the_command_tells_what_is_wrong_with_a_row(
    tmp_path: Path, tiny_encoder: Path, task: str, command: str
) -> None:
    rows = [{**row, "relevance": "high" if place == 5 else "1"} for place, row in enumerate(pairs(30))]
    file, out = tmp_path / "rows.jsonl", tmp_path / "run"
    file.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows), encoding="utf-8")
    asked = [command, str(file), "--task", task, "--model", str(tiny_encoder)]
    asked += ["--out", str(out)] if command == "train" else []
    done = subprocess.run([sys.executable, "-m", "supertune", *asked], capture_output=True, text=True, check=False)
    assert done.returncode == 2, done.stderr
    assert "row 5 has 'high', which is no relevance" in done.stderr
    assert "rows.jsonl, column 'relevance'" in done.stderr
    assert "Traceback" not in done.stderr
    assert not out.exists()
