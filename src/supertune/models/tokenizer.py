"""Tokenizers that cut and pad only when told to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from supertune.errors import UserError
from supertune.files import read_json
from supertune.models.loading import quiet_loading
from supertune.models.source import ModelSource

if TYPE_CHECKING:
    from pathlib import Path

    from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast

_TYPES = "token_type_ids"
_PADDING = ("<pad>", "[PAD]", "<|pad|>", "<PAD>", "<|padding|>", "<|finetune_right_pad_id|>", "<｜▁pad▁｜>")
USUAL_MAX_LENGTH = 256
"""Tokens per text unless asked for otherwise: long enough for most messages, and quick on a processor."""
USUAL_WRITTEN_LENGTH = 1024
"""The same for what is asked and what is written together: what is cut of an answer would never be learned."""

# What the constructor remembers of the file's own cutting and padding, and of how it was opened.
_LEFT_OVER = (
    "max_length",
    "stride",
    "truncation_strategy",
    "pad_to_multiple_of",
    "is_local",
    "local_files_only",
    "trust_remote_code",
)


def default_max_length(source: ModelSource, usual: int = USUAL_MAX_LENGTH) -> int:
    """Tokens per text that suit most data, or fewer where the model cannot take as many."""
    return min(usual, source.max_positions)


def load_tokenizer(source: ModelSource, *, max_length: int) -> PreTrainedTokenizerFast:
    """The model's tokenizer, with nothing left of the cutting and padding that its file may ask for.

    Some published files cut and pad to 128 tokens on their own. Here the raw tokenizer does neither, and
    ``model_max_length`` is ``max_length``, which a saved copy keeps.

    Args:
        source: From `supertune.models.resolve`.
        max_length: Tokens per text that the model is trained with, special tokens included.

    Raises:
        UserError: The model cannot take so many tokens, or its tokenizer is missing, damaged, or of the slow kind.
    """
    from transformers import AutoTokenizer, PreTrainedTokenizerFast

    if max_length > source.max_positions:
        raise UserError(
            f"{max_length} tokens are more than the model {source.name!r} can take ({source.max_positions})",
            where="model.max_length",
            fix=f"set it to at most {source.max_positions}",
        )
    fix = "get the tokenizer's files again, tokenizer.json among them"
    try:
        with quiet_loading(source):
            tokenizer = AutoTokenizer.from_pretrained(
                str(source.folder), local_files_only=True, trust_remote_code=source.trust_remote_code
            )
    # The tokenizers library raises bare Exception for a file it cannot read.
    except Exception as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise UserError(
            f"has a tokenizer that cannot be opened ({reason})", where=str(source.folder), fix=fix
        ) from error
    if not isinstance(tokenizer, PreTrainedTokenizerFast):
        raise UserError("has a tokenizer without character positions", where=str(source.folder), fix=fix)
    _settle(tokenizer)
    _settle_types(tokenizer, source.folder)
    tokenizer.model_max_length = max_length
    for key in _LEFT_OVER:
        tokenizer.init_kwargs.pop(key, None)
    # Texts that are too long are counted and reported by the checks, for all rows and not only the first.
    tokenizer.deprecation_warnings["sequence-length-is-longer-than-the-specified-maximum"] = True
    return tokenizer


def choose_padding(tokenizer: PreTrainedTokenizerBase) -> str | None:
    """Give a tokenizer without a padding token one that its vocabulary has, in place; decoders often have none.

    A token that is called so, else one that is kept in reserve, else the unknown, else the one that ends texts. Whoever
    makes batches tells padding by its place, never by this token: with the last choice, texts end with it.

    Returns:
        The token chosen; None where there was one.

    Raises:
        UserError: The vocabulary has no special token at all.
    """
    if tokenizer.pad_token_id is not None:
        return None
    vocabulary = tokenizer.get_vocab()
    special = sorted((index, token) for token, index in _special(tokenizer).items())
    named = [token for token in _PADDING if token in vocabulary]
    named += [token for _, token in special if "pad" in token.lower().split("_") or "_pad" in token.lower()]
    reserved = [token for _, token in special if "reserved" in token or "unused" in token]
    last = [token for token in (tokenizer.unk_token, tokenizer.eos_token) if token in vocabulary]
    chosen = next(iter([*named, *reserved, *last]), None)
    if chosen is None:
        raise UserError(
            "has a tokenizer without padding, unknown or ending token, so texts of different lengths cannot be batched",
            where=tokenizer.name_or_path or None,
            fix='name one in its tokenizer_config.json, e.g. "pad_token": "<pad>"',
        )
    tokenizer.pad_token = chosen
    return str(chosen)


def _special(tokenizer: PreTrainedTokenizerBase) -> dict[str, int]:
    added = tokenizer.added_tokens_decoder
    return {token.content: index for index, token in added.items() if token.special}


def _settle_types(tokenizer: PreTrainedTokenizerBase, folder: Path) -> None:
    """Keep the types of a pair's texts from a model that has an embedding for one alone.

    A folder without a model's configuration (an adapter's) has a tokenizer that was settled.
    """
    path = folder / "config.json"
    if not path.exists() or (read_json(path).get("type_vocab_size") or 0) > 1:
        return
    names = [name for name in tokenizer.model_input_names if name != _TYPES]
    if len(names) < len(tokenizer.model_input_names):
        tokenizer.model_input_names = names
        tokenizer.init_kwargs["model_input_names"] = names


def save_tokenizer(tokenizer: PreTrainedTokenizerBase, folder: Path) -> None:
    """Write a tokenizer so that what opens it again neither cuts nor pads unless told to.

    Every call with ``truncation`` or ``padding`` leaves both switched on in the raw tokenizer, and plain
    ``save_pretrained`` would write that into ``tokenizer.json``.
    """
    _settle(tokenizer)
    tokenizer.save_pretrained(str(folder))


def _settle(tokenizer: PreTrainedTokenizerBase) -> None:
    tokenizer.backend_tokenizer.no_truncation()
    tokenizer.backend_tokenizer.no_padding()
