"""A frozen base in 4 or 8 bits: adapters learn on top, what is saved is what was trained, and all verbs work."""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import supertune
from supertune.config import Config
from supertune.contracts import Head
from supertune.errors import InterruptedRunError, MissingExtraError, UserError
from supertune.models import dequantised, held_bytes, load_with_head, quantise, resolve
from supertune.recipes import train_one
from supertune.recipes.saved import open_saved
from supertune.recipes.settings import check_strategy
from supertune.strategies import build_strategy
from tiny_decoders import TINY, face_rows, write_tiny_decoder

pytest.importorskip("bitsandbytes")
pytestmark = pytest.mark.slow

KNOWN = {"data.allow": ["leakage", "contamination", "exact-duplicates", "label-conflicts"]}
PLAIN = {**TINY, **KNOWN, "evaluate.baselines": False, "evaluate.generate": 3, "evaluate.general": "none"}
IDS = torch.randint(3, 300, (4, 12), generator=torch.Generator().manual_seed(1))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_decoder(tmp_path_factory.mktemp("tiny") / "model")


def opened(folder: Path) -> Any:
    return load_with_head(resolve(str(folder)), Head("AutoModelForCausalLM", {}), pad_token_id=0)


def logits(model: Any) -> torch.Tensor:
    with torch.inference_mode():
        return model(input_ids=IDS, attention_mask=torch.ones_like(IDS)).logits


def fit(folder: Path, place: Path, kind: str = "4bit", strategy: str = "lora", **settings: Any) -> supertune.Run:
    rows = face_rows("chat", 40)
    path = place.parent / "known.jsonl"
    path.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows), encoding="utf-8")
    values = {
        **PLAIN,
        "model.quantization": kind,
        "train.epochs": 3,
        **{k.replace("__", "."): v for k, v in settings.items()},
    }
    return supertune.fit(
        rows, task="chat", model=str(folder), strategy=strategy, out=place, validation=str(path), test=str(path),
        settings=values,
    )  # fmt: skip


# ---------------------------------------------------------------- the base


@pytest.mark.parametrize(("kind", "share", "close"), [("4bit", 0.16, 1e-5), ("8bit", 0.29, 0.5)])
def test_matrices_shrink_and_stand_for_numbers_that_compute_the_same(folder, kind, share, close):
    whole, held = opened(folder), quantise(opened(folder), kind)
    matrices = sum(m.weight.nbytes for n, m in whole.named_modules() if type(m) is torch.nn.Linear and n != "lm_head")
    assert held_bytes(held) - (held_bytes(whole) - matrices) <= share * matrices
    assert not any(parameter.requires_grad for name, parameter in held.named_parameters() if "proj.weight" in name)
    assert type(held.lm_head) is torch.nn.Linear
    again = dequantised(quantise(opened(folder), kind))
    assert all(type(m) is torch.nn.Linear for n, m in again.named_modules() if n.endswith("_proj"))
    assert held_bytes(again) == held_bytes(whole)
    assert (logits(again) - logits(held)).abs().max() < close
    rounding = [
        (one - other).norm() / one.norm()
        for (name, one), other in zip(whole.named_parameters(), again.parameters(), strict=True)
        if "proj.weight" in name
    ]
    assert 0 < max(rounding) < (0.12 if kind == "4bit" else 0.01)


def test_nf4_is_that_of_the_library_of_transformers(folder):
    from transformers import AutoModelForCausalLM, BitsAndBytesConfig

    how = BitsAndBytesConfig(
        load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True, bnb_4bit_compute_dtype="float32"
    )
    theirs = AutoModelForCausalLM.from_pretrained(
        folder, quantization_config=how, dtype=torch.float32, device_map={"": "cpu"}
    )
    torch.testing.assert_close(logits(quantise(opened(folder), "4bit")), logits(theirs), atol=2e-5, rtol=1e-4)


def test_measuring_in_between_does_not_change_what_is_computed(folder):
    model = quantise(opened(folder), "4bit")
    before = logits(model.eval())
    model.train()
    embedded = model.get_input_embeddings()(IDS).detach().requires_grad_()
    trained = model(inputs_embeds=embedded).logits
    trained.sum().backward()
    torch.testing.assert_close(trained.detach(), before, atol=1e-5, rtol=1e-5)
    assert embedded.grad is not None
    torch.testing.assert_close(logits(model.eval()), before, atol=0, rtol=0)


@pytest.mark.parametrize("strategy", ["lora", "dora", "ia3", "adapter", "prompt", "prefix", "p-tuning"])
@pytest.mark.parametrize("kind", ["4bit", "8bit"])
def test_only_what_is_added_learns_and_opens_again(folder, tmp_path, kind, strategy):
    if (kind, strategy) == ("8bit", "dora"):
        pytest.skip("refused")
    torch.manual_seed(0)
    built = build_strategy(strategy, {})
    model = built.prepare(quantise(opened(folder), kind))
    frozen = {n: p.detach().clone() for n, p in model.named_parameters() if not p.requires_grad}
    learned = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(learned, 5e-3)
    losses = []
    for _ in range(8):
        optimizer.zero_grad()
        loss = model(input_ids=IDS, attention_mask=torch.ones_like(IDS), labels=IDS).loss
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]
    for name, parameter in model.named_parameters():
        if name in frozen:
            assert torch.equal(parameter, frozen[name])
    built.save(model, str(tmp_path), str(folder))
    reopened = built.load(quantise(opened(folder), kind), str(tmp_path)).eval()
    torch.testing.assert_close(logits(reopened), logits(model.eval()), atol=0, rtol=0)


# ---------------------------------------------------------------- runs


def test_a_run_learns_saves_answers_and_goes_on_exactly(folder, tmp_path, monkeypatch):
    run = fit(folder, tmp_path / "whole", train__checkpoint_every=4)
    manifest = json.loads((run.path / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["base_model"]["quantization"] == "4bit"
    assert manifest["reload_check"]["max_difference"] <= manifest["reload_check"]["tolerance"]
    assert "quantization: 4bit" in (run.path / "config.yaml").read_text(encoding="utf-8")
    assert "4 bits" in (run.path / "model/README.md").read_text(encoding="utf-8")
    events = [json.loads(line) for line in (run.path / "events.jsonl").read_text(encoding="utf-8").splitlines()]
    losses = [event["loss"] for event in events if event["event"] == "step"]
    assert np.mean(losses[-3:]) < 0.7 * np.mean(losses[:3])
    # The adapter is what any other adapter is, and opens on the whole base with nothing but peft.
    from peft import PeftModel

    with warnings.catch_warnings():
        # peft asks transformers for something by its old name.
        warnings.filterwarnings("ignore", message="`is_gradient_checkpointing` is deprecated", category=FutureWarning)
        over_whole = PeftModel.from_pretrained(opened(folder), str(run.path / "model")).eval()
    saved = open_saved(run.path / "model")
    assert saved.quantization == "4bit"
    assert held_bytes(saved.model) < held_bytes(over_whole)
    plain = open_saved(run.path / "model", plain=True)
    torch.testing.assert_close(logits(plain.model), logits(saved.model), atol=1e-4, rtol=1e-4)
    again = supertune.load_run(run.path)
    assert isinstance(again.chat("good bad"), str)
    assert len(again.predict(["good bad", "film tea"])) == 2
    assert again.evaluate(str(tmp_path / "known.jsonl"), generate=2)

    steps = train_one._steps

    def interrupted(*arguments: Any) -> Any:
        for event in steps(*arguments):
            yield event
            if event.event == "step" and event.step == 9:
                raise KeyboardInterrupt

    monkeypatch.setattr(train_one, "_steps", interrupted)
    with pytest.raises(InterruptedRunError):
        fit(folder, tmp_path / "again", train__checkpoint_every=4)
    monkeypatch.setattr(train_one, "_steps", steps)
    rows = face_rows("chat", 40)
    resumed = supertune.resume(tmp_path / "again", rows)
    name = "model/adapter_model.safetensors"
    assert (resumed.path / name).read_bytes() == (run.path / name).read_bytes()

    out = tmp_path / "merged"
    told = merged(run.path, out)
    assert told["max_difference"] <= 1e-4
    assert told["max_difference_to_quantized"] <= 1e-4
    from transformers import AutoModelForCausalLM

    whole = AutoModelForCausalLM.from_pretrained(out, dtype=torch.float32).eval()
    torch.testing.assert_close(logits(whole), logits(saved.model), atol=1e-4, rtol=1e-4)


def merged(run: Path, out: Path) -> dict[str, Any]:
    from supertune.console import Console
    from supertune.recipes.merge import merge_run

    return merge_run(run, out, console=Console(quiet=True))


@pytest.mark.parametrize(("kind", "precision"), [("8bit", "fp32"), ("4bit", "bf16")])
def test_eight_bits_and_bfloat16_learn_as_well(folder, tmp_path, kind, precision):
    run = fit(folder, tmp_path / "run", kind, train__precision=precision, evaluate__generate=0)
    events = [json.loads(line) for line in (run.path / "events.jsonl").read_text(encoding="utf-8").splitlines()]
    losses = [event["loss"] for event in events if event["event"] == "step"]
    assert np.mean(losses[-3:]) < 0.8 * np.mean(losses[:3])
    manifest = json.loads((run.path / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["reload_check"]["max_difference"] <= manifest["reload_check"]["tolerance"]


# ---------------------------------------------------------------- what is refused


@pytest.mark.parametrize("strategy", ["full", "partial", "bitfit", "layernorm", "probe", "contrastive", "zero-shot"])
def test_strategies_that_change_the_base_are_refused(strategy):
    config = Config().with_values({"strategy.name": strategy, "model.quantization": "4bit"})
    with pytest.raises(UserError, match="cannot learn") as caught:
        check_strategy(config)
    assert caught.value.where == "model.quantization"
    assert "--strategy lora" in (caught.value.fix or "")


@pytest.mark.parametrize(
    ("values", "what"),
    [
        ({"strategy.name": "dora", "model.quantization": "8bit"}, "dora needs"),
        ({"strategy.name": "lora", "strategy.initialisation": "pissa", "model.quantization": "4bit"}, "PiSSA"),
    ],
)
def test_what_needs_the_bases_own_numbers_is_refused(values, what):
    with pytest.raises(UserError, match=what):
        check_strategy(Config().with_values(values))


def test_the_missing_extra_is_named(folder, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "bitsandbytes", None)
    with pytest.raises(MissingExtraError, match=r"supertune\[quantized\]"):
        fit(folder, tmp_path / "run")
