"""Models that write are opened with the output they were pre-trained with, and saved as plain transformers has them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file
from transformers import PreTrainedTokenizerFast

from supertune.contracts import Head
from supertune.errors import UserError
from supertune.models import choose_padding, load_with_head, resolve

SMALL = {"vocab_size": 40, "hidden_size": 16, "num_hidden_layers": 2, "intermediate_size": 24}
SMALL |= {"num_attention_heads": 2, "num_key_value_heads": 2}
T5 = {
    "vocab_size": 40,
    "d_model": 16,
    "num_layers": 2,
    "num_heads": 2,
    "d_kv": 8,
    "d_ff": 16,
    "decoder_start_token_id": 0,
}
DECODER, BOTH = Head("AutoModelForCausalLM", {}), Head("AutoModelForSeq2SeqLM", {})
KINDS: dict[str, tuple[Head, str, dict[str, Any]]] = {
    "llama": (DECODER, "LlamaForCausalLM", SMALL | {"tie_word_embeddings": False}),
    "qwen2-tied": (DECODER, "Qwen2ForCausalLM", SMALL | {"tie_word_embeddings": True}),
    "gemma3": (DECODER, "Gemma3ForCausalLM", SMALL | {"head_dim": 12, "num_key_value_heads": 1, "pad_token_id": 0}),
    "gpt2": (DECODER, "GPT2LMHeadModel", {"vocab_size": 40, "n_embd": 16, "n_layer": 2, "n_head": 2}),
    "t5-tied": (BOTH, "T5ForConditionalGeneration", T5),
    "t5": (BOTH, "T5ForConditionalGeneration", T5 | {"tie_word_embeddings": False}),
}


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def folder(kind: str, tmp_path: Path, tiny_encoder: Path) -> Path:
    _, class_name, settings = KINDS[kind]
    model_class: Any = getattr(transformers, class_name)
    torch.manual_seed(0)
    model_class(model_class.config_class(**settings)).save_pretrained(tmp_path / "model")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copyfile(tiny_encoder / name, tmp_path / "model" / name)
    return tmp_path / "model"


def logits(model: Any) -> torch.Tensor:
    ids = torch.tensor([[5, 6, 7, 8, 9]])
    read = {"input_ids": ids} | ({"decoder_input_ids": ids} if model.config.is_encoder_decoder else {})
    with torch.no_grad():
        found: torch.Tensor = model.eval()(**read).logits
    return found


def plain(kind: str, folder: Path) -> Any:
    return getattr(transformers, KINDS[kind][0].auto_class).from_pretrained(folder)


def is_tied(model: Any) -> bool:
    tied: bool = model.get_output_embeddings().weight.data_ptr() == model.get_input_embeddings().weight.data_ptr()
    return tied


def test_opened_and_saved_it_is_what_plain_transformers_opens(kind: str, folder: Path, tmp_path: Path) -> None:
    expected = plain(kind, folder)
    opened = load_with_head(resolve(str(folder)), KINDS[kind][0], pad_token_id=3)
    assert torch.equal(logits(opened), logits(expected))
    assert is_tied(opened) is is_tied(expected)
    with torch.no_grad():
        for parameter in opened.parameters():
            parameter += 0.1
    opened.save_pretrained(tmp_path / "saved")
    again = plain(kind, tmp_path / "saved")
    assert torch.equal(logits(again), logits(opened))
    assert is_tied(again) is is_tied(expected)
    # What pads is nobody's business but generate's: the table of embeddings is the one that was.
    assert again.generation_config.pad_token_id == 3
    assert again.config.pad_token_id == expected.config.pad_token_id


def test_an_output_that_is_missing_is_never_drawn(kind: str, folder: Path) -> None:
    if is_tied(plain(kind, folder)):
        pytest.skip("its output is its embeddings")
    state = load_file(folder / "model.safetensors")
    del state["lm_head.weight"]
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    for new in (True, False):
        with pytest.raises(UserError, match=r"are missing or of another shape: lm_head\.weight"):
            load_with_head(resolve(str(folder)), KINDS[kind][0], pad_token_id=0, new=new)


def test_a_model_that_does_not_write_says_what_does(tiny_encoder: Path) -> None:
    with pytest.raises(UserError, match="has no AutoModelForSeq2SeqLM") as caught:
        load_with_head(resolve(str(tiny_encoder)), BOTH, pad_token_id=0)
    assert "T5" in str(caught.value.fix)
    with pytest.raises(UserError, match=r"are missing or of another shape: cls\."):
        load_with_head(resolve(str(tiny_encoder)), DECODER, pad_token_id=0)


def tokenizer(special: dict[str, str], more: tuple[str, ...] = ()) -> PreTrainedTokenizerFast:
    from tokenizers import Tokenizer, models

    words = ["a", "b", *dict.fromkeys([*more, *special.values()])]
    raw = Tokenizer(models.WordLevel({word: index for index, word in enumerate(words)}, unk_token="a"))
    opened = PreTrainedTokenizerFast(tokenizer_object=raw, **special)
    opened.add_special_tokens({"additional_special_tokens": list(more)}, replace_extra_special_tokens=False)
    return opened


@pytest.mark.parametrize(
    ("special", "more", "chosen"),
    [
        ({"pad_token": "<pad>", "eos_token": "</s>"}, (), None),
        (
            {"eos_token": "<|eot_id|>"},
            ("<|begin|>", "<|finetune_right_pad_id|>", "<|reserved_0|>"),
            "<|finetune_right_pad_id|>",
        ),
        ({"eos_token": "</s>", "unk_token": "<unk>"}, ("<pad>",), "<pad>"),
        (
            {"eos_token": "</s>"},
            ("<|reserved_special_token_0|>", "<|reserved_special_token_1|>"),
            "<|reserved_special_token_0|>",
        ),
        ({"eos_token": "</s>", "unk_token": "<unk>"}, (), "<unk>"),
        ({"eos_token": "<|endoftext|>"}, (), "<|endoftext|>"),
    ],
)
def test_padding_is_a_token_that_the_vocabulary_has(
    special: dict[str, str], more: tuple[str, ...], chosen: str | None
) -> None:
    opened = tokenizer(special, more)
    size = len(opened)
    assert choose_padding(opened) == chosen
    assert opened.pad_token == (chosen or special["pad_token"])
    assert len(opened) == size
    assert opened.pad_token_id < size


def test_a_vocabulary_without_special_tokens_cannot_pad() -> None:
    with pytest.raises(UserError, match="without padding, unknown or ending token") as caught:
        choose_padding(tokenizer({}))
    assert json.dumps("<pad>") in str(caught.value.fix)
