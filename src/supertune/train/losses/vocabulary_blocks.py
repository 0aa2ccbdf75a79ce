"""Cross-entropy of a linear head that does not learn: blocks of the vocabulary, each seen once.

The gradient of a hidden state is Σ p_v W_v − W_t: what attention computes with W as keys and as values. So it can be
had in the same way: logits of one block of the vocabulary at a time, the highest logit and the sum of exponentials so
far, and what was summed before is brought onto the new scale when a higher logit comes. A block's logits are made,
exponentiated and multiplied with its weights while all of them are in the processor's cache: no logit is made twice,
none is written to memory, and the weights are read once for some hundred tokens.

Sources: Milakov and Gimelshein 2018, "Online normalizer calculation for softmax"; Rabe and Staats 2021, "Self-attention
does not need O(n²) memory", section 2.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from supertune.train.losses.products import accumulation_type, add_product_, operand, product
from supertune.train.losses.token_rule import TokenRule

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Blocking:
    """How much is looked at together.

    Attributes:
        logits: Logits of a block. On a processor 4 MB of them, which stay in its cache; a GPU, which takes its time
            to start, gets 64 MB.
        tokens: Tokens that go through the vocabulary together. With more, a block of so many logits would be too
            narrow to be multiplied quickly.
    """

    logits: int
    tokens: int

    @classmethod
    def for_device(cls, device: torch.device) -> Blocking:
        """What was measured to be quick."""
        return cls(1 << 20, 512) if device.type == "cpu" else cls(1 << 24, 4096)


def by_vocabulary_blocks(
    hidden: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor | None,
    targets: torch.Tensor,
    rule: TokenRule,
    *,
    gradient: bool,
    blocking: Blocking | None = None,
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Loss of each token, and its gradient with respect to its hidden state if wanted.

    Args:
        hidden: Float (tokens, width).
        weight: Float (vocabulary, width).
        bias: Float (vocabulary,), or None.
        targets: Int64 (tokens,), within the vocabulary.
        rule: What a token costs.
        gradient: Whether to find it; it doubles the work.
        blocking: How much is looked at together; None for what suits the device.

    Returns:
        (tokens,), and (tokens, width) or None, both of the type in which things are added up.
    """
    import torch

    blocking = blocking or Blocking.for_device(hidden.device)
    kind = accumulation_type(hidden)
    losses = hidden.new_empty(len(hidden), dtype=kind)
    gradients = hidden.new_zeros(hidden.shape, dtype=kind) if gradient else None
    for first in range(0, len(hidden), blocking.tokens):
        rows = slice(first, first + blocking.tokens)
        tokens = _Tokens(hidden[rows], targets[rows], rule, gradients[rows] if gradients is not None else None)
        width = min(max(blocking.logits // len(tokens.hidden), 1), len(weight))
        starts = range(0, len(weight), width)
        edges = torch.tensor([*starts, len(weight)], device=hidden.device)
        places = torch.searchsorted(tokens.ordered, edges).tolist()
        scratch = hidden.new_empty((len(tokens.hidden), width), dtype=kind)
        states = operand(tokens.hidden, kind)
        for number, start in enumerate(starts):
            part = operand(weight[start : start + width], kind)
            logits = scratch[:, : len(part)]
            product(states, part.T, logits)
            if bias is not None:
                logits += bias[start : start + width]
            tokens.see(logits, part, start, slice(places[number], places[number + 1]))
        losses[rows] = tokens.finish(weight)
    return losses, gradients


class _Tokens:
    """Some tokens on their way through the vocabulary.

    Args:
        hidden: Float (tokens, width).
        targets: Int64 (tokens,).
        rule: What a token costs.
        gradient: Zeros (tokens, width), filled in place; None where it is not wanted.
    """

    def __init__(
        self, hidden: torch.Tensor, targets: torch.Tensor, rule: TokenRule, gradient: torch.Tensor | None
    ) -> None:
        kind, count = accumulation_type(hidden), len(hidden)
        self.hidden, self._targets, self._rule, self._gradient = hidden, targets, rule, gradient
        # By their targets, so that every block knows whose they are.
        self.ordered, self._order = targets.sort()
        self._highest = hidden.new_full((count, 1), -math.inf, dtype=kind)
        self._others = hidden.new_zeros((count, 1), dtype=kind)
        self._of_target = hidden.new_zeros(count, dtype=kind)
        self._slope_of_target = hidden.new_ones(count, dtype=kind)
        self._all_logits = hidden.new_zeros(count, dtype=kind)
        self._uniform: torch.Tensor | None = None

    def see(self, logits: torch.Tensor, weight: torch.Tensor, start: int, mine: slice) -> None:
        """Go over one block.

        Args:
            logits: (tokens, block); overwritten.
            weight: (block, width).
            start: Place of the block in the vocabulary.
            mine: Which of the ordered targets lie in it.
        """
        import torch

        rows, columns = self._order[mine], self.ordered[mine] - start
        self._rule.cap_(logits)
        slope = self._rule.slope(logits) if self._gradient is not None else None
        self._of_target[rows] = logits[rows, columns]
        if slope is not None:
            self._slope_of_target[rows] = slope[rows, columns]
        if self._rule.label_smoothing:
            self._all_logits += logits.sum(dim=1)
            self._add_uniform(slope, weight)
        highest = torch.maximum(self._highest, logits.amax(dim=1, keepdim=True))
        scale = (self._highest - highest).exp_()
        self._highest = highest
        logits.sub_(highest).exp_()
        # The target's own part comes last: p_t − 1 is not to be had from a rounded sum.
        logits[rows, columns] = 0
        self._others.mul_(scale).add_(logits.sum(dim=1, keepdim=True))
        if self._gradient is not None:
            if slope is not None:
                logits.mul_(slope)
            add_product_(self._gradient.mul_(scale), logits.to(weight.dtype), weight)

    def _add_uniform(self, slope: torch.Tensor | None, weight: torch.Tensor) -> None:
        """Add to Σ W_v dx_v/dy_v over the vocabulary, (width,) or (tokens, width): what label smoothing spreads."""
        if self._gradient is None:
            return
        if self._uniform is None:
            shape = self._gradient.shape if slope is not None else self._gradient.shape[1:]
            self._uniform = self._gradient.new_zeros(shape)
        if slope is None:
            self._uniform += weight.sum(dim=0, dtype=self._uniform.dtype)
        else:
            add_product_(self._uniform, slope.to(weight.dtype), weight)

    def finish(self, weight: torch.Tensor) -> torch.Tensor:
        """Complete the gradient, and return the losses (tokens,)."""
        rule, highest, others = self._rule, self._highest.squeeze(1), self._others.squeeze(1)
        target = (self._of_target - highest).exp()
        total = others + target
        log_sum = highest + total.log()
        if self._gradient is not None:
            self._gradient.mul_((rule.of_probabilities(log_sum) / total)[:, None])
            of_target = rule.of_target(log_sum, target / total, others / total) * self._slope_of_target
            self._gradient.addcmul_(weight[self._targets].to(self._gradient.dtype), of_target[:, None])
            if self._uniform is not None:
                self._gradient.sub_(self._uniform, alpha=rule.label_smoothing / len(weight))
        mean = self._all_logits / len(weight) if rule.label_smoothing else None
        return rule.losses(log_sum, self._of_target, mean)
