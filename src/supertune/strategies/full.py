"""Full fine-tuning: every parameter learns."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from supertune.contracts import ParameterGroup
from supertune.strategies.layers import depth_of
from supertune.strategies.reinitialise import reinitialise_top

if TYPE_CHECKING:
    from transformers import PreTrainedModel


@dataclass(frozen=True)
class FullStrategy:
    """Every parameter learns; biases and normalisation weights are not decayed.

    The strongest choice when there are a few hundred rows per class or more, and the most expensive one.

    Attributes:
        layer_decay: Rate of each layer as a share of that of the layer above it (Howard and Ruder 2018, section 3.2;
            Sun et al. 2019, section 5.3.4): the head learns at the full rate, and with L layers what lies at depth d
            at ``layer_decay`` to the power L + 1 - d of it. With 1 all learn alike.
        reinitialise: Top layers that begin anew, with the pooler.
        head_rate: Rate of the head as a multiple of the others': it begins at random, and has further to go.
    """

    layer_decay: float = 1.0
    reinitialise: int = 0
    head_rate: float = 1.0

    name = "full"

    def prepare(self, model: PreTrainedModel) -> PreTrainedModel:
        """Let every parameter learn, the top layers from new weights if so configured; seed torch first.

        Raises:
            UserError: The model has no layers that can be told apart, or fewer than are to begin anew.
        """
        model.requires_grad_(True)
        reinitialise_top(model, self.reinitialise)
        return model

    def phases(self) -> tuple[str, ...]:
        """One phase."""
        return ("train",)

    def parameter_groups(
        self, model: PreTrainedModel, learning_rate: float, weight_decay: float
    ) -> list[ParameterGroup]:
        """Matrices with decay, vectors (biases, LayerNorm) without: decay towards zero has no meaning for them.

        Groups of the head come first, so that the first rate is the peak.

        Raises:
            UserError: Rates are to differ by layer, but the model has no layers that can be told apart.
        """
        depths = depth_of(model) if self.layer_decay != 1 else {}
        body = {id(parameter) for parameter in model.base_model.parameters()} if model.base_model is not model else None
        members: defaultdict[tuple[bool, int, bool], list[str]] = defaultdict(list)
        for name, parameter in model.named_parameters():
            if parameter.requires_grad:
                head = self.head_rate != 1 and body is not None and id(parameter) not in body
                members[head, depths.get(name, 0), parameter.ndim > 1].append(name)
        top = max(depths.values(), default=0)
        return [
            ParameterGroup(
                tuple(names),
                learning_rate * self.layer_decay ** (top - depth) * (self.head_rate if head else 1.0),
                weight_decay if matrices else 0.0,
            )
            for (head, depth, matrices), names in sorted(members.items(), reverse=True)
        ]

    def frozen_prefix(self, model: PreTrainedModel) -> tuple[str, ...]:
        """Nothing is frozen."""
        return ()

    def save(self, model: PreTrainedModel, folder: str) -> None:
        """The whole model as safetensors with its config.json."""
        from transformers.utils import logging

        shown = logging.is_progress_bar_enabled()
        logging.disable_progress_bar()  # type: ignore[no-untyped-call]
        try:
            model.save_pretrained(folder)
        finally:
            if shown:
                logging.enable_progress_bar()  # type: ignore[no-untyped-call]

    def default_learning_rate(self) -> float:
        """1e-4: small encoders are under-trained by 5e-5 where rows are few.

        Chosen on validation rows of the support tickets, one seed; not yet by an ablation.
        """
        return 1e-4
