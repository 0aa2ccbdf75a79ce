"""The loss of one token from its logits: soft cap, label smoothing and z-loss, and the gradient they make."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class TokenRule:
    """What a token costs: (1 − s) · (L − x_t) + s · (L − mean of x) + z · L², where L = ln Σ exp(x).

    Attributes:
        soft_cap: c in x = c · tanh(y / c), which keeps logits y of the head within ±c; None for x = y. It belongs to
            the model: ``final_logit_softcapping`` in its configuration (Gemma Team 2024, "Gemma 2", section 2).
        label_smoothing: s, the share of the target spread evenly over the vocabulary (Szegedy et al. 2016, section 7).
        z_loss: z, what keeps logits from drifting (Chowdhery et al. 2022, "PaLM", section 5: 1e-4).

    Raises:
        ValueError: A number is out of its range.
    """

    soft_cap: float | None = None
    label_smoothing: float = 0.0
    z_loss: float = 0.0

    def __post_init__(self) -> None:
        if self.soft_cap is not None and not self.soft_cap > 0:
            raise ValueError(f"a soft cap of {self.soft_cap}: it must be above 0")
        if not 0 <= self.label_smoothing < 1:
            raise ValueError(f"label smoothing of {self.label_smoothing}: it must be from 0 to below 1")
        if not self.z_loss >= 0:
            raise ValueError(f"a z-loss of {self.z_loss}: it must not be below 0")

    def cap_(self, logits: torch.Tensor) -> None:
        """Cap logits in place."""
        if self.soft_cap is not None:
            logits.div_(self.soft_cap).tanh_().mul_(self.soft_cap)

    def slope(self, capped: torch.Tensor) -> torch.Tensor | None:
        """dx/dy at capped logits x, of their shape; None where it is 1 throughout."""
        return None if self.soft_cap is None else (capped / self.soft_cap).square_().neg_().add_(1)

    def losses(self, log_sum: torch.Tensor, target: torch.Tensor, mean: torch.Tensor | None) -> torch.Tensor:
        """Loss of each token.

        Args:
            log_sum: L, float (tokens,).
            target: x_t, float (tokens,).
            mean: Mean of x over the vocabulary, float (tokens,); None without smoothing.
        """
        found = log_sum - target
        if mean is not None:
            found = (1 - self.label_smoothing) * found + self.label_smoothing * (log_sum - mean)
        return found + self.z_loss * log_sum.square() if self.z_loss else found

    def of_probabilities(self, log_sum: torch.Tensor) -> torch.Tensor:
        """What a probability is multiplied by in the gradient of the loss: 1 + 2 z L."""
        return 1 + 2 * self.z_loss * log_sum

    def of_target(self, log_sum: torch.Tensor, target: torch.Tensor, others: torch.Tensor) -> torch.Tensor:
        """The gradient at the target but for the s / vocabulary that every logit has: (1 + 2 z L) p_t − (1 − s).

        Args:
            log_sum: L.
            target: p_t.
            others: 1 − p_t, summed up from the others: where p_t is near 1 that is all there is to learn, and the
                difference to 1 of a rounded number has lost it.
        """
        return (self.label_smoothing + 2 * self.z_loss * log_sum) * target - (1 - self.label_smoothing) * others
