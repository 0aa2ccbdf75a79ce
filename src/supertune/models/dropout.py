"""Dropout other than the model was pre-trained with."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

_PROBABILITY = re.compile(r"dropout|_pdrop$")
"""Names under which modules of transformers hold a dropout probability as a number (T5, BART, Llama, ModernBERT)."""

_OTHER = re.compile(r"layer_?drop|drop_?path|stochastic_depth")
"""Names of what leaves out whole layers or branches, which is not dropout."""


def override_dropout(model: torch.nn.Module, probability: float) -> None:
    """Set every dropout of the model, that of attention and of the head included, in place.

    Layers of dropout, and the numbers that modules hand to functions, are set. Where a model was built without a
    layer because its probability was 0, one is put in. ``model.config`` is not touched: what is saved says what the
    model was pre-trained with, and whoever fine-tunes it again starts from there.

    A few models (Falcon, BLT, CPM-Ant) read some of theirs from ``model.config`` at every pass; those remain.

    Args:
        model: Any model of transformers.
        probability: From 0 to below 1.

    Source: Srivastava et al. 2014, "Dropout: a simple way to prevent neural networks from overfitting".
    """
    import torch

    for module in model.modules():
        layer = "Dropout" in type(module).__name__
        for name, value in list(vars(module).items()):
            if _is_share(value) and ((layer and name == "p") or _is_dropout(name)):
                setattr(module, name, probability)
        for name, child in list(module.named_children()):
            # The last one of a head stands behind its answers: models that have it on are none that we know.
            known = "drop" in name and not _OTHER.search(name) and name != "last_dropout"
            if type(child) is torch.nn.Identity and known:
                setattr(module, name, torch.nn.Dropout(probability))


def _is_share(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= 1


def _is_dropout(name: str) -> bool:
    return bool(_PROBABILITY.search(name)) and not _OTHER.search(name)
