"""Full fine-tuning: every parameter learns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from supertune.contracts import ParameterGroup

if TYPE_CHECKING:
    from transformers import PreTrainedModel


class FullStrategy:
    """Every parameter learns at one rate; biases and normalisation weights are not decayed.

    The strongest choice when there are a few hundred rows per class or more, and the most expensive one.
    """

    name = "full"

    def prepare(self, model: PreTrainedModel) -> PreTrainedModel:
        """Let every parameter learn."""
        model.requires_grad_(True)
        return model

    def phases(self) -> tuple[str, ...]:
        """One phase."""
        return ("train",)

    def parameter_groups(
        self, model: PreTrainedModel, learning_rate: float, weight_decay: float
    ) -> list[ParameterGroup]:
        """Matrices with decay, vectors (biases, LayerNorm) without: decay towards zero has no meaning for them."""
        named = [(name, parameter.ndim) for name, parameter in model.named_parameters() if parameter.requires_grad]
        matrices = tuple(name for name, dimensions in named if dimensions > 1)
        vectors = tuple(name for name, dimensions in named if dimensions <= 1)
        return [ParameterGroup(matrices, learning_rate, weight_decay), ParameterGroup(vectors, learning_rate, 0.0)]

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
