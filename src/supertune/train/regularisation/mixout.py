"""Mixout: dropout towards the pre-trained weights instead of towards zero."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

from supertune.train.regularisation.fast_dropout import fast_dropout

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

    from supertune.train.learner import Batch, Objective


def pretrained_weights(model: PreTrainedModel) -> dict[str, torch.Tensor]:
    """Copies of the weights that mixout holds on to: the learning matrices of the body, without its embeddings.

    Take them before the first step. The head has no pre-trained weights; biases and normalisation weights are few
    and keep their own ways, as in the authors' implementation.
    """
    import torch

    body = model.base_model
    inside = {id(parameter) for parameter in body.parameters()} if body is not model else None
    lookups = {
        id(parameter)
        for module in model.modules()
        if isinstance(module, torch.nn.Embedding)
        for parameter in module.parameters(recurse=False)
    }
    return {
        name: parameter.detach().clone()
        for name, parameter in model.named_parameters()
        if parameter.requires_grad
        and parameter.ndim == 2
        and id(parameter) not in lookups
        and (inside is None or id(parameter) in inside)
    }


def mixout(objective: Objective, pretrained: Mapping[str, torch.Tensor], probability: float) -> Objective:
    """The objective at weights of which each is as pre-trained with the given probability, while training.

    With u the pre-trained weight, w the learned one and m drawn from Bernoulli(p), the model computes with
    ``(m u + (1 - m) w - p u) / (1 - p)``, whose mean is w; that is ``u + dropout(w - u)``, and so it is computed.
    Every pass draws anew. In evaluation mode the objective is as it was.

    The model itself is not changed: its parameters, their names and what is saved of them stay as they are, before,
    meanwhile and after, so optimizers and checkpoints need not know.

    Args:
        objective: What is minimised.
        pretrained: As `pretrained_weights` gives them; kept in the device and type that the model computes in.
        probability: From 0 to below 1; the paper uses 0.7 to 0.9 on small data.

    Source: Lee, Cho and Kang 2020, "Mixout: effective regularization to finetune large-scale pretrained language
    models", section 3.
    """
    if not probability:
        return objective
    kept = dict(pretrained)

    def mixed(model: torch.nn.Module, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        import torch

        if not model.training:
            return objective(model, batch)
        values = {}
        for name, origin in kept.items():
            learned = model.get_parameter(name)
            # In the same type, a weight that has not moved differs from its origin by exactly 0.
            origin = kept[name] = origin.to(learned)
            values[f"model.{name}"] = origin + fast_dropout(learned - origin, probability)
        found = torch.func.functional_call(_calling(objective, model), values, (batch,))
        return cast("tuple[torch.Tensor, torch.Tensor]", found)

    return mixed


def _calling(objective: Objective, model: torch.nn.Module) -> torch.nn.Module:
    """The objective as a module that holds the model, which is what torch can call with other weights."""
    import torch

    class Call(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
            return objective(model, batch)

    return Call()
