"""Encoder-decoders that learn to write: every task and strategy, from rows to the saved run, merged, gone on with."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

import supertune
from supertune.console import Console
from supertune.errors import InterruptedRunError, UserError
from supertune.recipes.merge import merge_run
from supertune.recipes.saved import open_saved
from tiny_decoders import TINY, face_rows, write_tiny_bart, write_tiny_t5

FACES = ("chat", "summarization", "translation", "generative-qa")
QUIET: dict[str, Any] = {**TINY, "train.epochs": 30, "evaluate.baselines": False}
HALVES: dict[str, dict[str, Any]] = {
    "dora": {},
    "partial": {},
    "adapter": {},
    "ia3": {"train.learning_rate": 0.03},
    "layernorm": {"train.learning_rate": 0.02},
    "bitfit": {"train.learning_rate": 0.02},
}
"""Strategies beside full and LoRA, and what suits them."""
Fit = Callable[..., supertune.Run]


def told(run: supertune.Run, name: str, split: str = "test") -> float:
    return float(json.loads((run.path / "metrics.json").read_text(encoding="utf-8"))[split][name]["value"])


def predictions(run: supertune.Run) -> list[dict[str, Any]]:
    lines = (run.path / "predictions/test.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("encoder-decoders")
    write_tiny_t5(folder / "t5")
    write_tiny_bart(folder / "bart")
    for face in (*FACES, "text"):
        rows = (json.dumps(row, ensure_ascii=False) for row in face_rows(face))
        (folder / f"{face}.jsonl").write_text("\n".join(rows), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def fit(workshop: Path) -> Fit:
    """Trains and tests on the same rows."""

    def fitted(out: str, face: str, model: str | Path, strategy: str, **settings: Any) -> supertune.Run:
        data = str(workshop / f"{face}.jsonl")
        return supertune.fit(
            *(data,),
            **{"validation": data, "test": data, "task": face, "model": str(workshop / model), "strategy": strategy},
            **{"out": workshop / out, "allow": ["leakage", "contamination"], "settings": {**QUIET, **settings}},
        )

    return fitted


def check_exact(run: supertune.Run) -> None:
    """What it writes is what people wrote, word for word; and what was saved is what was trained."""
    assert told(run, "exact_match") == 1.0
    assert told(run, "run_on") == 0.0
    manifest = json.loads((run.path / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["status"] == "done"
    assert manifest["reload_check"]["max_difference"] <= 1e-5


@pytest.fixture(scope="module")
def adapted(fit: Fit) -> supertune.Run:
    """A T5 with LoRA; read only."""
    return fit("adapted", "translation", "t5", "lora")


@pytest.fixture(scope="module")
def whole(fit: Fit) -> supertune.Run:
    """A BART of which everything learned; read only."""
    return fit("whole", "chat", "bart", "full", **{"train.epochs": 24})


def test_what_was_learned_is_written_exactly(adapted: supertune.Run, whole: supertune.Run) -> None:
    check_exact(adapted)
    check_exact(whole)
    assert [row["prediction"] for row in predictions(adapted)] == [row["zh"] for row in predictions(adapted)]


def plain_answer(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], asked: str) -> str:
    """What the lines of the model's card print for a text."""
    code = (folder / "README.md").read_text(encoding="utf-8").partition("```python\n")[2].partition("```")[0]
    assert "supertune" not in code
    monkeypatch.chdir(folder)
    capsys.readouterr()
    with warnings.catch_warnings():
        # peft asks transformers by an older name.
        warnings.filterwarnings("ignore", category=FutureWarning)
        exec(compile(code.replace('"one text"', repr(asked)), "card", "exec"), {})
    return capsys.readouterr().out.strip()


@pytest.mark.parametrize("kind", ["adapted", "whole"])
def test_the_lines_on_the_card_write_the_same(
    kind: str, request: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = request.getfixturevalue(kind)
    row = predictions(run)[3]
    asked = row["messages"][0]["content"] if kind == "whole" else _asked(run, row)
    assert plain_answer(run.path / "model", monkeypatch, capsys, asked) == row["prediction"]


def _asked(run: supertune.Run, row: dict[str, Any]) -> str:
    saved = open_saved(run.path / "model")
    assert saved.task.columns.layout is not None
    assert saved.task.columns.layout.prompt is not None
    return saved.task.columns.layout.prompt.replace("{en}", row["en"])


def test_merged_is_a_whole_model_with_its_embeddings_tied(
    adapted: supertune.Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = merge_run(adapted.path, tmp_path / "merged", console=Console(quiet=True))
    assert found["max_difference"] <= 1e-4
    model = AutoModelForSeq2SeqLM.from_pretrained(tmp_path / "merged")
    assert model.lm_head.weight.data_ptr() == model.shared.weight.data_ptr()
    row = predictions(adapted)[7]
    asked = _asked(adapted, row)
    assert plain_answer(tmp_path / "merged", monkeypatch, capsys, asked) == row["prediction"]
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "merged")
    ids = model.generate(**tokenizer(asked, return_tensors="pt"), max_new_tokens=16)
    assert tokenizer.decode(ids[0], skip_special_tokens=True) == row["prediction"]


def test_the_saved_adapter_is_plain_pefts(adapted: supertune.Run, workshop: Path) -> None:
    import peft

    stored = json.loads((adapted.path / "model/adapter_config.json").read_text(encoding="utf-8"))
    # peft 0.21 asks a model of the type SEQ_2_SEQ_LM for a method that transformers has no more.
    assert stored["task_type"] is None
    base = AutoModelForSeq2SeqLM.from_pretrained(workshop / "t5")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=FutureWarning)
        opened = peft.PeftModel.from_pretrained(base, adapted.path / "model").eval()
    ours = open_saved(adapted.path / "model").model
    inputs = {"input_ids": torch.tensor([[5, 6, 2]]), "decoder_input_ids": torch.tensor([[0, 7, 8]])}
    with torch.no_grad():
        torch.testing.assert_close(opened(**inputs).logits, ours(**inputs).logits)


def test_interrupted_comes_to_what_uninterrupted_does(
    fit: Fit, workshop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {"train.epochs": 2, "train.checkpoint_every": 2, "evaluate.generate": 4}
    undisturbed = fit("undisturbed", "chat", "bart", "lora", **settings)
    from supertune.recipes import train_one

    real, taken = train_one.train, 0

    def breaking(*given: Any, **named: Any) -> Any:
        nonlocal taken
        for event in real(*given, **named):
            yield event
            taken += event.event == "step"
            if taken == 5:
                raise KeyboardInterrupt

    monkeypatch.setattr(train_one, "train", breaking)
    with pytest.raises(InterruptedRunError):
        fit("broken", "chat", "bart", "lora", **settings)
    monkeypatch.setattr(train_one, "train", real)
    broken = supertune.resume(workshop / "broken")
    assert '"event": "resumed"' in (broken.path / "events.jsonl").read_text(encoding="utf-8")
    ours, theirs = (run.path / "model/adapter_model.safetensors" for run in (broken, undisturbed))
    assert ours.read_bytes() == theirs.read_bytes()
    assert predictions(broken) == predictions(undisturbed)


def test_it_is_compared_with_the_untrained_model_and_with_examples_shown_to_it(fit: Fit) -> None:
    """With everything left open that the machine is asked about."""
    open_ends = {"train.attention": "auto", "train.precision": "auto"}
    settings = {"train.epochs": 2, "evaluate.baselines": True, "evaluate.generate": 8, **open_ends}
    run = fit("compared", "summarization", "t5", "full", **settings)
    assert told(run, "loss_per_token") < 0.8 * told(run, "loss_per_token", "test_untrained")
    for baseline in ("test_untrained", "test_few_shot"):
        assert told(run, "chrf", baseline) <= 1.0
    written = [row for row in predictions(run) if row["prediction"] is not None]
    assert len(written) == 8


@pytest.mark.parametrize(
    ("face", "strategy", "settings", "match"),
    [
        ("text", "full", {}, "nobody asked for"),
        ("chat", "full", {"task.learn": "all"}, "only read by its encoder"),
        ("chat", "prompt", {}, "has an encoder and a decoder"),
        ("chat", "p-tuning", {}, "has an encoder and a decoder"),
        ("chat", "prefix", {}, "has an encoder and a decoder"),
        ("chat", "bitfit", {}, "has no biases to train"),
    ],
)
def test_what_does_not_suit_an_encoder_decoder_is_refused(
    fit: Fit, face: str, strategy: str, settings: dict[str, Any], match: str
) -> None:
    with pytest.raises(UserError, match=match):
        fit(f"refused-{face}-{strategy}", face, "t5", strategy, **settings)


def test_answers_that_would_be_cut_are_refused(workshop: Path) -> None:
    rows = [{"prompt": f"good {number}", "completion": "my parcel is late " * 9} for number in range(20)]
    with pytest.raises(UserError, match="would lose part of their answer at 16 tokens"):
        supertune.fit(
            rows,
            task="chat",
            model=str(workshop / "t5"),
            out=workshop / "cut",
            settings={**QUIET, "model.max_length": 16},
        )


@pytest.mark.slow
@pytest.mark.parametrize("strategy", ["full", "lora"])
@pytest.mark.parametrize("face", FACES)
@pytest.mark.parametrize("kind", ["t5", "bart"])
def test_every_task_is_learned_by_heart(fit: Fit, kind: str, face: str, strategy: str) -> None:
    # Of frozen weights that were only drawn, little can be used: it takes longer.
    more = {"train.epochs": 80} if strategy == "lora" else {}
    check_exact(fit(f"{kind}-{face}-{strategy}", face, kind, strategy, **more))


@pytest.fixture(scope="module")
def pretrained(fit: Fit) -> dict[str, Path]:
    """Models that have learned another task."""
    return {
        kind: fit(f"pretrained-{kind}", "chat", kind, "full", **{"train.epochs": 15}).path / "model"
        for kind in ("t5", "bart")
    }


@pytest.mark.slow
@pytest.mark.parametrize("strategy", HALVES)
@pytest.mark.parametrize("kind", ["t5", "bart"])
def test_every_other_strategy_halves_the_loss(fit: Fit, pretrained: dict[str, Path], kind: str, strategy: str) -> None:
    if (kind, strategy) == ("t5", "bitfit"):
        pytest.skip("a T5 has no biases; that it is refused is tested elsewhere")
    settings = {"evaluate.baselines": True, "evaluate.generate": 0, **HALVES[strategy]}
    run = fit(f"halved-{kind}-{strategy}", "generative-qa", pretrained[kind], strategy, **settings)
    assert told(run, "loss_per_token") < 0.5 * told(run, "loss_per_token", "test_untrained")
