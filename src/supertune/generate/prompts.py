"""Which prompts are written on side by side: those of like length, as many as fit."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from supertune.contracts import IntArray
from supertune.errors import UserError
from supertune.generate.settings import GenerationSettings
from supertune.memory import available_bytes

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_SHARE = 0.5
"""Of the free memory that a batch may take: the estimate is not exact, and others need some too."""
_GROWTH = 1.5
"""A cache is copied, layer by layer, whenever it grows, or rows leave it."""


def fitted(
    prompts: Sequence[Any], model: PreTrainedModel, settings: GenerationSettings, extra: int
) -> tuple[list[list[int]], list[int]]:
    """The prompts as lists, cut where they leave no room for the answer, and how many tokens each has lost.

    A decoder's prompt loses its beginning, but not a token that begins all texts; an encoder's its end, but not the
    last token, which ends all texts.

    Args:
        prompts: Token ids of each.
        model: Whose window it is.
        settings: How long the answer may be, and whether prompts may be cut.
        extra: Tokens that are no words, which the model puts before each prompt.

    Raises:
        UserError: A prompt is empty, holds a token that the model does not have, or is too long; or there is no room
            for any.
    """
    embeddings: Any = model.get_input_embeddings()
    known = embeddings.weight.shape[0]
    encoder = bool(model.config.is_encoder_decoder)
    room = room_for(model, settings, extra)
    found, cut = [], []
    for row, prompt in enumerate(prompts):
        ids = np.asarray(prompt, dtype=np.int64).tolist()
        if not ids:
            raise UserError(
                f"prompt {row} has no tokens", fix="give it one at least, such as the one that begins texts"
            )
        if not 0 <= min(ids) <= max(ids) < known:
            wrong = next(token for token in ids if not 0 <= token < known)
            raise UserError(
                f"prompt {row} has the token {wrong}, and the model knows {known}", fix="use the model's own tokenizer"
            )
        lost = max(0, len(ids) - room) if room is not None else 0
        if lost and settings.too_long == "error":
            raise UserError(
                f"prompt {row} has {len(ids)} tokens, and {room} is most that leaves room for the answer",
                where="too_long",
                fix="shorten it, ask for fewer new tokens, or have prompts cut (too_long: cut)",
            )
        found.append(_cut(ids, lost, model, encoder=encoder) if lost else ids)
        cut.append(lost)
    return found, cut


def room_for(model: PreTrainedModel, settings: GenerationSettings, extra: int) -> int | None:
    """How many tokens a prompt may have; None where there is no limit.

    Args:
        model: Whose window it is.
        settings: How long the answer may be.
        extra: Tokens that are no words, which the model puts before each prompt.

    Raises:
        UserError: There is no room for any.
    """
    window: int | None = settings.window or getattr(model.config.get_text_config(), "max_position_embeddings", None)
    if window is None:
        return None
    room = window - (0 if model.config.is_encoder_decoder else settings.max_new_tokens) - extra
    if settings.max_new_tokens > window or room < 1:
        raise UserError(
            f"{settings.max_new_tokens} new tokens leave no room for a prompt: the model's window has {window}",
            where="max_new_tokens",
            fix=f"ask for fewer, such as {max(window // 2, 1)}",
        )
    return room


def _cut(ids: list[int], lost: int, model: PreTrainedModel, *, encoder: bool) -> list[int]:
    if encoder:
        return [*ids[: -lost - 1], ids[-1]]
    if ids[0] == model.config.get_text_config().bos_token_id and lost < len(ids) - 1:
        return [ids[0], *ids[lost + 1 :]]
    return ids[lost:]


def batches(lengths: IntArray, most_rows: int, most_tokens: float, new: int, *, equal: bool) -> list[IntArray]:
    """Rows that are written on together: the longest prompts first, so that what does not fit is found out at once.

    Args:
        lengths: int64 (rows,): tokens of each prompt.
        most_rows: Of one batch.
        most_tokens: Of one batch, padding and new tokens included; one row is always taken.
        new: Most new tokens of a row.
        equal: Whether the prompts of a batch must be of one length.
    """
    order = np.argsort(-lengths, kind="stable")
    found: list[list[int]] = []
    for row in order.tolist():
        batch = found[-1] if found else []
        longest = lengths[batch[0]] if batch else 0
        full = len(batch) >= most_rows or (len(batch) + 1) * (longest + new) > most_tokens
        if not batch or full or (equal and lengths[row] != longest):
            found.append([row])
        else:
            batch.append(row)
    return [np.array(batch, np.int64) for batch in found]


def most_tokens(model: PreTrainedModel, beams: int, longest: int, new: int, read: int = 0) -> float:
    """How many tokens of prompts and answers fit into the free memory side by side; infinite where nobody knows.

    Args:
        model: That writes.
        beams: Texts that are followed for each row.
        longest: Tokens of the longest prompt.
        new: Most new tokens of a row.
        read: Tokens of every prompt that have been read.
    """
    free = available_bytes(model.device)
    if free is None:
        return float("inf")
    row = row_bytes(model, longest, new, read) * beams
    return max(_SHARE * free / row, 1) * (longest + new)


def row_bytes(model: PreTrainedModel, prompt: int, new: int, read: int = 0) -> float:
    """Memory that one row takes: keys and values of all its tokens, and what reading the prompt takes for a moment.

    Args:
        model: That writes.
        prompt: Tokens of the prompt.
        new: Of the answer.
        read: Tokens of the prompt that have been read: each row has keys and values of its own of them all the same.
    """
    whole: Any = model.config
    text = whole.get_text_config()
    width = model.dtype.itemsize
    heads = text.num_attention_heads
    size = getattr(text, "head_dim", None) or text.hidden_size // heads
    if whole.is_encoder_decoder:
        # What the decoder has of the prompt is seen by all its layers, what it writes as well.
        layers = getattr(whole, "num_decoder_layers", None) or getattr(whole, "decoder_layers", None)
        layers = layers or text.num_hidden_layers
    else:
        layers = text.num_hidden_layers
    cache = 2 * layers * (getattr(text, "num_key_value_heads", None) or heads) * size * width * (prompt + new)
    # Of one layer at a time: hidden states and their copies, queries, keys, values, the two feed-forward halves.
    inner = getattr(text, "intermediate_size", None) or getattr(text, "d_ff", None) or 4 * text.hidden_size
    inner = inner if isinstance(inner, int) else max(inner)
    left = prompt - read
    reading = left * (6 * text.hidden_size + 3 * inner) * width
    if getattr(text, "_attn_implementation", None) == "eager":
        reading += 2 * heads * left * prompt * max(width, 4)
    # Scores of the last token, as the model has them, in 32 bits, and changed.
    last = 1 if "logits_to_keep" in inspect.signature(type(model).forward).parameters else left
    scores = text.vocab_size * ((last + 1) * width + 8)
    return float(_GROWTH * cache + reading + scores)
