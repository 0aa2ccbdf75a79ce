"""Whether a model says the same of a prompt that is padded: not assumed, but tried."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from supertune.generate.settings import GenerationSettings
from supertune.generate.stopping import Stops

if TYPE_CHECKING:
    import torch

    from supertune.generate.starting import Writer

_CLOSE = 1e-4
"""Difference of two tokens' scores, as a share of the spread of all, that is rounding in 32 bits."""
_CLOSE_IN_HALF = 0.05
"""The same in 16 bits."""
_PADDING = 24
_STEPS = 2
"""The first token is written after padding, the second also after a cache that holds some."""


def padding_changes_texts(writer: Writer, prompts: Sequence[Sequence[int]]) -> bool:
    """Whether the shortest prompt gets other scores beside a longer one than alone.

    Models that keep what they have read in one state, or count positions from the first token whatever it is, cannot
    tell padding from text. Two steps of two rows show it.
    """
    import torch

    shortest, longest = min(prompts, key=len), max(prompts, key=len)
    if len(shortest) == len(longest):
        return False
    beside = longest[-min(len(longest), len(shortest) + _PADDING) :]
    alone, padded = (_scores(writer, rows) for rows in ([shortest], [shortest, beside]))
    close = _CLOSE if writer.body.dtype == torch.float32 else _CLOSE_IN_HALF
    for (one, first), (other, second) in zip(alone, padded, strict=True):
        spread = float(one.max() - one.min())
        if float((one - other).abs().max()) > close * max(spread, 1e-9):
            return True
        if first != second:
            # Two tokens as likely as each other: what follows is another text.
            break
    return False


def _scores(writer: Writer, prompts: Sequence[Sequence[int]]) -> list[tuple[torch.Tensor, int]]:
    """The first row's scores and its token, of each of two steps."""
    from supertune.generate.decoding import Decoding

    seen: list[torch.Tensor] = []

    def see(_: object, __: object, outputs: Any) -> None:
        seen.append(outputs.logits[0, -1].float())

    settings = GenerationSettings(max_new_tokens=_STEPS, stop_ids=())
    hook = writer.body.register_forward_hook(see)
    try:
        decoding = Decoding(writer, prompts, Stops(frozenset(), (), lambda _: ""), settings, (0,), lambda _: None)
        decoding.advance(_STEPS)
    finally:
        hook.remove()
    return list(zip(seen, decoding.written[0][0], strict=True))
