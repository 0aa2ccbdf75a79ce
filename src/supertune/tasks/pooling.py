"""One vector of a text from those of its tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def pooled(states: torch.Tensor, mask: torch.Tensor, how: str) -> torch.Tensor:
    """Float32 (items, width): the mean over a text's tokens, the first, or the last of them.

    Args:
        states: (items, tokens, width).
        mask: (items, tokens): 1 for a token of the text, 0 for padding on either side.
        how: ``mean``, ``cls`` or ``last``.
    """
    import torch

    states = states.float()
    if how == "mean":
        weights = mask.unsqueeze(-1).to(states.dtype)
        return (states * weights).sum(1) / weights.sum(1).clamp(min=1)
    rows = torch.arange(len(states), device=states.device)
    places = torch.arange(1, mask.shape[1] + 1, device=mask.device)
    # The first and the last real token, on whichever side the padding is.
    first, last = mask.argmax(1), (mask * places).argmax(1)
    return states[rows, first if how == "cls" else last]
