"""Cross-entropy of any head: chunks of tokens, each with its logits over the whole vocabulary.

For heads that learn, for adapters around them, and for products in 16 bits, which are rounded when they are given out
and so had better not come in many parts. Logits of a chunk are made once; the gradient overwrites them, rows that fit
into the processor's cache at a time; it goes back through the head, and the next chunk takes its place.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from supertune.train.losses.products import accumulation_type, add_product_, operand, product, rounds_products
from supertune.train.losses.token_rule import TokenRule

if TYPE_CHECKING:
    import torch

SCRATCH_BYTES = 128 << 20
"""Memory for the logits of a chunk, with what an adapter makes beside them."""
_CACHED_LOGITS = 1 << 19
"""Logits that are gone over together: 2 MB."""
_COPIES = 6
"""Arrays of the size of the logits that live at once in a head with an adapter (its base's output, its own, scaled,
and their sum), with the gradient and one on its way back."""
_VOCABULARY_BLOCK = 8192
"""Rows of a weight that are cast, or whose gradient is rounded, at a time."""


def chunk_tokens(vocabulary: int, item_bytes: int, copies: int = 1) -> int:
    """Tokens of which ``copies`` arrays of logits fit into `SCRATCH_BYTES`; at least 1."""
    return max(1, SCRATCH_BYTES // (vocabulary * item_bytes * copies))


def to_gradient_(
    logits: torch.Tensor, targets: torch.Tensor, rule: TokenRule, weights: torch.Tensor | None, *, gradient: bool
) -> torch.Tensor:
    """The loss of each token; its weighted gradient with respect to the logits takes their place.

    Args:
        logits: Float (tokens, vocabulary), of the head, not capped; overwritten.
        targets: Int64 (tokens,).
        rule: What a token costs.
        weights: Float (tokens,), factors of the gradient, not of the loss; None for 1.
        gradient: Whether it is wanted; without, the logits are left as anything.

    Returns:
        Losses in 32 bits (in 64 for logits in 64), (tokens,).
    """
    kind = accumulation_type(logits)
    losses = logits.new_empty(len(logits), dtype=kind)
    together = max(1, _CACHED_LOGITS // logits.shape[1]) if logits.device.type == "cpu" else len(logits)
    for first in range(0, len(logits), together):
        rows = slice(first, first + together)
        part = logits[rows].to(kind)
        losses[rows] = _rows_to_gradient_(
            part, targets[rows], rule, weights[rows].to(kind) if weights is not None else None, gradient=gradient
        )
        if gradient and part.dtype != logits.dtype:
            logits[rows] = part
    return losses


def _rows_to_gradient_(
    logits: torch.Tensor, targets: torch.Tensor, rule: TokenRule, weights: torch.Tensor | None, *, gradient: bool
) -> torch.Tensor:
    vocabulary, targets = logits.shape[1], targets[:, None]
    rule.cap_(logits)
    slope = rule.slope(logits) if gradient else None
    target = logits.gather(1, targets)
    mean = logits.mean(dim=1) if rule.label_smoothing else None
    highest = logits.amax(dim=1, keepdim=True)
    logits.sub_(highest).exp_().scatter_(1, targets, 0.0)
    others, of_target = logits.sum(dim=1, keepdim=True), (target - highest).exp()
    total = others + of_target
    log_sum = highest + total.log()
    if gradient:
        factors = 1.0 if weights is None else weights[:, None]
        evenly = factors * (rule.label_smoothing / vocabulary)
        logits.mul_(factors * rule.of_probabilities(log_sum) / total)
        if rule.label_smoothing:
            logits.sub_(evenly)
        logits.scatter_(1, targets, factors * rule.of_target(log_sum, of_target / total, others / total) - evenly)
        if slope is not None:
            logits.mul_(slope)
    return rule.losses(log_sum.squeeze(1), target.squeeze(1), mean)


def linear_by_token_chunks(
    hidden: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor | None,
    targets: torch.Tensor,
    rule: TokenRule,
    weights: torch.Tensor | None,
    wanted: tuple[bool, bool, bool],
    *,
    narrow: bool | None = None,
    tokens: int | None = None,
) -> tuple[torch.Tensor, list[torch.Tensor | None]]:
    """Losses (tokens,) and gradients of a linear head.

    Args:
        hidden: Float (tokens, width).
        weight: Float (vocabulary, width).
        bias: Float (vocabulary,), or None.
        targets: Int64 (tokens,), within the vocabulary.
        rule: What a token costs.
        weights: Float (tokens,), factors of the gradient, not of the losses; None for 1.
        wanted: Whether the gradient of the hidden states, of the weight and of the bias is needed.
        narrow: Whether to multiply in 16 bits; None for whether the processor does so by itself.
        tokens: Tokens of a chunk; None for as many as fit.

    Returns:
        Losses, and the three gradients, all of the type in which things are added up.
    """
    kind = accumulation_type(hidden)
    narrow = rounds_products(hidden, weight) if narrow is None else narrow
    scratch_type = hidden.dtype if narrow else kind
    step = min(tokens or chunk_tokens(len(weight), scratch_type.itemsize), len(hidden))
    scratch = hidden.new_empty((step, len(weight)), dtype=scratch_type)
    losses = hidden.new_empty(len(hidden), dtype=kind)
    of_hidden = hidden.new_zeros(hidden.shape, dtype=kind) if wanted[0] else None
    of_weight = weight.new_zeros(weight.shape, dtype=kind) if wanted[1] else None
    of_bias = weight.new_zeros(len(weight), dtype=kind) if wanted[2] else None
    for first in range(0, len(hidden), step):
        rows = slice(first, first + step)
        states = hidden[rows]
        logits = scratch[: len(states)]
        for block in _blocks(len(weight)):
            product(states, weight[block].T, logits[:, block])
        if bias is not None:
            logits += bias
        part = weights[rows] if weights is not None else None
        losses[rows] = to_gradient_(logits, targets[rows], rule, part, gradient=any(wanted))
        if of_hidden is not None:
            if narrow:
                # One product, so that it is rounded once.
                of_hidden[rows] = logits @ weight
            else:
                for block in _blocks(len(weight)):
                    factor = operand(weight[block], kind)
                    add_product_(of_hidden[rows], logits[:, block].to(factor.dtype), factor)
        if of_weight is not None:
            factor = states if narrow else operand(states, kind)
            for block in _blocks(len(weight)):
                if narrow:
                    of_weight[block].add_(logits[:, block].T @ factor)
                else:
                    add_product_(of_weight[block], logits[:, block].T.to(factor.dtype), factor)
        if of_bias is not None:
            of_bias += logits.sum(dim=0, dtype=kind)
    return losses, [of_hidden, of_weight, of_bias]


def _blocks(vocabulary: int) -> Iterator[slice]:
    return (slice(start, start + _VOCABULARY_BLOCK) for start in range(0, vocabulary, _VOCABULARY_BLOCK))


def module_by_token_chunks(
    hidden: torch.Tensor,
    head: torch.nn.Module,
    targets: torch.Tensor,
    rule: TokenRule,
    weights: torch.Tensor | None,
    wanted: bool,
    parameters: list[torch.nn.Parameter],
    *,
    tokens: int | None = None,
) -> tuple[torch.Tensor, list[torch.Tensor | None]]:
    """Losses (tokens,) and gradients of a head of which nothing is known but that it can be called.

    Args:
        hidden: Float (tokens, width).
        head: Gives logits (tokens, vocabulary) for hidden states, of each token by itself.
        targets: Int64 (tokens,).
        rule: What a token costs.
        weights: Float (tokens,), factors of the gradient, not of the losses; None for 1.
        wanted: Whether the gradient of the hidden states is needed.
        parameters: Those of the head that need theirs.
        tokens: Tokens of a chunk; None for as many as fit.

    Returns:
        Losses; gradients of the hidden states and then of the parameters, None for what is not needed or not used.

    Raises:
        ValueError: A target is outside of the vocabulary.
    """
    import torch

    kind = accumulation_type(hidden)
    losses = hidden.new_empty(len(hidden), dtype=kind)
    of_hidden = torch.zeros_like(hidden, dtype=kind) if wanted else None
    totals: list[torch.Tensor | None] = [None] * len(parameters)
    first, size = 0, tokens or _first_chunk(head)
    while first < len(hidden):
        rows = slice(first, first + size)
        first += size
        with torch.set_grad_enabled(wanted or bool(parameters)):
            states = hidden[rows].detach().requires_grad_(wanted)
            logits = head(states)
        check_targets(targets[rows], logits.shape[1])
        size = tokens or chunk_tokens(logits.shape[1], max(logits.element_size(), 4), _COPIES)
        # A copy: the head may need what it gave out on the way back.
        gradient = logits.detach().to(accumulation_type(logits), copy=True)
        part = weights[rows] if weights is not None else None
        losses[rows] = to_gradient_(gradient, targets[rows], rule, part, gradient=logits.requires_grad).to(kind)
        if not logits.requires_grad:
            continue
        inputs = [states, *parameters] if wanted else parameters
        found = list(torch.autograd.grad(logits, inputs, gradient.to(logits.dtype), allow_unused=True))
        del logits, gradient
        if of_hidden is not None:
            of_states = found.pop(0)
            if of_states is not None:
                of_hidden[rows] = of_states
        for place, one in enumerate(found):
            if one is not None:
                total = totals[place]
                totals[place] = one.to(accumulation_type(one)) if total is None else total.add_(one)
    return losses, [of_hidden, *totals]


def _first_chunk(head: torch.nn.Module) -> int:
    """Tokens of the first chunk, whose logits tell the vocabulary where the head does not name it."""
    vocabulary = getattr(head, "out_features", None)
    return chunk_tokens(vocabulary, 4, _COPIES) if isinstance(vocabulary, int) else 16


def check_targets(targets: torch.Tensor, vocabulary: int) -> None:
    """Check that all lie within the vocabulary: only supervised tokens have a loss.

    Raises:
        ValueError: One does not.
    """
    if len(targets):
        low, high = (int(value) for value in targets.aminmax())
        if low < 0 or high >= vocabulary:
            raise ValueError(f"targets from {low} to {high} for a vocabulary of {vocabulary}")
