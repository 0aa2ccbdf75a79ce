"""Contrastive loss: texts with the same label lie closer together than others."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, cast

from supertune.contracts import model_inputs

if TYPE_CHECKING:
    import torch


def supervised_contrastive(
    embeddings: torch.Tensor, labels: torch.Tensor, temperature: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """Every text picks those of its label out of the batch: (summed loss, texts that have such a one), 32 bits.

    Of text i with the others of its label P(i), among all others A(i), by the cosines s:
    −1/|P(i)| Σ_{p ∈ P(i)} (s_ip/t − ln Σ_{a ∈ A(i)} exp(s_ia/t)). A batch of n texts compares n² pairs for n passes,
    where pairs drawn one by one cost two passes each; texts alone with their label only push others away.

    Source: Khosla et al. 2020, "Supervised contrastive learning", equation 2.

    Args:
        embeddings: Float (items, width), of length 1.
        labels: Int64 (items,).
        temperature: t; the smaller, the more the nearest others count.
    """
    import torch

    alike = embeddings.float() @ embeddings.float().T / temperature
    itself = torch.eye(len(labels), dtype=torch.bool, device=labels.device)
    same = (labels[:, None] == labels[None]) & ~itself
    # Not minus infinity, which times nothing is not a number.
    alike = alike.masked_fill(itself, torch.finfo(alike.dtype).min)
    log_shares = alike - alike.logsumexp(dim=1, keepdim=True)
    partners = same.sum(dim=1)
    losses = -torch.where(same, log_shares, 0.0).sum(dim=1) / partners.clamp(min=1)
    return losses.sum(), (partners > 0).sum()


def cosine_pairs(embeddings: torch.Tensor, labels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Every pair of texts has the cosine 1 or 0, as their labels are alike or not: (summed loss, texts), 32 bits.

    The mean of (1 − s)² over pairs of one label and that of s² over other pairs count half each, so that the
    many pairs of different labels do not drown the few others. Source: Reimers and Gurevych 2019, "Sentence-BERT",
    section 3 (regression objective), over all pairs of a batch.

    Args:
        embeddings: Float (items, width), of length 1.
        labels: Int64 (items,).
    """
    import torch

    alike = embeddings.float() @ embeddings.float().T
    itself = torch.eye(len(labels), dtype=torch.bool, device=labels.device)
    same = labels[:, None] == labels[None]
    kinds = [((1 - alike) ** 2)[same & ~itself], (alike**2)[~same]]
    losses = [kind.mean() for kind in kinds if len(kind)]
    count = len(labels) if losses else 0
    mean = torch.stack(losses).mean() if losses else alike.sum() * 0
    return mean * count, torch.tensor(count, device=labels.device)


def by_similarity(
    kind: str, temperature: float
) -> Callable[[torch.nn.Module, Mapping[str, torch.Tensor]], tuple[torch.Tensor, torch.Tensor]]:
    """An objective for the loop, for models that ``embed`` texts.

    Args:
        kind: ``softmax`` (`supervised_contrastive`) or ``cosine`` (`cosine_pairs`).
        temperature: Of the former.
    """

    def objective(model: torch.nn.Module, batch: Mapping[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        embeddings, labels = cast(Any, model).embed(**model_inputs(batch)), batch["labels"]
        if kind == "cosine":
            return cosine_pairs(embeddings, labels)
        return supervised_contrastive(embeddings, labels, temperature)

    return objective
