"""Linear probe: a linear head on the mean of what a frozen model gives out for a text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from supertune.strategies.encoder_head import EncoderHeadStrategy

if TYPE_CHECKING:
    from transformers import PreTrainedModel


@dataclass(frozen=True)
class ProbeStrategy(EncoderHeadStrategy):
    """Only a linear head learns, on the mean over a text's tokens; the model is read once for each text.

    For a quick first answer, for very few rows, and to learn how much fine-tuning would add. Weak where the
    labels are about something that the pre-trained model does not tell texts apart by.

    Source: Alain and Bengio 2017, "Understanding intermediate layers using linear classifier probes".
    """

    name = "probe"
    passes = 10.0

    def prepare(self, model: PreTrainedModel) -> PreTrainedModel:
        """The model's body, frozen, under a new linear head; seed torch first."""
        model.base_model.requires_grad_(False)
        return self.head_on(model)

    def default_learning_rate(self) -> float:
        """3e-3, the best of three by trial (decision 0014)."""
        return 3e-3
