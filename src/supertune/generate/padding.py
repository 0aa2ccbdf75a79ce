"""Whether a model says the same of a prompt that is padded, and of one it has begun to read: not assumed, but tried."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from supertune.generate.reading import Read
from supertune.generate.settings import GenerationSettings
from supertune.generate.stopping import Stops

if TYPE_CHECKING:
    import torch

    from supertune.generate.starting import Writer

    Scored = tuple[torch.Tensor, int]

_CLOSE = 1e-4
"""Difference of two tokens' scores, as a share of the spread of all, that is rounding in 32 bits."""
_CLOSE_IN_HALF = 0.05
"""The same in 16 bits."""
_PADDING = 24
_STEPS = 2
"""The first token is written after padding, the second also after a cache that holds some."""


@dataclass(frozen=True)
class Found:
    """What can be done to prompts without changing what is written behind them.

    Attributes:
        equal: Those of a batch must be of one length.
        read: What they begin with need not be read again.
    """

    equal: bool
    read: Read | None


def tried(writer: Writer, prompts: Sequence[Sequence[int]], read: Read | None = None) -> Found:
    """Whether the shortest prompt gets the same scores beside a longer one, behind what was read, as alone.

    Models that keep what they have read in one state, or count positions from the first token whatever it is, cannot
    tell padding from text. Two steps of two rows show it.

    Args:
        writer: The model.
        prompts: Token ids of each.
        read: What they all begin with.
    """
    shortest, longest = min(prompts, key=len), max(prompts, key=len)
    if len(shortest) == len(longest):
        return Found(equal=False, read=read)
    shared = len(read.ids) if read else 0
    rest = longest[shared:]
    beside = [*longest[:shared], *rest[-min(len(rest), len(shortest) - shared + _PADDING) :]]
    alone, two = _scores(writer, [shortest]), [shortest, beside]
    together = read is not None and _alike(writer, alone, _scores(writer, two, read))
    # A prefix stands before the padding, where windows see less of it: only tokens that are read again tell.
    if together and not writer.fixed:
        return Found(equal=False, read=read)
    if _alike(writer, alone, _scores(writer, two)):
        return Found(equal=False, read=read if together else None)
    begun = read is not None and _alike(writer, alone, _scores(writer, [shortest], read))
    return Found(equal=True, read=read if begun else None)


def _alike(writer: Writer, some: Sequence[Scored], others: Sequence[Scored]) -> bool:
    import torch

    close = _CLOSE if writer.body.dtype == torch.float32 else _CLOSE_IN_HALF
    for (one, first), (other, second) in zip(some, others, strict=True):
        spread = float(one.max() - one.min())
        if float((one - other).abs().max()) > close * max(spread, 1e-9):
            return False
        if first != second:
            # Two tokens as likely as each other: what follows is another text.
            break
    return True


def _scores(writer: Writer, prompts: Sequence[Sequence[int]], read: Read | None = None) -> list[Scored]:
    """The first row's scores and its token, of each of two steps."""
    from supertune.generate.decoding import Decoding

    seen: list[torch.Tensor] = []

    def see(_: object, __: object, outputs: Any) -> None:
        seen.append(outputs.logits[0, -1].float())

    settings = GenerationSettings(max_new_tokens=_STEPS, stop_ids=())
    hook = writer.body.register_forward_hook(see)
    try:
        stops = Stops(frozenset(), (), lambda _: "")
        decoding = Decoding(writer, prompts, stops, settings, (0,), lambda _: None, read)
        decoding.advance(_STEPS)
    finally:
        hook.remove()
    return list(zip(seen, decoding.written[0][0], strict=True))
