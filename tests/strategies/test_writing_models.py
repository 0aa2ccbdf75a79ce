"""What holds for every strategy on models that write: decoders of several kinds, and encoder-decoders."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import peft
import pytest
import torch
import transformers
from test_layers import changed, copies

from architectures import BART, BERT, T5, moved
from supertune.errors import UserError
from supertune.strategies import STRATEGIES, build_strategy
from supertune.strategies.own_weights import quiet_saving
from supertune.strategies.parts import head_modules, writes

_SMALL = BERT | {"num_key_value_heads": 1, "pad_token_id": 0, "intermediate_size": 24}
MODELS: dict[str, tuple[str, dict[str, Any]]] = {
    "llama": ("LlamaForCausalLM", _SMALL),
    # Heads wider than their share of the model, a window narrower than the texts, embeddings that are the output.
    "gemma": ("Gemma3ForCausalLM", _SMALL | {"head_dim": 12, "sliding_window": 4}),
    "qwen": ("Qwen2ForCausalLM", _SMALL | {"tie_word_embeddings": True}),
    "gpt2": (
        "GPT2LMHeadModel",
        {"vocab_size": 40, "n_embd": 16, "n_layer": 3, "n_head": 2, "bos_token_id": 1, "eos_token_id": 2},
    ),
    "t5": ("T5ForConditionalGeneration", T5 | {"num_decoder_layers": 2, "d_ff": 24, "decoder_start_token_id": 0}),
    "bart": (
        "BartForConditionalGeneration",
        BART
        # Weights as small as BART's own give keys gradients below what 32 bits resolve.
        | {
            "eos_token_id": 2,
            "decoder_start_token_id": 2,
            "encoder_ffn_dim": 24,
            "decoder_ffn_dim": 24,
            "init_std": 0.2,
        },
    ),
}
LABELLING = ("probe", "contrastive", "zero-shot")
"""Strategies that tell labels apart."""

WITHOUT = {("bitfit", name): "no biases" for name in ("llama", "gemma", "t5")} | {
    (name, kind): "has an encoder and a decoder" for name in ("prompt", "p-tuning", "prefix") for kind in ("t5", "bart")
}
CASES = [(name, kind) for kind in MODELS for name in STRATEGIES if name not in LABELLING if (name, kind) not in WITHOUT]
MERGED = [(name, kind) for name, kind in CASES if STRATEGIES[name]().mergeable]

pytestmark = pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing. is deprecated:FutureWarning")


def build(kind: str) -> Any:
    class_name, settings = MODELS[kind]
    model_class = getattr(transformers, class_name)
    torch.manual_seed(0)
    return model_class(model_class.config_class(**settings)).eval()


def batch(model: Any) -> dict[str, torch.Tensor]:
    ids = torch.randint(5, 40, (3, 9), generator=torch.Generator().manual_seed(0))
    mask = torch.ones_like(ids)
    mask[1, 5:], ids[1, 5:] = 0, 0
    read = {"input_ids": ids, "attention_mask": mask}
    return read | {"decoder_input_ids": ids[:, :4].clone()} if model.config.is_encoder_decoder else read


def logits(model: Any) -> torch.Tensor:
    """Those of the text's own tokens: prompts come before."""
    with torch.no_grad():
        found: torch.Tensor = model.eval()(**batch(model)).logits
    return found[:, -4:] if model.config.is_encoder_decoder else found[:, -9:]


def prepared(name: str, kind: str) -> tuple[Any, Any]:
    strategy = build_strategy(name, {})
    model = build(kind)
    torch.manual_seed(1)
    return strategy, strategy.prepare(model)


def is_tied(model: Any) -> bool:
    tied: bool = model.get_output_embeddings().weight.data_ptr() == model.get_input_embeddings().weight.data_ptr()
    return tied


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_one_step_changes_what_should_learn_and_it_is_read_back(name: str, kind: str, tmp_path: Path) -> None:
    strategy, model = prepared(name, kind)
    learning = [parameter for group in strategy.parameter_groups(model, 1e-2, 0.01) for parameter in group.names]
    assert len(learning) == len(set(learning))
    parameters = dict(model.named_parameters())
    assert {parameter for parameter, value in parameters.items() if value.requires_grad} == set(learning)
    moved(model)
    optimizer = torch.optim.SGD([parameters[parameter] for parameter in learning], lr=1.0)
    outputs = model.train()(**batch(model)).logits
    targets = torch.randint(5, 40, outputs.shape[:2], generator=torch.Generator().manual_seed(2))
    loss = torch.nn.functional.cross_entropy(outputs.flatten(0, 1), targets.flatten())
    before = copies(model)
    loss.backward()
    optimizer.step()
    now = changed(model, before)
    # Whatever is added to all keys alike, the softmax over them does not see.
    assert {parameter for parameter in set(learning) - now if not parameter.endswith("k_proj.bias")} == set()
    assert now <= set(learning)
    assert any("lm_head" in parameter for parameter in learning) is (name == "full" and kind == "llama")

    trained = logits(model)
    assert not torch.allclose(trained, logits(build(kind)), atol=1e-3)
    strategy.save(model, str(tmp_path), "the-base")
    assert torch.equal(logits(model), trained), "saving leaves the model as it was"
    if strategy.adapter:
        opened = strategy.load(build(kind), str(tmp_path))
    else:
        with quiet_saving():
            plain = type(model).from_pretrained(tmp_path)
        assert is_tied(plain) is is_tied(build(kind))
        opened = strategy.load(plain, str(tmp_path))
    torch.testing.assert_close(logits(opened), trained, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize(("name", "kind"), MERGED)
def test_merged_computes_the_same_and_opens_as_any_other(name: str, kind: str, tmp_path: Path) -> None:
    strategy, model = prepared(name, kind)
    before = logits(moved(model))
    merged = strategy.merge(model)
    assert type(merged) is type(build(kind))
    assert is_tied(merged) is is_tied(build(kind))
    with quiet_saving():
        merged.save_pretrained(tmp_path)
        opened = type(merged).from_pretrained(tmp_path)
    torch.testing.assert_close(logits(opened), before, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("kind", MODELS)
def test_adapters_are_plain_pefts_and_leave_the_output_alone(kind: str, tmp_path: Path) -> None:
    strategy, model = prepared("lora", kind)
    trained = logits(moved(model))
    strategy.save(model, str(tmp_path), "the-base")
    stored = json.loads((tmp_path / "adapter_config.json").read_text())
    assert stored["task_type"] == (None if kind in ("t5", "bart") else "CAUSAL_LM")
    assert not any("lm_head" in name for name in stored["target_modules"])
    assert not stored["modules_to_save"]
    linear = {name for name, module in build(kind).named_modules() if "Linear" in type(module).__name__}
    if kind != "gpt2":
        assert {name.rpartition(".")[2] for name in stored["target_modules"]} == {
            name.rpartition(".")[2] for name in linear if "lm_head" not in name
        }
    opened = peft.PeftModel.from_pretrained(build(kind), tmp_path)
    torch.testing.assert_close(logits(opened), trained, atol=1e-6, rtol=1e-5)


@pytest.mark.filterwarnings("ignore:Position ids are not supported:UserWarning")
@pytest.mark.parametrize("name", ["lora", "prompt", "prefix"])
@pytest.mark.parametrize("kind", ["llama", "gemma"])
def test_what_learned_also_writes(name: str, kind: str) -> None:
    """Token by token from the cache as all at once."""
    _, model = prepared(name, kind)
    moved(model).eval()
    ids = torch.tensor([[5, 6, 7, 8]])
    written = model.generate(
        input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=6, do_sample=False, eos_token_id=None
    )
    with torch.no_grad():
        outputs = model(input_ids=written, attention_mask=torch.ones_like(written)).logits[:, -written.shape[1] :]
    assert torch.equal(outputs[0, 3:-1].argmax(-1), written[0, 4:])


@pytest.mark.parametrize(("name", "kind"), WITHOUT, ids=str)
def test_what_does_not_suit_a_model_says_so(name: str, kind: str) -> None:
    with pytest.raises(UserError, match=WITHOUT[name, kind]):
        prepared(name, kind)


@pytest.mark.parametrize("name", ["probe", "contrastive"])
def test_what_tells_labels_apart_does_not_write(name: str) -> None:
    with pytest.raises(UserError, match="writes texts"):
        prepared(name, "llama")


@pytest.mark.parametrize("kind", MODELS)
def test_the_output_belongs_to_the_body(kind: str) -> None:
    assert writes(build(kind))
    assert head_modules(build(kind)) == []


def test_how_to_open_it_names_no_labels() -> None:
    for name in ("full", "lora", "adapter"):
        lines = build_strategy(name, {}).load_lines("AutoModelForCausalLM")
        assert "AutoModelForCausalLM.from_pretrained" in lines
        assert "labels" not in lines
        assert ("json" in lines) is (name == "adapter")
