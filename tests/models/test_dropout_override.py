"""Overridden dropout reaches every place that drops, and nothing that is saved."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

from supertune.models.dropout import override_dropout

BERT = {
    "vocab_size": 40,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
}
SPECIAL = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "cls_token_id": 1, "sep_token_id": 2}
T5 = {"vocab_size": 40, "d_model": 32, "num_layers": 1, "num_heads": 4, "d_kv": 8, "d_ff": 32}
BART = {"vocab_size": 40, "d_model": 32, "encoder_layers": 1, "decoder_layers": 1}
BART |= {"encoder_attention_heads": 4, "decoder_attention_heads": 4, "encoder_ffn_dim": 32, "decoder_ffn_dim": 32}
DISTILBERT = {"vocab_size": 40, "dim": 32, "n_layers": 2, "n_heads": 4, "hidden_dim": 64}
GPT2 = {"vocab_size": 40, "n_embd": 32, "n_layer": 2, "n_head": 4, "bos_token_id": 1, "eos_token_id": 2}
XLM = {"vocab_size": 40, "emb_dim": 32, "n_layers": 2, "n_heads": 4, "summary_first_dropout": 0}

MODELS: dict[str, tuple[str, dict[str, Any]]] = {
    "bert": ("BertForSequenceClassification", BERT),
    "xlm-roberta": ("XLMRobertaForSequenceClassification", BERT),
    "distilbert": ("DistilBertForSequenceClassification", DISTILBERT),
    "modernbert": ("ModernBertForSequenceClassification", BERT | SPECIAL),
    "deberta-v2": ("DebertaV2ForSequenceClassification", BERT),
    "llama": ("LlamaForSequenceClassification", BERT | {"pad_token_id": 0}),
    "gpt2": ("GPT2ForSequenceClassification", GPT2 | {"pad_token_id": 0}),
    "t5": ("T5ForConditionalGeneration", T5 | {"decoder_start_token_id": 0}),
    "bart": ("BartForConditionalGeneration", BART | {"pad_token_id": 1, "eos_token_id": 2}),
    "xlm": ("XLMForSequenceClassification", XLM),
}


def build(name: str) -> Any:
    class_name, settings = MODELS[name]
    model_class = getattr(transformers, class_name)
    torch.manual_seed(0)
    return model_class(model_class.config_class(**settings)).train()


def outputs(model: Any) -> torch.Tensor:
    ids = torch.randint(3, 40, (4, 12), generator=torch.Generator().manual_seed(1))
    ids[:, -1] = 2
    more = {"labels": ids} if "Conditional" in type(model).__name__ else {}
    logits: torch.Tensor = model(input_ids=ids, attention_mask=torch.ones_like(ids), **more).logits
    return logits.detach()


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
@pytest.mark.parametrize("name", MODELS)
def test_without_dropout_training_repeats_and_equals_evaluation(name: str, attention: str) -> None:
    model = build(name)
    if attention == "sdpa" and not model._supports_sdpa:
        pytest.skip("this model has no such attention")
    model.set_attn_implementation(attention)
    override_dropout(model, 0.0)
    first = outputs(model)
    assert torch.equal(first, outputs(model))
    torch.testing.assert_close(first, outputs(model.eval()))


@pytest.mark.parametrize("name", MODELS)
def test_with_dropout_two_passes_differ(name: str) -> None:
    model = build(name)
    override_dropout(model, 0.0)
    override_dropout(model, 0.5)
    assert not torch.equal(outputs(model), outputs(model))


@pytest.mark.parametrize("name", MODELS)
def test_the_model_is_the_one_that_was_built_with_that_probability(name: str) -> None:
    """Same seed, same draws: as if every dropout of the configuration had been this one from the start."""
    model = build(name)
    override_dropout(model, 0.25)
    class_name, settings = MODELS[name]
    model_class = getattr(transformers, class_name)
    built = model_class.config_class(**settings).to_dict()
    everywhere = {key: 0.25 for key in built if ("dropout" in key or "_pdrop" in key) and "layer" not in key}
    torch.manual_seed(0)
    reference = model_class(model_class.config_class(**{**settings, **everywhere})).train()
    torch.manual_seed(5)
    found = outputs(model)
    torch.manual_seed(5)
    assert torch.equal(found, outputs(reference))


def test_modernbert_gets_the_dropout_that_it_was_built_without() -> None:
    model = build("modernbert")
    assert isinstance(model.model.layers[0].attn.out_drop, torch.nn.Identity)
    override_dropout(model, 0.3)
    assert model.model.layers[0].attn.out_drop.p == 0.3
    assert model.model.layers[0].attn.attention_dropout == 0.3


def test_leaving_out_whole_layers_is_another_matter() -> None:
    model = build("bart")
    model.model.encoder.layerdrop = 0.125
    override_dropout(model, 0.5)
    assert model.model.encoder.layerdrop == 0.125


@pytest.mark.parametrize("name", ["bert", "distilbert", "modernbert"])
def test_what_is_saved_is_as_it_was(name: str, tmp_path: Path) -> None:
    model = build(name)
    model.save_pretrained(tmp_path / "before")
    override_dropout(model, 0.5)
    model.save_pretrained(tmp_path / "after")
    for file in ("config.json", "model.safetensors"):
        assert (tmp_path / "before" / file).read_bytes() == (tmp_path / "after" / file).read_bytes()
