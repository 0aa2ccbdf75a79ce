"""IA3: one factor for each key, value and hidden unit of the feed-forward layers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from supertune.errors import UserError
from supertune.strategies.parts import linear_layers, transposed
from supertune.strategies.with_peft import PeftStrategy

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_KEY_VALUE = ("key", "value", "k_proj", "v_proj", "k_lin", "v_lin", "k", "v", "key_proj", "value_proj")
_FUSED = ("query_key_value", "c_attn", "Wqkv", "qkv_proj", "in_proj")


@dataclass(frozen=True)
class Ia3Strategy(PeftStrategy):
    """Keys, values and the feed-forward layers' inner units are rescaled, each by a factor that learns.

    For very few rows, or thousands of tasks over one model: a few kilobytes each. Weaker than LoRA where rows are many.

    Source: Liu et al. 2022, "Few-shot parameter-efficient fine-tuning is better and cheaper than in-context learning".
    """

    name = "ia3"
    mergeable = True

    def configuration(self, model: PreTrainedModel) -> Any:
        """Factors on keys and values as they come out, and on what the last feed-forward layer takes in."""
        from peft import IA3Config

        attention, feedforward = [], []
        layers = linear_layers(model)
        for names in layers:
            ends = {name: name.rpartition(".")[2] for name in names}
            attention += [name for name in names if ends[name] in _KEY_VALUE] or [
                name for name in names if ends[name] in _FUSED
            ]
            feedforward += [name for name in names[-1:] if ends[name] not in (*_KEY_VALUE, *_FUSED)]
        if not attention or not feedforward:
            raise UserError(
                f"keys, values and feed-forward layers of a model of type {model.config.model_type!r} are not known",
                where="strategy.name",
                fix="--strategy lora",
            )
        return IA3Config(
            target_modules=attention + feedforward,
            feedforward_modules=feedforward,
            fan_in_fan_out=transposed(model, layers),
        )

    def default_learning_rate(self) -> float:
        """2e-2, the best of three by trial (decision 0014): factors have little leverage; the paper uses 3e-3."""
        return 2e-2
