"""Batches of encoder–decoders: what is read and what is written stand behind each other until they are parted here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from supertune.errors import UserError
from supertune.tasks.before_head import model_of_texts

if TYPE_CHECKING:
    import torch

    Batch = Mapping[str, torch.Tensor]

WRITTEN = "written"
"""The token column that is 1 for what a decoder writes; batches of models that read and write in one have none."""


def parted(model: Any, batch: Batch) -> dict[str, torch.Tensor]:
    """What the model is called with: the decoder is given each token after the one before it.

    Args:
        model: Its configuration says with which token a decoder begins; adapters may be around it.
        batch: ``input_ids``, ``attention_mask`` and `WRITTEN`, int64 (items, tokens), padded on the right.

    Returns:
        ``input_ids`` and ``attention_mask`` int64 (items, longest read), ``decoder_input_ids`` int64 (items, longest
        written), each padded on the right to its own longest.

    Raises:
        UserError: It does not say so.
    """
    import torch

    ids, mask = batch["input_ids"], batch["attention_mask"].bool()
    padding, begin = _padding(model), decoder_start(model)
    writes = _writes(batch)
    reads = mask & ~writes
    read = reads[:, : int(reads.sum(1).max())]
    written = _filled(writes)
    targets = torch.full(written.shape, padding, dtype=ids.dtype, device=ids.device)
    targets[written] = ids[writes]
    return {
        "input_ids": ids[:, : read.shape[1]].masked_fill(~read, padding),
        "attention_mask": read.to(batch["attention_mask"].dtype),
        "decoder_input_ids": torch.cat([torch.full_like(ids[:, :1], begin), targets[:, :-1]], dim=1),
    }


def at_tokens(values: torch.Tensor, batch: Batch, there: torch.Tensor) -> torch.Tensor:
    """What a decoder gave out to write some tokens, (tokens, …).

    Args:
        values: At the decoder's positions, (items, longest written, …).
        batch: See `parted`.
        there: Bool (items, tokens): which tokens of the batch; none of what is read among them.
    """
    writes = _writes(batch)
    return values[_filled(writes)][there[writes]]


def second_half(batch: Batch) -> torch.Tensor:
    """`WRITTEN` of texts that nobody has parted: the second half of each."""
    mask = batch["attention_mask"]
    return (2 * mask.cumsum(1) > mask.sum(1, keepdim=True) + 1).to(mask.dtype) * mask


def _writes(batch: Batch) -> torch.Tensor:
    return batch["attention_mask"].bool() & batch[WRITTEN].bool()


def _filled(writes: torch.Tensor) -> torch.Tensor:
    """Bool (items, longest written): as many positions from the first on as each item writes tokens."""
    import torch

    counts = writes.sum(1, keepdim=True)
    return torch.arange(int(counts.max()), device=writes.device) < counts


def decoder_start(model: Any) -> int:
    """The token that a decoder is given to begin with, the same as when it writes.

    Raises:
        UserError: Nobody says which.
    """
    plain = model_of_texts(model)
    for config in (getattr(plain, "generation_config", None), plain.config):
        if getattr(config, "decoder_start_token_id", None) is not None:
            return int(config.decoder_start_token_id)  # type: ignore[union-attr]
    raise UserError(
        f"a model of type {plain.config.model_type!r} does not say with which token its decoder begins",
        where=plain.config.name_or_path or None,
        fix="set decoder_start_token_id in its config.json: the padding token for a T5, the language for an mBART",
    )


def _padding(model: Any) -> int:
    return int(getattr(model_of_texts(model).config, "pad_token_id", None) or 0)
