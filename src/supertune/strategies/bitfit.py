"""BitFit: only the biases learn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from supertune.errors import UserError
from supertune.strategies.own_weights import OwnWeights

if TYPE_CHECKING:
    from transformers import PreTrainedModel


@dataclass(frozen=True)
class BitFitStrategy(OwnWeights):
    """Only the biases and the head learn: a thousandth of the weights.

    For many tasks over one model, each a few kilobytes apart. Not for models without biases, such as most decoders.

    Source: Ben Zaken, Goldberg and Ravfogel 2022, "BitFit: simple parameter-efficient fine-tuning".
    """

    name = "bitfit"

    def prepare(self, model: PreTrainedModel) -> PreTrainedModel:
        """Freeze everything but biases and head.

        Raises:
            UserError: The body has no biases.
        """
        body = model.base_model
        inside = {id(parameter) for parameter in body.parameters()}
        biases = {
            name
            for name, parameter in model.named_parameters()
            if name.rpartition(".")[2] == "bias" and id(parameter) in inside
        }
        if not biases:
            raise UserError(
                f"a model of type {model.config.model_type!r} has no biases to train",
                where="strategy.name",
                fix="--strategy lora or --strategy layernorm",
            )
        return self.select(model, biases)

    def default_learning_rate(self) -> float:
        """1e-3, the better of two by trial (decision 0014): biases want higher rates than whole models."""
        return 1e-3
