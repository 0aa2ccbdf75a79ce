"""GGUF files of a few kilobytes, written by the gguf package from models of random weights."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest

needs_gguf = pytest.mark.skipif(importlib.util.find_spec("gguf") is None, reason="needs the package gguf")

SPECIAL = ("<pad>", "<bos>", "<eos>")
WORDS = ("he", "ll", "hell", "hello", "Ġw", "or", "Ġwor", "Ġworld".replace("world", "worl"), "ä½", "ä½ł", "å¥", "å¥½")
MERGES = ("h e", "l l", "he ll", "hell o", "Ġ w", "o r", "Ġw or", "Ġwor l", "ä ½", "ä½ ł", "å ¥", "å¥ ½")
STATE = {
    "token_embd": "model.embed_tokens",
    "output_norm": "model.norm",
    "output": "lm_head",
    "attn_norm": "input_layernorm",
    "ffn_norm": "post_attention_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
"""Names by llama.cpp → by transformers, of Llama and Qwen2."""


def tokens() -> list[str]:
    """A byte-level vocabulary: special tokens, all bytes, and a few merges."""
    from transformers.convert_slow_tokenizer import bytes_to_unicode

    return [*SPECIAL, *bytes_to_unicode().values(), *WORDS]


def decoder(kind: str, *, tied: bool = True, **changes: Any) -> Any:
    """A decoder of 2 layers × 64 with random weights; ``kind`` is ``qwen2`` or ``llama``."""
    import torch
    import transformers

    classes = {
        "qwen2": (transformers.Qwen2Config, transformers.Qwen2ForCausalLM),
        "llama": (transformers.LlamaConfig, transformers.LlamaForCausalLM),
    }
    config_class, model_class = classes[kind]
    settings = {
        "vocab_size": len(tokens()) + 5,
        "hidden_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "intermediate_size": 96,
        "max_position_embeddings": 128,
        "tie_word_embeddings": tied,
        "pad_token_id": 0,
        "bos_token_id": 1,
        "eos_token_id": 2,
    }
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = model_class(config_class(**settings | changes))
        with torch.no_grad():
            for parameter in model.parameters():
                parameter += 0.05 * torch.randn(parameter.shape)
    return model.eval()


def write_gguf(
    path: Path, model: Any, kind: str, *, packed: str = "", more: dict[str, Any] | None = None, splits: int = 0
) -> Path:
    """Write ``model`` as llama.cpp's converter would.

    Args:
        path: The file, or of splits the name before ``-00001-of-…``.
        model: From `decoder`.
        kind: Its architecture.
        packed: Form of the matrices, e.g. ``Q8_0``; 32 bits if empty.
        more: Tensors beside the model's.
        splits: Most tensors in a file.
    """
    from gguf import GGMLQuantizationType, GGUFWriter, quantize

    writer = GGUFWriter(path, kind, split_max_tensors=splits)
    config = model.config
    writer.add_name("tiny")
    writer.add_license("MIT")
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    writer.add_rope_dimension_count(config.hidden_size // config.num_attention_heads)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(tokens())
    writer.add_token_merges(list(MERGES))
    writer.add_token_types([3] * len(SPECIAL) + [1] * (len(tokens()) - len(SPECIAL)))
    writer.add_pad_token_id(0)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_chat_template("{% for message in messages %}{{ message.content }}<eos>{% endfor %}")
    for name, values in {**_tensors(model, kind), **(more or {})}.items():
        if packed and values.ndim > 1:
            form = GGMLQuantizationType[packed]
            writer.add_tensor(name, quantize(values, form), raw_dtype=form)
        else:
            writer.add_tensor(name, values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _tensors(model: Any, kind: str) -> dict[str, Any]:
    found = {}
    names = {long: short for short, long in STATE.items()}
    for name, parameter in model.named_parameters():
        stem, _, end = name.rpartition(".")
        short = names.get(stem) or "blk." + stem.split(".")[2] + "." + names[".".join(stem.split(".")[3:])]
        values = parameter.detach().numpy().copy()
        if kind == "llama" and short.endswith(("attn_q", "attn_k")):
            heads = model.config.num_attention_heads if short.endswith("q") else model.config.num_key_value_heads
            # llama.cpp turns neighbouring numbers together, transformers those half a head apart.
            halves = values.reshape(heads, 2, values.shape[0] // heads // 2, *values.shape[1:])
            values = halves.swapaxes(1, 2).reshape(values.shape)
        found[f"{short}.{end}"] = np.ascontiguousarray(values)
    return found
