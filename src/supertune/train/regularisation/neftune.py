"""NEFTune: noise on the word embeddings, so that texts are not learned by heart word for word."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from supertune.contracts import SEAMS

if TYPE_CHECKING:
    import torch

    from supertune.train.learner import Batch

Answer = TypeVar("Answer")


def neftune(
    objective: Callable[[torch.nn.Module, Batch], Answer], alpha: float
) -> Callable[[torch.nn.Module, Batch], Answer]:
    """The objective with noise on the word embeddings while training; in evaluation mode it is as it was.

    Every number of a text's embeddings moves by α / √(L d) times a draw from (-1, 1), all equally likely: L are the
    text's tokens, without padding, and d is the width. Draws come from torch's generator, anew at every pass.

    Args:
        objective: (model, batch) → anything; it calls the model.
        alpha: α; the paper tries 5, 10 and 15.

    Source: Jain et al. 2023, "NEFTune: noisy embeddings improve instruction finetuning", algorithm 1.
    """
    if not alpha:
        return objective

    def noisy(model: torch.nn.Module, batch: Batch) -> Answer:
        if not model.training:
            return objective(model, batch)
        scale = alpha / _lengths(batch).sqrt()[..., None]

        def move(module: torch.nn.Module, given: object, embedded: torch.Tensor) -> torch.Tensor:
            import torch

            noise = torch.empty_like(embedded).uniform_(-1, 1)
            moved: torch.Tensor = embedded + noise * (scale / embedded.shape[-1] ** 0.5).to(embedded.dtype)
            return moved

        embeddings = model.get_input_embeddings()  # type: ignore[operator]
        hook = embeddings.register_forward_hook(move)
        try:
            return objective(model, batch)
        finally:
            hook.remove()

    return noisy


def _lengths(batch: Batch) -> torch.Tensor:
    """Float (items or 1, tokens or 1): the tokens of the text that each belongs to."""
    if SEAMS not in batch:
        return batch["attention_mask"].sum(dim=1, keepdim=True).float()
    lengths = batch[SEAMS].diff()
    return lengths.repeat_interleave(lengths)[None].float()
