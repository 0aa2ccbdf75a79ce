"""Losses that compare the items of a step with each other: one loss of all outputs, however little memory there is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from supertune.contracts import IntArray
from supertune.train.regularisation.fast_dropout import BITS

if TYPE_CHECKING:
    import torch

Batch = Mapping[str, "torch.Tensor"]

_WORTH_CUTTING = 0.9
"""Share of the padded tokens below which short and long items are computed apart."""


@dataclass(frozen=True)
class Coupled:
    """What is minimised, in two parts.

    Attributes:
        forward: (model, batch) → outputs (items, …).
        criterion: (outputs of all items, their targets) → (summed loss, supervised items).
    """

    forward: Callable[[torch.nn.Module, Batch], torch.Tensor]
    criterion: Callable[[torch.Tensor, Batch], tuple[torch.Tensor, torch.Tensor]]


def coupled_gradients(
    coupled: Coupled,
    model: torch.nn.Module,
    batches: Sequence[Batch],
    collect: Callable[[], None],
    *,
    cached: bool,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Add the gradients of the loss of all batches together; (summed loss without a graph, supervised items).

    Cached, a batch is computed twice: first without a graph, so that the loss and its gradient at the outputs can be
    had, and then again with the same dropout, to carry that gradient back. Memory is that of one batch, and the result
    the same. Source: Gao et al. 2021, "Scaling deep contrastive learning batch size under memory limited setup".

    Args:
        coupled: What is minimised.
        model: In training mode.
        batches: The step in pieces.
        collect: Called when gradients have come to the parameters.
        cached: Whether activations of one batch at a time are held.
    """
    import torch

    targets = {name: torch.cat([batch[name] for batch in batches]) for name in batches[0] if batches[0][name].ndim == 1}
    if not cached:
        loss, count = coupled.criterion(torch.cat([coupled.forward(model, batch) for batch in batches]), targets)
        loss.backward()  # type: ignore[no-untyped-call]
        collect()
        return loss.detach(), count
    states, first = [], []
    with torch.no_grad():
        for batch in batches:
            states.append(_randomness())
            first.append(coupled.forward(model, batch))
    outputs = torch.cat(first).detach().requires_grad_()
    loss, count = coupled.criterion(outputs, targets)
    loss.backward()  # type: ignore[no-untyped-call]
    assert outputs.grad is not None
    parts = torch.split(outputs.grad, [len(part) for part in first])
    for batch, state, gradient in zip(batches, states, parts, strict=True):
        _repeat(state)
        coupled.forward(model, batch).backward(gradient)  # type: ignore[no-untyped-call]
        collect()
    return loss.detach(), count


def even_pieces(items: IntArray, lengths: IntArray, pieces: int) -> list[IntArray]:
    """The items, the shortest first, cut so that little is padded: short ones apart from long ones where that pays.

    Args:
        items: The items of a step.
        lengths: Their tokens, ascending.
        pieces: Into how many pieces each part is cut then.
    """
    counts = np.arange(1, len(items) + 1)
    # Padded tokens with the first so many items by themselves.
    padded = counts * lengths + (len(items) - counts) * lengths[-1]
    cut = int(padded.argmin()) + 1
    parts = [items]
    if cut < len(items) and padded[cut - 1] < _WORTH_CUTTING * padded[-1]:
        parts = [items[:cut], items[cut:]]
    return [piece for part in parts for piece in np.array_split(part, min(pieces, len(part)))]


def _randomness() -> tuple[Any, ...]:
    """Where every stream is that dropout may draw from."""
    import torch

    devices = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
    return torch.get_rng_state(), devices, BITS.state_dict()


def _repeat(state: tuple[Any, ...]) -> None:
    import torch

    processor, devices, bits = state
    torch.set_rng_state(processor)
    if devices:
        torch.cuda.set_rng_state_all(devices)
    BITS.load_state_dict(bits)
