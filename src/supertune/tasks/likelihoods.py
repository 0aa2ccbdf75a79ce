"""How likely a model that writes finds texts: the loss of the tokens that are to be learned, and of all of a text."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from supertune.contracts import Features, Outcome, model_inputs
from supertune.errors import UserError
from supertune.tasks.before_head import before_head, model_of_texts
from supertune.tasks.encoder_decoder import WRITTEN, at_tokens, parted

if TYPE_CHECKING:
    import torch

    Summed = tuple[torch.Tensor, torch.Tensor]
    Batch = Mapping[str, torch.Tensor]
    TokenCriterion = Callable[[torch.Tensor, torch.nn.Module, torch.Tensor, torch.Tensor, float | None], Summed]
    TokenLosses = Callable[[torch.Tensor, torch.nn.Module, torch.Tensor, float | None], torch.Tensor]

_CHECKED = 64
"""Tokens by which it is tried whether the model makes its logits as is assumed."""
_CLOSE = 1e-3
"""Largest difference of two losses in nats that is rounding in 32 bits."""


def summed_loss(model: torch.nn.Module, batch: Batch, criterion: TokenCriterion) -> Summed:
    """Summed weighted loss of a batch's tokens that are to be learned, and how many they are.

    Args:
        model: It may have adapters in it, or prompts before it.
        batch: ``input_ids``, ``attention_mask`` and ``weights`` (items, tokens), padded on the right; of an
            encoder–decoder ``written`` as well.
        criterion: (hidden states (tokens, width), output head, next tokens, weights, soft cap) → (summed loss, count).
    """
    hidden, following, weights = _learned(model, batch)
    return criterion(hidden, _head(model), following, weights, soft_cap(model))


def token_likelihoods(model: torch.nn.Module, batch: Batch, losses: TokenLosses) -> torch.Tensor:
    """Float (items, tokens): −ln p of each token that is to be learned; 0 for all others.

    Args:
        model: See `summed_loss`.
        batch: See there.
        losses: (hidden states (tokens, width), output head, next tokens, soft cap) → −ln p of each, (tokens,).
    """
    import torch

    hidden, following, _ = _learned(model, batch)
    there = _is_learned(batch)
    found = torch.zeros(there.shape, dtype=torch.float32, device=hidden.device)
    found[there] = losses(hidden, _head(model), following, soft_cap(model)).float()
    return found


def likelihood_outcome(outputs: NDArray[Any], features: Features) -> Outcome:
    """What metrics of likelihoods look at: −ln p of each item, and its tokens and characters that are to be learned.

    Args:
        outputs: Float (items,): the sum of an item's `token_likelihoods`.
        features: The items, with the token columns ``weights`` and ``characters``.
    """
    if not len(features):
        return Outcome(np.zeros((0, 2), np.int64), np.zeros(0), answers="likelihoods")
    learned = (features.tokens["weights"] != 0).astype(np.int64)
    columns = (learned, features.tokens["characters"].astype(np.int64))
    counts = [np.add.reduceat(column, features.offsets[:-1]) for column in columns]
    return Outcome(np.stack(counts, axis=1), np.asarray(outputs, np.float64), answers="likelihoods")


def soft_cap(model: Any) -> float | None:
    """What the model keeps its logits within: c in c · tanh(logit / c); None where it leaves them as they are."""
    cap: float | None = getattr(model_of_texts(model).config.get_text_config(), "final_logit_softcapping", None)
    return cap


def check_head(model: Any, batch: Batch, losses: TokenLosses, *, where: str) -> None:
    """Check on a few tokens that the model makes its logits by its head and its soft cap alone.

    Some models multiply them afterwards. What they were to learn would then be something else.

    Args:
        model: As it was opened, in 32 bits.
        batch: See `summed_loss`; its first 64 tokens to be learned are looked at.
        losses: See `token_likelihoods`.
        where: What the model is called, for the message.

    Raises:
        UserError: It makes them otherwise.
    """
    import torch

    with torch.no_grad():
        hidden, following, _ = (part[:_CHECKED] for part in _learned(model, batch))
        ours = losses(hidden, _head(model), following, soft_cap(model))
        logits = model(**model_inputs(_inputs(model, batch)), use_cache=False).logits
        told = _before(logits, batch, _is_learned(batch))[:_CHECKED]
        own = torch.nn.functional.cross_entropy(told.float(), following, reduction="none")
    if len(ours) and not float((ours - own).abs().max()) <= _CLOSE:
        raise UserError(
            f"a model of type {model_of_texts(model).config.model_type!r} changes its logits behind its output head, "
            "in a way that is not known here",
            where=where,
            fix="choose another model",
        )


def _is_learned(batch: Batch) -> torch.Tensor:
    """Bool (items, tokens): what is to be learned and not padding; the first token of an item is made from nothing."""
    there = (batch["weights"] != 0) & (batch["attention_mask"] != 0)
    there[:, :1] = False
    # Packed items stand one behind the other.
    return there & (batch["position_ids"] != 0) if "position_ids" in batch else there


def _learned(model: Any, batch: Batch) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Of each token to be learned the state by which it is made; the token itself; its weight."""
    there = _is_learned(batch)
    states = before_head(model, _inputs(model, batch))
    return _before(states, batch, there), batch["input_ids"][there], batch["weights"][there]


def _inputs(model: Any, batch: Batch) -> Batch:
    return parted(model, batch) if WRITTEN in batch else batch


def _before(values: torch.Tensor, batch: Batch, there: torch.Tensor) -> torch.Tensor:
    """What the model gave out to make some tokens: at the token before each, or at the decoder's own positions."""
    if WRITTEN in batch:
        return at_tokens(values, batch, there)
    # Tokens that a strategy puts before the text have logits as well.
    return values[:, -there.shape[1] :][:, :-1][there[:, 1:]]


def _head(model: Any) -> torch.nn.Module:
    """The output head, with what BART and its kin add to its logits as a bias of its own."""
    import torch

    plain = model_of_texts(model)
    head: torch.nn.Module = plain.get_output_embeddings()
    added = getattr(plain, "final_logits_bias", None)
    if added is None or type(head) is not torch.nn.Linear or head.bias is not None or not added.any():
        return head
    biased = torch.nn.Linear(head.in_features, head.out_features, device="meta")
    biased.weight = head.weight
    biased.bias = torch.nn.Parameter(added.flatten().to(head.weight), requires_grad=False)
    return biased
