"""Full fine-tuning: every parameter learns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from supertune.strategies.own_weights import OwnWeights, rates_by_depth
from supertune.strategies.reinitialise import reinitialise_top

if TYPE_CHECKING:
    from transformers import PreTrainedModel


@dataclass(frozen=True)
class FullStrategy(OwnWeights):
    """Every parameter learns.

    The strongest choice when there are a few hundred rows per class or more, and the most expensive one.

    Attributes:
        layer_decay: Rate of each layer as a share of that of the layer above it; see `rates_by_depth`.
        reinitialise: Top layers that begin anew, with the pooler.
    """

    layer_decay: float = 1.0
    reinitialise: int = 0

    name = "full"

    def prepare(self, model: PreTrainedModel) -> PreTrainedModel:
        """Let every parameter learn, the top layers from new weights if so configured; seed torch first.

        Raises:
            UserError: The model has no layers that can be told apart, or fewer than are to begin anew.
        """
        model.requires_grad_(True)
        reinitialise_top(model, self.reinitialise)
        return model

    def rate_of(self, model: PreTrainedModel) -> dict[str, float]:
        """Lower layers learn at lower rates, if so configured."""
        return rates_by_depth(model, self.layer_decay)

    def default_learning_rate(self) -> float:
        """1e-4: small encoders are under-trained by 5e-5 where rows are few.

        Chosen on validation rows of the support tickets, one seed; not yet by an ablation.
        """
        return 1e-4
