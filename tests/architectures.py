"""Models of a few thousand weights, of the architectures that people fine-tune, all of 3 layers."""

from __future__ import annotations

from typing import Any

import torch
import transformers

BERT = {
    "vocab_size": 40,
    "hidden_size": 16,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "intermediate_size": 16,
}
SPECIAL = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "cls_token_id": 1, "sep_token_id": 2}
BART = {"vocab_size": 40, "d_model": 16, "encoder_layers": 3, "decoder_layers": 2, "pad_token_id": 1}
BART |= {"encoder_attention_heads": 2, "decoder_attention_heads": 2, "encoder_ffn_dim": 16, "decoder_ffn_dim": 16}
T5 = {"vocab_size": 40, "d_model": 16, "num_layers": 3, "num_heads": 2, "d_kv": 8, "d_ff": 16}
EXPERTS = BERT | {"num_key_value_heads": 1, "num_local_experts": 5, "pad_token_id": 0}
DEBERTA = BERT | {"relative_attention": True, "pos_att_type": ["p2c", "c2p"], "position_buckets": 8}

MODELS: dict[str, tuple[str, dict[str, Any]]] = {
    "bert": ("BertForSequenceClassification", BERT),
    "bert-alone": ("BertModel", BERT),
    "xlm-roberta": ("XLMRobertaForSequenceClassification", BERT),
    "distilbert": (
        "DistilBertForSequenceClassification",
        {"vocab_size": 40, "dim": 16, "n_layers": 3, "n_heads": 2, "hidden_dim": 16},
    ),
    "modernbert": ("ModernBertForSequenceClassification", BERT | SPECIAL),
    "deberta-v2": ("DebertaV2ForSequenceClassification", DEBERTA),
    "mpnet": ("MPNetForSequenceClassification", BERT),
    "electra": ("ElectraForSequenceClassification", BERT | {"embedding_size": 8}),
    "llama": ("LlamaForSequenceClassification", BERT | {"pad_token_id": 0}),
    "mixtral": ("MixtralForCausalLM", EXPERTS),
    "gemma": (
        "Gemma3ForCausalLM",
        BERT | {"num_key_value_heads": 1, "head_dim": 8, "pad_token_id": 0},
    ),
    "gpt2": (
        "GPT2ForSequenceClassification",
        {"vocab_size": 40, "n_embd": 16, "n_layer": 3, "n_head": 2, "bos_token_id": 1, "eos_token_id": 2},
    ),
    "t5": ("T5ForConditionalGeneration", T5 | {"num_decoder_layers": 2}),
    "bart": ("BartForSequenceClassification", BART | {"eos_token_id": 2}),
    "xlm": ("XLMForSequenceClassification", {"vocab_size": 40, "emb_dim": 16, "n_layers": 3, "n_heads": 2}),
    "xlnet": ("XLNetForSequenceClassification", {"vocab_size": 40, "d_model": 16, "n_layer": 3, "n_head": 2}),
}

LABELS = 3


def build(name: str, **changes: Any) -> Any:
    """Random weights, the same every time; ``changes`` are to its configuration."""
    class_name, settings = MODELS[name]
    model_class = getattr(transformers, class_name)
    torch.manual_seed(0)
    return model_class(model_class.config_class(**{**settings, **changes}))


def classifier(name: str) -> Any:
    """The same in evaluation mode with 3 labels, and feed-forward layers wider than the model."""
    widths = ("intermediate_size", "hidden_dim", "encoder_ffn_dim", "decoder_ffn_dim", "d_ff")
    wide = {width: 24 for width in widths if width in MODELS[name][1]}
    return build(name, **wide, num_labels=LABELS, pad_token_id=0).eval()


def moved(model: Any) -> Any:
    """What training might have made of it: every learning weight somewhere else."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter += 0.2 * torch.randn(parameter.shape, generator=generator)
    return model
