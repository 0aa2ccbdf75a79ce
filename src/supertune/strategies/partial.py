"""Partial fine-tuning: the top layers learn, or modules that are named."""

from __future__ import annotations

import fnmatch
from dataclasses import dataclass
from typing import TYPE_CHECKING

from supertune.errors import UserError
from supertune.strategies.layers import layer_stacks
from supertune.strategies.own_weights import OwnWeights, rates_by_depth
from supertune.strategies.parts import head_parameters

if TYPE_CHECKING:
    from transformers import PreTrainedModel


@dataclass(frozen=True)
class PartialStrategy(OwnWeights):
    """The top layers and the head learn; what lies below stays as it was pre-trained.

    Costs about the share of the layers that learn, and forgets less. Weaker than full fine-tuning where rows are
    many, or far from what the model was pre-trained on.

    Attributes:
        layers: How many of the top layers learn, of each stack.
        modules: Names of modules or parameters that learn instead, with ``*`` for any part, e.g. ``*.attention.*``;
            the head always learns.
        layer_decay: Rate of each layer as a share of that of the layer above it; see `rates_by_depth`.
        gradual: Whether the layers join one after another, from the top, over the first half of training; before that
            the head learns with the topmost alone. Source: Howard and Ruder 2018, "Universal language model
            fine-tuning for text classification", section 3.3, who let one join at each epoch.
    """

    layers: int = 2
    modules: tuple[str, ...] = ()
    layer_decay: float = 1.0
    gradual: bool = False

    name = "partial"

    def prepare(self, model: PreTrainedModel) -> PreTrainedModel:
        """Freeze everything but the chosen part.

        Raises:
            UserError: The model has fewer layers, none that can be told apart, or no module of a given name.
        """
        if self.modules and self.gradual:
            raise UserError(
                "modules by name are in no order in which they could join",
                where="strategy.gradual",
                fix="leave one out",
            )
        return self.select(model, self._named(model) if self.modules else self._top(model))

    def joins(self, model: PreTrainedModel) -> dict[str, float]:
        """The layers below the topmost, the later the lower."""
        if not self.gradual:
            return {}
        shares = {
            f"{name}.": place / (2 * self.layers)
            for stack in layer_stacks(model)
            for place, (name, _) in enumerate(reversed(stack[len(stack) - self.layers :]))
        }
        heads = head_parameters(model)
        return {
            parameter: share
            for parameter, _ in model.named_parameters()
            for prefix, share in shares.items()
            if share and parameter.startswith(prefix) and parameter not in heads
        }

    def _top(self, model: PreTrainedModel) -> set[str]:
        stacks = layer_stacks(model)
        most = min(map(len, stacks))
        if self.layers > most:
            raise UserError(
                f"{self.layers} layers are to learn, but the model has only {most}",
                where="strategy.layers",
                fix=f"--set strategy.layers={most} at most, or --strategy full",
            )
        tops = tuple(f"{name}." for stack in stacks for name, _ in stack[len(stack) - self.layers :])
        return {name for name, _ in model.named_parameters() if tops and name.startswith(tops)}

    def _named(self, model: PreTrainedModel) -> set[str]:
        names = [name for name, _ in model.named_parameters()]
        chosen: set[str] = set()
        for pattern in self.modules:
            found = {
                name
                for name in names
                if fnmatch.fnmatchcase(name, pattern) or fnmatch.fnmatchcase(name, f"{pattern}.*")
            }
            if not found:
                example = names[len(names) // 2].rpartition(".")[0]
                raise UserError(
                    f"no parameter of the model is called {pattern!r}",
                    where="strategy.modules",
                    fix=f"names look like {example}; * stands for any part",
                )
            chosen |= found
        return chosen

    def rate_of(self, model: PreTrainedModel) -> dict[str, float]:
        """Lower layers learn at lower rates, if so configured."""
        return rates_by_depth(model, self.layer_decay)

    def default_learning_rate(self) -> float:
        """3e-4, the better of two by trial (decision 0014): fewer layers move farther."""
        return 3e-4
