"""LayerNorm tuning: only the gains and biases of the normalisations learn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from supertune.errors import UserError
from supertune.strategies.own_weights import OwnWeights

if TYPE_CHECKING:
    from transformers import PreTrainedModel


@dataclass(frozen=True)
class LayerNormStrategy(OwnWeights):
    """Only the normalisation layers and the head learn: the smallest change that reaches every layer.

    For many tasks over one model, also where it has no biases. Weaker than LoRA where rows are many.

    Source: Zhao et al. 2024, "Tuning LayerNorm in attention: towards efficient multi-modal LLM finetuning".
    """

    name = "layernorm"

    def prepare(self, model: PreTrainedModel) -> PreTrainedModel:
        """Freeze everything but normalisations and head.

        Raises:
            UserError: The model has no normalisation layers that are known by their class's name.
        """
        norms = {
            f"{name}.{part}"
            for name, module in model.named_modules()
            if "norm" in type(module).__name__.lower()
            for part, _ in module.named_parameters(recurse=False)
        }
        if not norms:
            raise UserError(
                f"a model of type {model.config.model_type!r} has no normalisation layers to train",
                where="strategy.name",
                fix="--strategy lora or --strategy bitfit",
            )
        return self.select(model, norms)

    def default_learning_rate(self) -> float:
        """3e-3, the better of two by trial (decision 0014)."""
        return 3e-3
