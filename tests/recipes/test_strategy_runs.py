"""Every strategy from the command to the saved run and back: trained, saved, opened elsewhere, merged, gone on with."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from test_training_choices import SETTINGS, losses, rows

import supertune
from supertune.config import load_config
from supertune.console import Console
from supertune.errors import InterruptedRunError, UserError
from supertune.recipes.merge import merge_run
from supertune.strategies import STRATEGIES

QUICK = {**SETTINGS, "train.class_weights": "balanced", "train.learning_rate": 0.01}
OWN: dict[str, dict[str, Any]] = {"partial": {"strategy.layers": 1}, "lora": {"strategy.rank": 4}}


def fit(tmp_path: Path, model: Path, strategy: str, **settings: Any) -> supertune.Run:
    chosen = {**QUICK, **OWN.get(strategy, {}), **settings}
    return supertune.fit(rows(), model=str(model), out=tmp_path / "run", strategy=strategy, settings=chosen)


def stored(run: supertune.Run) -> list[dict[str, Any]]:
    lines = (run.path / "predictions/test.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def plain_answers(model: Path, texts: list[str]) -> list[dict[str, float]]:
    """What the lines of the model's card give, in a process that cannot import supertune."""
    card = (model / "README.md").read_text(encoding="utf-8")
    code = card.partition("```python\n")[2].partition("```")[0]
    assert 'texts = ["one text", "another text"]' in code
    code = code.replace('texts = ["one text", "another text"]', f"texts = {texts!r}")
    code = f'import json, sys\nsys.modules["supertune"] = None\n{code}\nprint(json.dumps(probabilities.tolist()))\n'
    code += "print(json.dumps(list(model.config.id2label.values())))\n"
    done = subprocess.run([sys.executable, "-c", code], cwd=model, capture_output=True, text=True, check=True)
    probabilities, names = (json.loads(line) for line in done.stdout.strip().splitlines()[-2:])
    return [dict(zip(names, values, strict=True)) for values in probabilities]


@pytest.mark.parametrize("strategy", [name for name in STRATEGIES if name != "zero-shot"])
def test_a_strategy_trains_saves_and_is_read_back(strategy: str, tmp_path: Path, tiny_encoder: Path) -> None:
    run = fit(tmp_path, tiny_encoder, strategy)
    found = losses(run)
    assert len(set(found)) == len(found)
    manifest = json.loads((run.path / "manifest.json").read_text())
    assert manifest["status"] == "done"
    assert manifest["reload_check"]["max_difference"] <= 1e-6
    again = supertune.load_run(run.path)
    for row in stored(run):
        (answer,) = again.predict([row["text"]])
        assert answer["scores"] == pytest.approx(row["scores"], abs=1e-5)
    # What was chosen is written out, and the same again comes to the same.
    config = load_config(run.path / "config.yaml")
    assert config.strategy.name == strategy
    assert all(getattr(config.strategy, key.partition(".")[2]) == value for key, value in OWN.get(strategy, {}).items())


# Prefixes open as LoRA does; the lines of contrastive models are those of zero-shot ones in test_few_shot_runs.py.
@pytest.mark.parametrize(
    "strategy", ["lora", *(pytest.param(name, marks=pytest.mark.slow) for name in ("adapter", "probe"))]
)
def test_the_lines_on_the_card_work_without_supertune(strategy: str, tmp_path: Path, tiny_encoder: Path) -> None:
    run = fit(tmp_path, tiny_encoder, strategy)
    kept = stored(run)
    for row, scores in zip(kept, plain_answers(run.path / "model", [row["text"] for row in kept]), strict=True):
        assert scores == pytest.approx(row["scores"], abs=1e-4)
    folder = run.path / "model"
    if strategy == "probe":
        assert (folder / "config.json").exists()
        return
    assert not (folder / "config.json").exists()
    assert json.loads((folder / "labels.json").read_text()) == {"labels": ["no", "yes"]}


def test_the_same_command_makes_the_same_adapter(tmp_path: Path, tiny_encoder: Path) -> None:
    # Which attention is fastest is measured, and a busy machine may find another one the second time.
    same = {"train.attention": "sdpa"}
    first, second = (fit(tmp_path / name, tiny_encoder, "lora", **same) for name in ("one", "two"))
    for file in ("adapter_model.safetensors", "adapter_config.json", "labels.json", "supertune.json"):
        assert (first.path / "model" / file).read_bytes() == (second.path / "model" / file).read_bytes()
    other = fit(tmp_path / "three", tiny_encoder, "lora", **same, **{"train.seed": 1})
    file = "model/adapter_model.safetensors"
    assert (first.path / file).read_bytes() != (other.path / file).read_bytes()


@pytest.mark.parametrize("strategy", ["lora", "prefix", "contrastive"])
def test_interrupted_comes_to_what_uninterrupted_does(
    strategy: str, tmp_path: Path, tiny_encoder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "rows.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in rows()), encoding="utf-8")
    settings = {**QUICK, "train.precision": "fp32", "train.checkpoint_every": 2}
    whole = supertune.fit(
        str(data), model=str(tiny_encoder), out=tmp_path / "whole", strategy=strategy, settings=settings
    )
    from supertune.recipes import train_one

    real = train_one.train
    taken = 0

    def breaking(*given: Any, **named: Any) -> Any:
        nonlocal taken
        for event in real(*given, **named):
            yield event
            taken += event.event == "step"
            if taken == 5:
                raise KeyboardInterrupt

    monkeypatch.setattr(train_one, "train", breaking)
    with pytest.raises(InterruptedRunError):
        supertune.fit(str(data), model=str(tiny_encoder), out=tmp_path / "broken", strategy=strategy, settings=settings)
    monkeypatch.setattr(train_one, "train", real)
    broken = supertune.resume(tmp_path / "broken")
    events = (broken.path / "events.jsonl").read_text(encoding="utf-8")
    assert '"event": "resumed"' in events
    files = list((whole.path / "model").glob("*.safetensors"))
    assert files
    for file in files:
        assert (broken.path / "model" / file.name).read_bytes() == file.read_bytes()
    assert stored(broken) == stored(whole)


@pytest.mark.parametrize(
    "strategy", ["lora", *(pytest.param(name, marks=pytest.mark.slow) for name in ("dora", "ia3"))]
)
def test_merged_is_a_whole_model_that_says_the_same(strategy: str, tmp_path: Path, tiny_encoder: Path) -> None:
    run = fit(tmp_path, tiny_encoder, strategy)
    told = merge_run(run.path, tmp_path / "merged", console=Console(quiet=True))
    assert told["max_difference"] <= 1e-4
    kept = stored(run)
    for row, scores in zip(kept, plain_answers(tmp_path / "merged", [row["text"] for row in kept]), strict=True):
        assert scores == pytest.approx(row["scores"], abs=1e-4)
    card = (tmp_path / "merged/README.md").read_text(encoding="utf-8")
    assert f"A {strategy} adapter is merged into the weights" in card
    assert "peft" not in card.partition("```python")[2].partition("```")[0]
    assert "supertune.load_run" not in card
    theirs = (run.path / "model/README.md").read_text(encoding="utf-8")
    assert card.partition("## Training data")[2] == theirs.partition("## Training data")[2]
    # And it can be trained further.
    on = supertune.fit(rows(), model=str(tmp_path / "merged"), out=tmp_path / "on", settings=SETTINGS)
    assert on.path.exists()


def test_what_cannot_be_merged(tmp_path: Path, tiny_encoder: Path) -> None:
    whole = fit(tmp_path / "whole", tiny_encoder, "full")
    with pytest.raises(UserError, match="nothing to merge"):
        merge_run(whole.path, tmp_path / "merged", console=Console(quiet=True))
    prompts = fit(tmp_path / "prompts", tiny_encoder, "prompt")
    with pytest.raises(UserError, match=r"trained with prompt[\s\S]*lora, dora, ia3"):
        merge_run(prompts.path, tmp_path / "merged", console=Console(quiet=True))
    assert not (tmp_path / "merged").exists()
    (tmp_path / "merged").mkdir()
    with pytest.raises(UserError, match="exists already"):
        merge_run(whole.path, tmp_path / "merged", console=Console(quiet=True))


def test_an_adapter_whose_base_has_changed_or_gone(tmp_path: Path, tiny_encoder: Path) -> None:
    base = Path(shutil.copytree(tiny_encoder, tmp_path / "base"))
    run = fit(tmp_path, base, "lora")
    weights = load_file(base / "model.safetensors")
    name = next(iter(weights))
    save_file({**weights, name: weights[name] + 1}, base / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(UserError, match="whose weights have changed since"):
        supertune.load_run(run.path).predict(["a text"])
    shutil.rmtree(base)
    with pytest.raises(UserError, match="no such folder"):
        supertune.load_run(run.path).predict(["a text"])


def test_opening_a_run_runs_no_code_of_its_base(tmp_path: Path, tiny_encoder: Path) -> None:
    base = Path(shutil.copytree(tiny_encoder, tmp_path / "base"))
    run = fit(tmp_path, base, "lora")
    evil = {**json.loads((base / "config.json").read_text()), "auto_map": {"AutoConfig": "evil.Config"}}
    (base / "config.json").write_text(json.dumps(evil))
    (base / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    with pytest.raises(UserError, match="names code"):
        supertune.load_run(run.path).predict(["a text"])
    assert not (tmp_path / "ran").exists()
    with pytest.raises(UserError, match="never runs code"):
        fit(tmp_path / "other", tiny_encoder, "lora", **{"model.trust_remote_code": True})


@pytest.mark.parametrize(
    "strategy", ["lora", *(pytest.param(name, marks=pytest.mark.slow) for name in ("adapter", "probe"))]
)
def test_a_decoder_that_knows_no_padding(strategy: str, tmp_path: Path, tiny_encoder: Path) -> None:
    from transformers import LlamaConfig, LlamaModel

    folder = Path(shutil.copytree(tiny_encoder, tmp_path / "llama"))
    vocabulary = json.loads((tiny_encoder / "config.json").read_text())["vocab_size"]
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 48}
    torch.manual_seed(0)
    LlamaModel(LlamaConfig(vocab_size=vocabulary, **sizes, pad_token_id=None)).save_pretrained(folder)
    run = fit(tmp_path, folder, strategy)
    kept = stored(run)
    for row, scores in zip(kept, plain_answers(run.path / "model", [row["text"] for row in kept]), strict=True):
        assert scores == pytest.approx(row["scores"], abs=1e-4)
    if strategy == "lora":
        assert merge_run(run.path, tmp_path / "merged", console=Console(quiet=True))["max_difference"] <= 1e-4


def test_settings_of_another_strategy(tmp_path: Path, tiny_encoder: Path) -> None:
    with pytest.raises(UserError, match=r"strategy.rank.*means nothing for the strategy 'full'"):
        fit(tmp_path / "refused", tiny_encoder, "full", **{"strategy.rank": 4})
    assert not (tmp_path / "refused").exists(), "before anything was read or written"
    run = fit(tmp_path / "lora", tiny_encoder, "lora")
    config = load_config(run.path / "config.yaml")
    assert config.strategy.rank == 4
    other = config.with_values({"strategy.name": "prefix", "strategy.tokens": 3})
    assert (other.strategy.rank, other.strategy.tokens) == (None, 3)
    same = config.with_values({"strategy.name": "lora", "strategy.alpha": 3.0})
    assert (same.strategy.rank, same.strategy.alpha) == (4, 3.0)


def test_prompts_need_positions(tmp_path: Path, tiny_encoder: Path) -> None:
    most = json.loads((tiny_encoder / "config.json").read_text())["max_position_embeddings"]
    with pytest.raises(UserError, match="20 before each"):
        fit(tmp_path, tiny_encoder, "prompt", **{"model.max_length": most})


def test_frozen_layers_kept_or_computed_come_to_the_same(tmp_path: Path, tiny_encoder: Path) -> None:
    settings = {"train.precision": "fp32", "strategy.layers": 1}
    kept = fit(tmp_path / "kept", tiny_encoder, "partial", **settings)
    computed = fit(tmp_path / "computed", tiny_encoder, "partial", **settings, **{"train.frozen_layers": "compute"})
    assert losses(kept) == pytest.approx(losses(computed), abs=1e-5)
    assert [row["scores"] for row in stored(kept)] == [
        pytest.approx(row["scores"], abs=1e-5) for row in stored(computed)
    ]


def test_frozen_layers_with_what_draws_anew_at_every_pass(tmp_path: Path, tiny_encoder: Path) -> None:
    plain = losses(fit(tmp_path / "plain", tiny_encoder, "partial"))
    for name, value in (("r_drop", 1.0), ("mixout", 0.5), ("adversarial", "fgm"), ("accumulate", 3)):
        found = losses(fit(tmp_path / name, tiny_encoder, "partial", **{f"train.{name}": value}))
        assert found != plain
        assert found[0] == pytest.approx(plain[0], abs=0.2)


@pytest.mark.parametrize("strategy", ["partial", "bitfit"])
def test_what_is_frozen_stays_as_it_was_pretrained_to_the_last_bit(
    strategy: str, tmp_path: Path, tiny_encoder: Path
) -> None:
    run = fit(tmp_path, tiny_encoder, strategy, **{"train.precision": "bf16"})
    base, now = load_file(tiny_encoder / "model.safetensors"), load_file(run.path / "model/model.safetensors")
    same = {name for name in base if torch.equal(base[name], now.get(f"bert.{name}", now.get(name)))}
    expected = {
        "partial": {name for name in base if "layer.1." not in name and "pooler" not in name},
        "bitfit": {name for name in base if not name.endswith("bias") and "pooler" not in name},
    }
    assert same == expected[strategy]
