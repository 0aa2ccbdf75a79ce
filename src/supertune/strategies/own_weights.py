"""What strategies share that train weights which the model has, and save it whole."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from supertune.contracts import FrozenPrefix, ParameterGroup
from supertune.strategies.layers import depth_of
from supertune.strategies.parts import frozen_prefix, head_parameters

if TYPE_CHECKING:
    from transformers import PreTrainedModel


@dataclass(frozen=True)
class OwnWeights:
    """Some of the model's own weights learn; biases and normalisation weights are not decayed.

    Attributes:
        head_rate: Rate of the head as a multiple of the others': it begins at random, and has further to go.
    """

    head_rate: float = 1.0

    adapter = False
    own_head = False
    passes = 1.0
    mergeable = False
    extra_tokens = 0

    def select(self, model: PreTrainedModel, names: set[str]) -> PreTrainedModel:
        """Let the named parameters learn, and the head."""
        learning = names | head_parameters(model)
        for name, parameter in model.named_parameters():
            parameter.requires_grad_(name in learning)
        return model

    def rate_of(self, model: PreTrainedModel) -> dict[str, float]:
        """Parameter name → its rate as a share of the full one, where that is not 1."""
        return {}

    def parameter_groups(
        self, model: PreTrainedModel, learning_rate: float, weight_decay: float
    ) -> list[ParameterGroup]:
        """Matrices with decay, vectors (biases, LayerNorm) without: decay towards zero has no meaning for them.

        Groups with the highest rate come first, so that the first rate is the peak.
        """
        shares = self.rate_of(model)
        heads = head_parameters(model)
        members: defaultdict[tuple[float, bool], list[str]] = defaultdict(list)
        for name, parameter in model.named_parameters():
            if parameter.requires_grad:
                share = shares.get(name, 1.0) * (self.head_rate if name in heads else 1.0)
                members[share, parameter.ndim > 1].append(name)
        return [
            ParameterGroup(tuple(names), learning_rate * share, weight_decay if matrices else 0.0)
            for (share, matrices), names in sorted(members.items(), reverse=True)
        ]

    def joins(self, model: PreTrainedModel) -> dict[str, float]:
        """Everything learns from the first step on."""
        return {}

    def frozen_prefix(self, model: PreTrainedModel) -> FrozenPrefix:
        """The layers below the first one that learns."""
        return frozen_prefix(model)

    def save(self, model: PreTrainedModel, folder: str, base: str) -> None:
        """The whole model as safetensors with its config.json."""
        with quiet_saving():
            model.save_pretrained(folder)

    def load(self, model: PreTrainedModel, folder: str) -> PreTrainedModel:
        """What was saved is a whole model, and needs nothing put on it."""
        return model

    def caution(self, parameters: int) -> str | None:
        """Nothing is known against it."""
        return None

    def load_lines(self, auto_class: str) -> str:
        """Plain transformers opens it."""
        return f"""\
from transformers import {auto_class}, AutoTokenizer

folder = "."  # this folder
tokenizer = AutoTokenizer.from_pretrained(folder)
model = {auto_class}.from_pretrained(folder).eval()
"""

    def merge(self, model: PreTrainedModel) -> PreTrainedModel:
        """There is nothing to merge."""
        raise NotImplementedError


@contextmanager
def quiet_saving() -> Iterator[None]:
    """Keep transformers' progress bars from the user, who sees ours."""
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()  # type: ignore[no-untyped-call]


def rates_by_depth(model: PreTrainedModel, layer_decay: float) -> dict[str, float]:
    """Share of the full rate by parameter name: with L layers, ``layer_decay`` to the power L + 1 - d at depth d.

    Source: Howard and Ruder 2018, section 3.2; Sun et al. 2019, section 5.3.4.

    Raises:
        UserError: Rates are to differ by layer, but the model has no layers that can be told apart.
    """
    if layer_decay == 1:
        return {}
    depths = depth_of(model)
    top = max(depths.values())
    return {name: layer_decay ** (top - depth) for name, depth in depths.items()}
