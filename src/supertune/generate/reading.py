"""What a model has read already, so that it need not read it again."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    import torch
    from transformers import Cache

    Layer = tuple[torch.Tensor, torch.Tensor] | None

_PLAIN = ("full_attention", "sliding_attention", "chunked_attention")
"""Layers that keep keys and values of every token, each by itself."""
_OF_ALL = ("dynamic", "longrope")
"""Rotations of positions that depend on how long the whole text is (Phi-3): nothing read before it holds."""


@dataclass(frozen=True)
class Read:
    """The beginning of texts, as the layers of a model keep it.

    Attributes:
        ids: Its tokens, at least one, but for those of an adapter that are no words.
        extra: Tokens of an adapter, which stand before.
        fixed: How many of these stand before any padding as well.
        layers: Of each layer the keys and values, float (1, heads, extra + tokens, size) each; None of layers that keep
            nothing of their own.
        config: Of the model that reads.
    """

    ids: tuple[int, ...]
    extra: int
    fixed: int
    layers: tuple[Layer, ...]
    config: Any

    def cut(self, tokens: int) -> Read:
        """The first tokens of it."""
        slots = self.extra + tokens
        layers = tuple(layer and (layer[0][:, :, :slots], layer[1][:, :, :slots]) for layer in self.layers)
        return replace(self, ids=self.ids[:tokens], layers=layers)

    def cache(self, paddings: Sequence[int], *, recording: bool = False) -> Cache:
        """A cache of rows that begin with it, each behind its padding.

        All rows are as far: of those with padding the last tokens are left to be read again. So a batch is what it
        would be without, slot for slot, and windows over the last tokens see the same.

        Args:
            paddings: Slots before the text of each row.
            recording: See `empty_cache`.
        """
        import torch

        found = empty_cache(self.config, recording=recording)
        slots = torch.arange(self.extra + len(self.ids))
        # What stands in padding is never looked at.
        taken = torch.where(slots < self.fixed, slots, (slots - torch.tensor(paddings)[:, None]).clamp(min=0))
        for number, layer in enumerate(self.layers):
            if layer is not None:
                chosen = taken.to(layer[0].device)
                keys, values = (part[0][:, chosen].transpose(0, 1) for part in layer)
                found.update(keys, values, number)
        return found


def empty_cache(config: Any, *, recording: bool = False) -> Cache:
    """What transformers itself begins with.

    Args:
        config: Of the model.
        recording: Keep all tokens even of layers that need the last ones alone: what follows may not go on from there.
    """
    from transformers import DynamicCache

    found: Any = DynamicCache(config=config)
    if recording:
        found.activate_past_recording()
    return cast("Cache", found)


def read_from(cache: Any, ids: Sequence[int], extra: int, fixed: int, config: Any) -> Read | None:
    """What a cache of one row without padding has of some tokens; None where a layer has lost some of them.

    Args:
        cache: It, which may hold more behind them.
        ids: The tokens.
        extra: See `Read`.
        fixed: See `Read`.
        config: Of the model.
    """
    slots = extra + len(ids)
    layers: list[Layer] = []
    for layer in cache.layers:
        if layer.keys is None:
            layers.append(None)
        elif min(layer.keys.shape[2], layer.values.shape[2]) < slots:
            return None
        else:
            layers.append((layer.keys[:, :, :slots], layer.values[:, :, :slots]))
    return Read(tuple(ids), extra, fixed, tuple(layers), config)


def keeps_every_token(body: Any) -> bool:
    """Whether what a model has read of a token depends on nothing that stands behind, and can be told from the others.

    Not so of models that read both ways, that keep one state of everything (Mamba), or whose positions depend on how
    long the text becomes.
    """
    if body.config.is_encoder_decoder or "past_key_values" not in inspect.signature(type(body).forward).parameters:
        return False
    text: Any = body.config.get_text_config(decoder=True)
    rope: Any = getattr(text, "rope_parameters", None) or {}
    kinds = [str(one.get("rope_type")) for one in (rope, *rope.values()) if isinstance(one, dict)]
    return set(getattr(text, "layer_types", None) or ()) <= {*_PLAIN} and not any(
        known in kind for kind in kinds for known in _OF_ALL
    )


def common(one: Sequence[int], other: Sequence[int]) -> int:
    """How many tokens both begin with."""
    for place, (a, b) in enumerate(zip(one, other, strict=False)):
        if a != b:
            return place
    return min(len(one), len(other))


class Context:
    """What a model has read and written of a conversation: the next text goes on where it begins to differ.

    It holds keys and values of all tokens of the last text, on the model's device, and is of one model as it is: begin
    another when weights or adapters change.
    """

    def __init__(self) -> None:
        self._body: Any = None
        self._read: Read | None = None

    def known(self, body: Any, prompt: Sequence[int]) -> Read | None:
        """What of a prompt has been read; at least its last token has not."""
        if self._read is None or self._body is not body:
            return None
        tokens = min(common(self._read.ids, prompt), len(prompt) - 1)
        return self._read.cut(tokens) if tokens else None

    def keep(self, body: Any, read: Read | None) -> None:
        """From now on this is what was said."""
        if read is not None:
            self._body, self._read = body, read
