"""A decoder and two encoder-decoders of a few hundred kilobytes, and rows of every kind of text that they learn."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

SPECIAL = ("<pad>", "<bos>", "<eos>")
VOCABULARY = 400
_TALK = ("the film is good", "my parcel is late", "一部 很好 的 电影", "包裹 迟到 了", "tea or coffee")
_PAIRS = (
    *(
        ("good", "好"),
        ("bad", "坏"),
        ("film", "电影"),
        ("parcel", "包裹"),
        ("late", "迟"),
        ("tea", "茶"),
        ("day", "天"),
    ),
    *(("cat", "猫"), ("dog", "狗"), ("rain", "雨")),
)
TINY: dict[str, Any] = {
    "model.max_length": 128,
    "train.precision": "fp32",
    "train.attention": "sdpa",
    "train.threads": 1,
    "train.batch_size": 8,
    "train.learning_rate": 0.003,
    "train.weight_decay": 0.0,
    "train.checkpoint_every": 0,
    "evaluate.resamples": 1000,
}
"""Settings with which it learns quickly and exactly."""


def sentences(count: int) -> list[tuple[str, str]]:
    """English of two words and its Chinese, each different."""
    found = [(f"{a} {b}", f"{x}{y}") for a, x in _PAIRS for b, y in _PAIRS if a != b]
    return found[:count]


def face_rows(face: str, count: int = 50) -> list[dict[str, Any]]:
    """Rows of a task that writes, of which every answer follows from what is asked."""
    pairs = sentences(count)
    if face == "chat":
        return [
            {"messages": [{"role": "user", "content": asked}, {"role": "assistant", "content": answer}]}
            for asked, answer in pairs
        ]
    if face == "translation":
        return [{"en": asked, "zh": answer} for asked, answer in pairs]
    if face == "summarization":
        return [{"document": f"{asked}. {_TALK[i % 5]}.", "summary": answer} for i, (asked, answer) in enumerate(pairs)]
    if face == "generative-qa":
        return [
            {"context": f"{asked}: {answer}.", "question": f"{asked}?", "answer": answer} for asked, answer in pairs
        ]
    assert face == "text"
    return [{"text": f"{asked} = {answer}"} for asked, answer in pairs]


@functools.cache
def _tokenizer_file(around: str = "<bos> $A") -> str:
    """One that cuts into bytes and what occurs often, trained on the words of all rows.

    Args:
        around: What it puts around texts, as post-processors write it.
    """
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY, special_tokens=list(SPECIAL), initial_alphabet=pre_tokenizers.ByteLevel.alphabet()
    )
    words = [*_TALK, *("### User:\n ### Assistant:\n Translate the following text into Chinese.\n" for _ in range(3))]
    tokenizer.train_from_iterator([*words, *(f"{en} {zh}" for en, zh in sentences(90))], trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single=around, special_tokens=[(token, index) for index, token in enumerate(SPECIAL)]
    )
    return str(tokenizer.to_str())


def write_tiny_decoder(folder: Path, *, template: str | None = None, seed: int = 0, **changes: Any) -> Path:
    """A model folder that plain transformers opens as `AutoModelForCausalLM`.

    Args:
        folder: Where to.
        template: Its chat template; None for a model that was only pre-trained.
        seed: Of its weights.
        changes: Of its configuration.
    """
    import torch
    from tokenizers import Tokenizer
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    from supertune.strategies.own_weights import quiet_saving

    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer.from_str(_tokenizer_file()),
        pad_token="<pad>",
        bos_token="<bos>",
        eos_token="<eos>",
        chat_template=template,
    )
    config = LlamaConfig(
        **{
            "vocab_size": len(tokenizer),
            "hidden_size": 64,
            "intermediate_size": 128,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "max_position_embeddings": 512,
            "pad_token_id": 0,
            "bos_token_id": 1,
            "eos_token_id": 2,
            "tie_word_embeddings": True,
            # Wide enough that what is frozen is no hindrance: nothing was pre-trained here.
            "initializer_range": 0.2,
            **changes,
        }
    )
    torch.manual_seed(seed)
    with quiet_saving():
        LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def write_tiny_t5(folder: Path, *, template: str | None = None, seed: int = 0, **changes: Any) -> Path:
    """A T5 with gated feed-forward layers and tied embeddings, as `AutoModelForSeq2SeqLM` opens it.

    Args:
        folder: Where to.
        template: Its chat template.
        seed: Of its weights.
        changes: Of its configuration.
    """
    from transformers import T5Config, T5ForConditionalGeneration

    config = T5Config(
        **{
            **{"d_model": 64, "d_kv": 16, "d_ff": 128, "num_layers": 2, "num_heads": 4, "dropout_rate": 0.0},
            **{"feed_forward_proj": "gated-gelu", "tie_word_embeddings": True},
            **{"vocab_size": VOCABULARY, "pad_token_id": 0, "eos_token_id": 2, "decoder_start_token_id": 0},
            **changes,
        }
    )
    return _written(T5ForConditionalGeneration, config, folder, "$A <eos>", template, seed)


def write_tiny_bart(folder: Path, *, template: str | None = None, seed: int = 0, **changes: Any) -> Path:
    """A BART, as `AutoModelForSeq2SeqLM` opens it; see `write_tiny_t5`."""
    from transformers import BartConfig, BartForConditionalGeneration

    config = BartConfig(
        **{
            **{"d_model": 64, "encoder_layers": 2, "decoder_layers": 2, "encoder_ffn_dim": 128, "decoder_ffn_dim": 128},
            **{"encoder_attention_heads": 4, "decoder_attention_heads": 4, "dropout": 0.0, "init_std": 0.2},
            **{"vocab_size": VOCABULARY, "max_position_embeddings": 256, "forced_eos_token_id": None},
            **{"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "decoder_start_token_id": 2},
            **changes,
        }
    )
    return _written(BartForConditionalGeneration, config, folder, "<bos> $A <eos>", template, seed)


def _written(kind: Any, config: Any, folder: Path, around: str, template: str | None, seed: int) -> Path:
    import torch
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerFast

    from supertune.strategies.own_weights import quiet_saving

    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer.from_str(_tokenizer_file(around)),
        pad_token="<pad>",
        bos_token="<bos>",
        eos_token="<eos>",
        chat_template=template,
    )
    assert len(tokenizer) == VOCABULARY
    torch.manual_seed(seed)
    with quiet_saving():
        kind(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
