"""Losses of similarities between queries and passages."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

    RankingLoss = Callable[[torch.Tensor, torch.Tensor], tuple[torch.Tensor, torch.Tensor]]


def in_batch_negatives(similarities: torch.Tensor, relevance: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Every query picks what it asks for out of all passages of the batch: (summed loss, pairs), in 32 bits.

    Of each pair (q, p) that belongs together −ln exp(s_qp) / (exp(s_qp) + Σ exp(s_qn)), n being the passages that q is
    not known to ask for: others that it asks for as well are left out, and never pushed away. Sources: Henderson et
    al. 2017, "Efficient natural language response suggestion for Smart Reply", section 4.4; van den Oord et al. 2018
    (InfoNCE).

    Args:
        similarities: Float (queries, passages), already divided by the temperature.
        relevance: (queries, passages): above 0 where they belong together.
    """
    import torch

    similarities = similarities.float()
    together = relevance > 0
    if not together.any():
        return similarities.sum() * 0, together.sum()
    # Not minus infinity, of which the difference to itself is not a number.
    others = similarities.masked_fill(together, torch.finfo(similarities.dtype).min).logsumexp(dim=1, keepdim=True)
    losses = torch.nn.functional.softplus(others - similarities)
    return losses[together].sum(), together.sum()


def in_batch_both_ways(similarities: torch.Tensor, relevance: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The mean of `in_batch_negatives` and of the same the other way round: passages pick their queries as well."""
    one, count = in_batch_negatives(similarities, relevance)
    other, _ = in_batch_negatives(similarities.T, relevance.T)
    return (one + other) / 2, count


def ordered_pairs(similarities: torch.Tensor, relevance: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Pairs lie as near as they are relevant: (summed loss, pairs with a relevance), in 32 bits.

    ln(1 + Σ exp(s_i − s_j)) over all two pairs of the batch of which j is more relevant than i, times the number of
    pairs so that it weighs as much as other losses. Pairs of which nothing is known count as relevance 0. Source: Su
    2022, "CoSENT", https://kexue.fm/archives/8847.

    Args:
        similarities: Float (queries, passages), already divided by the temperature.
        relevance: (queries, passages).
    """
    import torch

    values, grades = similarities.float().flatten(), relevance.flatten()
    known = grades > 0
    differences = values[:, None] - values[None]
    wrong = differences[grades[:, None] < grades[None]]
    loss = torch.nn.functional.softplus(wrong.logsumexp(dim=0)) if len(wrong) else values.sum() * 0
    return loss * known.sum(), known.sum()


RANKING_LOSSES: Mapping[str, RankingLoss] = {"in_batch": in_batch_negatives, "cosent": ordered_pairs}
"""Losses by what ``train.loss`` calls them."""
