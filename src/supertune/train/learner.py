"""One optimizer step: gradients of all pieces, their norm, and the update."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from supertune.contracts import ParameterGroup
from supertune.train.coupled import Coupled, coupled_gradients
from supertune.train.embeddings.rows import RowEmbedding
from supertune.train.masters import Masters
from supertune.train.precision import Precision
from supertune.train.regularisation.averaging import WeightAverage
from supertune.train.regularisation.penalties import add_penalties, penalised

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

Batch = Mapping[str, "torch.Tensor"]
Objective = Callable[["torch.nn.Module", Batch], "tuple[torch.Tensor, torch.Tensor]"]
"""(model, batch) → (summed loss, number of supervised items); it owns the forward pass."""

Descent = Callable[[Objective, "torch.nn.Module", Batch], "tuple[torch.Tensor, torch.Tensor]"]
"""Adds the gradients of an objective to the parameters; returns its summed loss without a graph, and the count."""

BuildOptimizer = Callable[[Sequence[dict[str, Any]]], "torch.optim.Optimizer"]


def plain_descent(objective: Objective, model: torch.nn.Module, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
    """The gradient of the loss itself."""
    loss, count = objective(model, batch)
    loss.backward()  # type: ignore[no-untyped-call]
    return loss.detach(), count


@dataclass(frozen=True)
class Regularisation:
    """What else bears on a step; nothing by default.

    Attributes:
        clip_norm: Largest norm of the whole gradient; 0 for no clipping.
        l1: Factor of the sum of absolute weights in the loss.
        l2: Factor of half the sum of squared weights in the loss.
        averaging: Average that is used in the weights' place once training is over, and when it is validated.
        ema_decay: How slowly the ``ema`` moves.
        averaged_from: Step from which weights enter the ``uniform`` average.
    """

    clip_norm: float = 1.0
    l1: float = 0.0
    l2: float = 0.0
    averaging: Literal["none", "ema", "uniform"] = "none"
    ema_decay: float = 0.99
    averaged_from: int = 0


class Learner:
    """A model, what is minimised, and how its weights move.

    Args:
        model: Trained in place; in bf16 it computes with bfloat16 weights until `release`.
        objective: What is minimised; of items that are compared with each other, in two parts.
        groups: Which parameters learn, and at what rate.
        build: Makes the optimizer from groups of named 32-bit tensors.
        precision: Number type to compute in.
        descent: How gradients come about; adversarial training differs from the plain way.
        regularisation: What else bears on a step.
        build_rows: Makes the optimizer of the word embeddings' rows (`row_adam`); None to treat them like any weight.
        joins: Parameter → step from which it learns; others learn from the first on.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        objective: Objective | Coupled,
        groups: Sequence[ParameterGroup],
        build: BuildOptimizer,
        *,
        precision: Precision = "fp32",
        descent: Descent = plain_descent,
        regularisation: Regularisation | None = None,
        build_rows: BuildOptimizer | None = None,
        joins: Mapping[str, int] | None = None,
    ) -> None:
        self.model, self._objective, self._descent = model, objective, descent
        self._regularisation = regularisation or Regularisation()
        rows = _embedding_name(model) if build_rows is not None else None
        self.masters = Masters(model, precision, keep=frozenset({rows} if rows else ()))
        self._rows = _row_embedding(model, precision) if rows else None
        self._optimizers = [build(self._named(groups, lambda name: name != rows))]
        if self._rows is not None and build_rows is not None:
            optimizer: Any = build_rows(self._named(groups, lambda name: name == rows))
            self._rows.serve(optimizer.catch_up)
            self._optimizers.append(optimizer)
        self._peaks = [[group["lr"] for group in optimizer.param_groups] for optimizer in self._optimizers]
        self._penalised = penalised(self.masters.tensors.items())
        self._average = self._averaging()
        self._joins = dict(joins or {})
        self._waiting: frozenset[str] = frozenset()
        self.device = next(model.parameters()).device

    def _named(self, groups: Sequence[ParameterGroup], wanted: Callable[[str], bool]) -> list[dict[str, Any]]:
        tensors = self.masters.tensors
        return [
            {
                "params": [(name, tensors[name]) for name in group.names if wanted(name)],
                "lr": group.learning_rate,
                "weight_decay": group.weight_decay,
            }
            for group in groups
            if any(wanted(name) for name in group.names)
        ]

    def _averaging(self) -> WeightAverage | None:
        how = self._regularisation
        if how.averaging == "none":
            return None
        tensors = list(self.masters.tensors.values())
        return WeightAverage(tensors, how.averaging, how.ema_decay, how.averaged_from)

    def begin_step(self, step: int) -> None:
        """Let the parameters learn whose time has come by this step, counted from 0, and no others."""
        waiting = frozenset(name for name, joining in self._joins.items() if joining > step)
        if waiting != self._waiting:
            for name, parameter in self.model.named_parameters():
                if name in self._joins:
                    parameter.requires_grad_(name not in waiting)
            self._waiting = waiting

    @property
    def coupled(self) -> bool:
        """Whether the items of a step are compared with each other."""
        return isinstance(self._objective, Coupled)

    def gradients(self, pieces: Iterable[Batch], *, cached: bool = False) -> tuple[float, int]:
        """Gradients of the summed loss over all pieces of a step; returns that loss and the supervised items.

        Args:
            pieces: The step.
            cached: Where items are compared with each other: hold the activations of one piece at a time.

        Raises:
            FloatingPointError: The loss is not a finite number.
        """
        import torch

        # At every step, since consumers may predict between any two.
        self.model.train()
        self.masters.clear()
        batches = ({name: value.to(self.device) for name, value in piece.items()} for piece in pieces)
        summed = torch.zeros((), device=self.device)
        count = torch.zeros((), dtype=torch.int64, device=self.device)
        if isinstance(self._objective, Coupled):
            collect = self.masters.collect
            summed, count = coupled_gradients(self._objective, self.model, list(batches), collect, cached=cached)
        else:
            for batch in batches:
                loss, items = self._descent(self._objective, self.model, batch)
                self.masters.collect()
                summed += loss
                count += items
        if not torch.isfinite(summed):
            raise FloatingPointError("the loss is not a finite number")
        return float(summed), int(count)

    def forget_gradients(self) -> None:
        """Give their memory back."""
        self.masters.clear()

    def update(self, count: int, share: float) -> float:
        """Divide the gradients by ``count``, clip, and move the weights at ``share`` of the peak rates.

        Returns:
            The norm of the gradient of the mean loss with its penalties, before clipping.

        Raises:
            FloatingPointError: The gradient is not a finite number.
        """
        import torch

        how = self._regularisation
        gradients = self._dense_gradients()
        # Gradients are of the summed loss: so are the penalties then, until one multiplication makes them those of
        # the mean and clips them.
        if how.l1 or how.l2:
            weights = [tensor for name in self._penalised if (tensor := self.masters.tensors[name]).grad is not None]
            of_weights = [tensor.grad for tensor in weights if tensor.grad is not None]
            add_penalties(weights, of_weights, how.l1 * count, how.l2 * count)
        norm = torch.nn.utils.get_total_norm(gradients) / max(count, 1)
        if not torch.isfinite(norm):
            raise FloatingPointError("the gradient is not a finite number")
        factor = torch.ones_like(norm) / max(count, 1)
        if how.clip_norm > 0:
            factor = factor * torch.clamp(how.clip_norm / (norm + 1e-6), max=1.0)
        torch._foreach_mul_(gradients, factor)
        for optimizer, peaks in zip(self._optimizers, self._peaks, strict=True):
            for group, peak in zip(optimizer.param_groups, peaks, strict=True):
                group["lr"] = peak * share
            optimizer.step()
        self.masters.spread()
        if self._average is not None:
            self._average.update()
        return float(norm)

    def _dense_gradients(self) -> list[torch.Tensor]:
        """All gradients as dense tensors; of a sparse one the rows that it has, each once."""
        found = []
        for tensor in self.masters.tensors.values():
            if tensor.grad is not None:
                if tensor.grad.is_sparse:
                    tensor.grad = tensor.grad.coalesce()
                found.append(tensor.grad._values() if tensor.grad.is_sparse else tensor.grad)
        return found

    @property
    def learning_rate(self) -> float:
        """The present rate of the first group."""
        return float(self._optimizers[0].param_groups[0]["lr"])

    def weights(self) -> dict[str, torch.Tensor]:
        """What has been learned, float32 by parameter name: averages where there are any. Not copies."""
        self._settle()
        if self._average is None:
            return {name: tensor.detach() for name, tensor in self.masters.tensors.items()}
        averages = (tensor.detach() for tensor in self._average.averages())
        return dict(zip(self.masters.tensors, averages, strict=True))

    @contextmanager
    def evaluating(self) -> Iterator[None]:
        """Let the model compute with `weights` while the block lasts."""
        if self._average is None:
            yield
            return
        with self.masters.replaced(self.weights()):
            yield

    def load_weights(self, tensors: Mapping[str, torch.Tensor]) -> None:
        """Take over what `weights` gave."""
        self._settle()
        self.masters.load(tensors)

    def _settle(self) -> None:
        for optimizer in self._optimizers:
            if hasattr(optimizer, "settle"):
                optimizer.settle()

    def state_dict(self) -> dict[str, Any]:
        """Everything that the next step depends on; tensors are not copies."""
        return {
            "weights": {name: tensor.detach() for name, tensor in self.masters.tensors.items()},
            "optimizers": [optimizer.state_dict() for optimizer in self._optimizers],
            "average": self._average.state_dict() if self._average is not None else None,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a state of a learner that was made in the same way."""
        self.masters.load(state["weights"])
        for optimizer, stored in zip(self._optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(stored)
        if self._average is not None:
            self._average.load_state_dict(state["average"])

    def release(self) -> None:
        """Give the model its weights in 32 bits, as last trained, and make it a plain one again."""
        self._settle()
        self.masters.release(self.model)
        if self._rows is not None:
            self._rows.release()


def _embedding_name(model: PreTrainedModel) -> str | None:
    """Name of the word embeddings' weight if it learns, and is nobody else's too."""
    weight = model.get_input_embeddings().weight
    names = [name for name, parameter in model.named_parameters(remove_duplicate=False) if parameter is weight]
    return names[0] if len(names) == 1 and weight.requires_grad else None


def _row_embedding(model: PreTrainedModel, precision: Precision) -> RowEmbedding:
    import torch

    embedding = model.get_input_embeddings()
    assert isinstance(embedding, torch.nn.Embedding)
    return RowEmbedding(embedding, torch.bfloat16 if precision == "bf16" else torch.float32)
