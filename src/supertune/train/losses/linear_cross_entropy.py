"""Cross-entropy over a vocabulary, from hidden states and the head that makes logits of them, never all logits at once.

Of a model with 262,144 tokens in its vocabulary the logits of 1,000 tokens take a gigabyte, several times over. Here
they live in blocks of a bounded size; gradients are made beside the loss, while a block is there, so that none has to
be made again on the way back. Memory for logits, whatever the tokens and the vocabulary: 4 MB for a linear head that
does not learn, 128 MB for others.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from supertune.train.losses.products import rounds_products
from supertune.train.losses.token_chunks import check_targets, linear_by_token_chunks, module_by_token_chunks
from supertune.train.losses.token_rule import TokenRule
from supertune.train.losses.vocabulary_blocks import by_vocabulary_blocks

if TYPE_CHECKING:
    import torch

    Gradients = list[torch.Tensor | None]

_PLAIN = TokenRule()


def linear_cross_entropy(
    hidden: torch.Tensor,
    head: torch.nn.Module,
    targets: torch.Tensor,
    weights: torch.Tensor | None = None,
    rule: TokenRule = _PLAIN,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Summed weighted loss of tokens, and how many count, as `cross_entropy` would have of ``head(hidden)``.

    The loss can be differentiated once: with respect to the hidden states and to the parameters of the head that
    learn. A plain linear head is multiplied here; any other (an adapter, hooks, a quantised weight) is called. Hidden
    states in 16 bits are multiplied in 16 bits where the device does so by itself; all else is done in 32 bits.

    Args:
        hidden: Float (tokens, width), of the positions that have a loss only.
        head: A module that gives logits (tokens, vocabulary), of each token by itself, with no cap on them. What is to
            learn in it must be among its parameters.
        targets: Integers (tokens,): the token that comes next.
        weights: Float (tokens,), factors of the losses; None for 1.
        rule: Soft cap, label smoothing and z-loss.

    Returns:
        Loss () in 32 bits (64 for hidden states in 64), 0 without tokens and still part of the graph; int64 (), the
        tokens whose weight is not 0. As elsewhere, weights that average 1 leave the scale of the loss as it was.

    Raises:
        ValueError: Shapes do not go together, or a target is outside of the vocabulary.
    """
    import torch

    targets = _checked(hidden, targets, weights)
    count = torch.tensor(len(targets), device=targets.device) if weights is None else weights.count_nonzero()
    parameters = [parameter for parameter in head.parameters() if parameter.requires_grad]
    if not torch.is_grad_enabled() or not (hidden.requires_grad or parameters):
        with torch.no_grad():
            return _total(_losses(hidden, head, targets, rule), weights), count
    learning = _Learning(hidden, head, targets, weights.detach() if weights is not None else None, rule, parameters)
    loss, gradients = learning.made()
    again = learning.again if _is_linear(head) and parameters else None
    return _known().apply(loss, gradients, again, hidden, *parameters), count


def token_losses(
    hidden: torch.Tensor, head: torch.nn.Module, targets: torch.Tensor, soft_cap: float | None = None
) -> torch.Tensor:
    """Negative log-likelihood of each token, in nats, without a graph: what held-out loss and perplexity are made of.

    Args:
        hidden: Float (tokens, width).
        head: As in `linear_cross_entropy`.
        targets: Integers (tokens,).
        soft_cap: The model's; see `TokenRule`.

    Returns:
        (tokens,) in 32 bits (64 for hidden states in 64).

    Raises:
        ValueError: As in `linear_cross_entropy`.
    """
    import torch

    with torch.no_grad():
        return _losses(hidden, head, _checked(hidden, targets, None), TokenRule(soft_cap))


def _checked(hidden: torch.Tensor, targets: torch.Tensor, weights: torch.Tensor | None) -> torch.Tensor:
    """Targets as int64, if shapes go together."""
    if hidden.ndim != 2 or targets.shape != hidden.shape[:1]:
        raise ValueError(f"hidden states of shape {tuple(hidden.shape)} for targets of shape {tuple(targets.shape)}")
    if weights is not None and weights.shape != targets.shape:
        raise ValueError(f"weights of shape {tuple(weights.shape)} for targets of shape {tuple(targets.shape)}")
    return targets.long()


def _is_linear(head: torch.nn.Module) -> bool:
    """Whether calling the head is multiplying by its weight, and nothing else."""
    import torch

    return type(head) is torch.nn.Linear and not (head._forward_hooks or head._forward_pre_hooks)


def _total(losses: torch.Tensor, weights: torch.Tensor | None) -> torch.Tensor:
    return losses.sum() if weights is None else (losses * weights.to(losses.dtype)).sum()


def _losses(hidden: torch.Tensor, head: torch.nn.Module, targets: torch.Tensor, rule: TokenRule) -> torch.Tensor:
    """Loss of each token, without gradients."""
    if not _is_linear(head):
        return module_by_token_chunks(hidden, head, targets, rule, None, False, [])[0]
    weight, bias = _weights_of(head)
    check_targets(targets, len(weight))
    if rounds_products(hidden, weight):
        return linear_by_token_chunks(hidden, weight, bias, targets, rule, None, (False, False, False))[0]
    return by_vocabulary_blocks(hidden, weight, bias, targets, rule, gradient=False)[0]


def _weights_of(head: Any) -> tuple[torch.Tensor, torch.Tensor | None]:
    return head.weight.detach(), head.bias.detach() if head.bias is not None else None


class _Learning:
    """A loss that is to be differentiated."""

    def __init__(
        self,
        hidden: torch.Tensor,
        head: Any,
        targets: torch.Tensor,
        weights: torch.Tensor | None,
        rule: TokenRule,
        parameters: list[torch.nn.Parameter],
    ) -> None:
        self._hidden, self._head, self._targets = hidden.detach(), head, targets
        self._weights, self._rule, self._parameters = weights, rule, parameters
        self._wanted = hidden.requires_grad
        self._versions = self._present_versions()

    def _present_versions(self) -> list[int]:
        """What tells that a tensor was written to."""
        return [tensor._version for tensor in (self._hidden, self._targets, *self._parameters)]

    def made(self) -> tuple[torch.Tensor, Gradients]:
        """The loss, and gradients of the hidden states and of each parameter, None for what needs none."""
        import torch

        if not len(self._targets):
            nothing = self._hidden.new_zeros((), dtype=torch.promote_types(self._hidden.dtype, torch.float32))
            of_hidden = torch.zeros_like(self._hidden) if self._wanted else None
            return nothing, [of_hidden, *(None for _ in self._parameters)]
        with torch.no_grad():
            losses, gradients = self._linear() if _is_linear(self._head) else self._any()
            return _total(losses, self._weights), gradients

    def again(self) -> Gradients:
        """The same gradients once more.

        Raises:
            RuntimeError: What they are made of has changed since.
        """
        if self._versions != self._present_versions():
            raise RuntimeError("hidden states or weights of the head have changed since the loss was computed")
        return self.made()[1]

    def _any(self) -> tuple[torch.Tensor, Gradients]:
        return module_by_token_chunks(
            self._hidden, self._head, self._targets, self._rule, self._weights, self._wanted, self._parameters
        )

    def _linear(self) -> tuple[torch.Tensor, Gradients]:
        weight, bias = _weights_of(self._head)
        check_targets(self._targets, len(weight))
        if not self._parameters and not rounds_products(self._hidden, weight):
            losses, found = by_vocabulary_blocks(self._hidden, weight, bias, self._targets, self._rule, gradient=True)
            if found is not None and self._weights is not None:
                found *= self._weights[:, None]
            return losses, [found]
        of_weight = self._head.weight.requires_grad
        of_bias = bias is not None and self._head.bias.requires_grad
        wanted = (self._wanted, of_weight, of_bias)
        losses, found_all = linear_by_token_chunks(
            self._hidden, weight, bias, self._targets, self._rule, self._weights, wanted
        )
        of_head = [one for one, wants in zip(found_all[1:], wanted[1:], strict=True) if wants]
        return losses, [found_all[0], *of_head]


@cache
def _known() -> Any:
    """A number whose gradients are known already, as a node of the graph."""
    import torch

    class Known(torch.autograd.Function):
        @staticmethod
        def forward(
            ctx: Any,
            value: torch.Tensor,
            gradients: Gradients,
            again: Callable[[], Gradients] | None,
            *inputs: torch.Tensor,
        ) -> torch.Tensor:
            ctx.gradients, ctx.again, ctx.types = gradients, again, [one.dtype for one in inputs]
            return value.clone()

        @staticmethod
        def backward(ctx: Any, upstream: torch.Tensor) -> Any:
            if torch.is_grad_enabled():
                raise RuntimeError("linear_cross_entropy can be differentiated once, not with create_graph=True")
            gradients = ctx.again() if ctx.gradients is None else ctx.gradients
            if ctx.again is None:
                return None, None, None, *_scaled(gradients, upstream, ctx.types)
            # Of a head that learns they are as large as its weight: they are handed over, not copied, and made again in
            # the rare case that someone asks twice.
            ctx.gradients = None
            for gradient in gradients:
                if gradient is not None and not (upstream.device.type == "cpu" and upstream == 1):
                    gradient.mul_(upstream)
            return None, None, None, *_scaled(gradients, None, ctx.types)

    return Known


def _scaled(gradients: Gradients, upstream: torch.Tensor | None, kinds: Sequence[torch.dtype]) -> Gradients:
    return [
        (one if upstream is None else one * upstream).to(kind) if one is not None else None
        for one, kind in zip(gradients, kinds, strict=True)
    ]
