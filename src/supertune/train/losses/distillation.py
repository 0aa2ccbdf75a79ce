"""Losses that learn the scores of a teacher, which has read query and passage together.

All take similarities float (queries, passages) and what is known of the pairs, (2, queries, passages): how relevant the
passage is to the query (above 0 where they belong together), and what the teacher says, NaN where it was not asked.
A query counts once, however many passages of it were scored.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

    from supertune.train.losses.ranking import RankingLoss


@dataclass(frozen=True)
class DistillationSettings:
    """What the losses can be told.

    Attributes:
        temperature: What the teacher's scores are divided by; the larger, the less its best passages stand out.
        in_batch: Weight of telling a query's scored passages from all others of the batch; 0: those are not looked at.
    """

    temperature: float = 1.0
    in_batch: float = 1.0


def kl_divergence(settings: DistillationSettings) -> RankingLoss:
    """The student chooses among a query's scored passages as often as the teacher does: KL(teacher ‖ student).

    Both are softmaxes over the passages that the teacher has scored, q of its scores and p of the similarities. With
    the other passages of the batch at weight 1 it is the cross-entropy −Σ q ln p with p over the whole batch, less q's
    entropy: ln p of a passage is that of all that was scored, and of the passage among these. Sources: Hinton et al.
    2015, "Distilling the knowledge in a neural network", section 2; over the passages of a query Ren et al. 2021,
    "RocketQAv2: a joint training method for dense passage retrieval and passage re-ranking".
    """

    def divergence(known: _Known) -> torch.Tensor:
        import torch

        teacher = _least(known.scores, ~known.scored).log_softmax(dim=1)
        student = _least(known.similarities, ~known.scored).log_softmax(dim=1)
        return torch.where(known.scored, teacher.exp() * (teacher - student), 0.0).sum(dim=1)

    return _over_queries(divergence, settings)


def margin_mse(settings: DistillationSettings) -> RankingLoss:
    """What is asked for lies ahead of what is not by as much as the teacher says: squared errors of the margins.

    The mean over all two scored passages of a query of which the rows say that one is asked for and not that the other
    is; nothing for a query without such two. Source: Hofstätter et al. 2020, "Improving efficient neural ranking models
    with cross-architecture knowledge distillation" (Margin-MSE), here with cosines times their scale.
    """

    def squared(known: _Known) -> torch.Tensor:
        import torch

        errors = torch.where(known.scored, known.similarities - known.scores, 0.0)
        sides = [known.scored & known.together, known.scored & ~known.together]
        counts = [side.sum(dim=1) for side in sides]
        means = [(errors * side).sum(dim=1) / n.clamp(min=1) for side, n in zip(sides, counts, strict=True)]
        # The mean of (a − b)² over all a and b, without a matrix of them.
        spread = [
            ((errors - mean[:, None]).square() * side).sum(dim=1) / n.clamp(min=1)
            for side, mean, n in zip(sides, means, counts, strict=True)
        ]
        both = (counts[0] > 0) & (counts[1] > 0)
        return torch.where(both, (means[0] - means[1]).square() + spread[0] + spread[1], 0.0)

    return _over_queries(squared, settings)


@dataclass(frozen=True)
class _Known:
    """The queries of a batch of which the teacher was asked something, in 32 bits.

    Attributes:
        similarities: Float32 (queries, passages).
        together: Bool of that shape: the passage is what the query asks for.
        scores: Float32 of that shape, divided by the temperature; 0 where the teacher was not asked.
        scored: Bool of that shape: it was.
    """

    similarities: torch.Tensor
    together: torch.Tensor
    scores: torch.Tensor
    scored: torch.Tensor


def _over_queries(loss: Callable[[_Known], torch.Tensor], settings: DistillationSettings) -> RankingLoss:
    """The sum over queries of a loss of what was scored, and of `_apart` for what was not."""

    def criterion(similarities: torch.Tensor, known: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        relevance, scores = known.float()
        asked = ~scores.isnan()
        kept = asked.any(dim=1)
        given = _Known(
            similarities[kept].float(),
            relevance[kept] > 0,
            scores[kept].nan_to_num(0.0) / settings.temperature,
            asked[kept],
        )
        losses = loss(given)
        if settings.in_batch:
            losses = losses + settings.in_batch * _apart(given)
        return losses.sum(), kept.sum()

    return criterion


def _apart(known: _Known) -> torch.Tensor:
    """−ln of the share that the scored passages have of the softmax over the batch, for each query.

    Passages that the teacher was not asked about are taken for negatives, as in `in_batch_negatives`, and never for
    such as it gives a score of 0; those that the rows say are asked for as well are left out. Of one scored passage it
    is what `in_batch_negatives` is.
    """
    import torch

    others = _least(known.similarities, known.scored | known.together).logsumexp(dim=1)
    return torch.nn.functional.softplus(others - _least(known.similarities, ~known.scored).logsumexp(dim=1))


def _least(values: torch.Tensor, where: torch.Tensor) -> torch.Tensor:
    """The values with the least number there is in some places: of minus infinity differences are not numbers."""
    import torch

    return values.masked_fill(where, torch.finfo(values.dtype).min)


DISTILLATION_LOSSES: Mapping[str, Callable[[DistillationSettings], RankingLoss]] = {
    "kl_divergence": kl_divergence,
    "margin_mse": margin_mse,
}
"""Name of the loss in ``train.loss`` → (settings) → loss."""
