"""Models of a few thousand weights that write: of the usual architectures, and one whose words are known beforehand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import transformers

# 0 pads and stops, 1 begins, 2 is free; then come the bytes.
STOP, BEGIN, FIRST = 0, 1, 3
VOCABULARY = FIRST + 256

SMALL = {
    "vocab_size": VOCABULARY,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "intermediate_size": 48,
    "max_position_embeddings": 160,
    "initializer_range": 0.3,
    "bos_token_id": BEGIN,
    "eos_token_id": STOP,
    "pad_token_id": STOP,
}
GEMMA = SMALL | {"head_dim": 8, "sliding_window": 16, "layer_types": ["sliding_attention", "full_attention"]}
GPT2 = {"vocab_size": VOCABULARY, "n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 160, "initializer_range": 0.3}
GPT2 |= {"bos_token_id": BEGIN, "eos_token_id": STOP}
T5 = {"vocab_size": VOCABULARY, "d_model": 32, "num_layers": 2, "num_heads": 4, "d_kv": 8, "d_ff": 48}
T5 |= {"decoder_start_token_id": STOP, "eos_token_id": STOP, "pad_token_id": STOP, "initializer_factor": 2.0}
BART = {"vocab_size": VOCABULARY, "d_model": 32, "encoder_layers": 2, "decoder_layers": 2, "init_std": 0.3}
BART |= {"encoder_attention_heads": 4, "decoder_attention_heads": 4, "encoder_ffn_dim": 48, "decoder_ffn_dim": 48}
BART |= {"max_position_embeddings": 160, "decoder_start_token_id": BEGIN, "eos_token_id": STOP, "pad_token_id": STOP}

WRITERS: dict[str, tuple[str, dict[str, Any]]] = {
    "llama": ("LlamaForCausalLM", SMALL),
    "gemma": ("Gemma3ForCausalLM", GEMMA),
    "gpt2": ("GPT2LMHeadModel", GPT2),
    "qwen": ("Qwen3ForCausalLM", SMALL | {"head_dim": 8}),
    "t5": ("T5ForConditionalGeneration", T5),
    "bart": ("BartForConditionalGeneration", BART | {"bos_token_id": BEGIN, "forced_eos_token_id": None}),
}

PROMPTS = (
    "a",
    "Summarise: the quick brown fox jumps over the lazy dog, and then it does so again and again and again.",
    "你好",
    "请把下面的句子翻译成英文：猫坐在垫子上。",
    "😀👍🏽",
    "Q: 1 + 1?\nA:",
    "ein längerer Satz, mit Umlauten",
)


def writer(name: str, **changes: Any) -> Any:
    """A model with random weights, the same every time; ``changes`` are to its configuration."""
    class_name, settings = WRITERS[name]
    settings = settings | changes
    model_class = getattr(transformers, class_name)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return model_class(model_class.config_class(**settings)).eval()


def encode(text: str) -> list[int]:
    """The bytes of a text after the token that begins it."""
    return [BEGIN, *(FIRST + byte for byte in text.encode())]


def decode(ids: Sequence[int]) -> str:
    """Bytes as text, without the others."""
    return bytes(token - FIRST for token in ids if token >= FIRST).decode("utf-8", "replace")


class Script:
    """A model that always writes what stands next in a script, one piece after another.

    Llama with layers that add nothing: the last token alone decides, and says its successor.

    Args:
        pieces: What each token stands for; they need not be whole characters.
    """

    def __init__(self, pieces: Sequence[bytes]) -> None:
        self.pieces = list(pieces)
        size = len(self.pieces)
        config = transformers.LlamaConfig(
            vocab_size=size,
            hidden_size=2 * size,
            num_hidden_layers=1,
            num_attention_heads=1,
            num_key_value_heads=1,
            head_dim=8,
            intermediate_size=8,
            tie_word_embeddings=False,
            bos_token_id=None,
            eos_token_id=None,
            pad_token_id=0,
        )
        self.model = transformers.LlamaForCausalLM(config).eval()
        with torch.no_grad():
            for parameter in self.model.model.layers.parameters():
                parameter.zero_()
            embedding, head = self.model.get_input_embeddings().weight, self.model.lm_head.weight
            embedding.zero_()
            head.zero_()
            for token in range(size):
                embedding[token, token] = 1
                head[(token + 1) % size, token] = 1

    def decode(self, ids: Sequence[int]) -> str:
        return b"".join(self.pieces[token] for token in ids).decode("utf-8", "replace")


def cut_up(text: str, size: int) -> list[bytes]:
    """A text in pieces of so many bytes, whatever the characters."""
    whole = text.encode()
    return [whole[start : start + size] for start in range(0, len(whole), size)]
