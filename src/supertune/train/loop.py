"""The training loop: a generator of events that knows neither task nor strategy."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from supertune.contracts import Consumer, Event, Features, IntArray, Stop
from supertune.train.batches import collate, epoch_order
from supertune.train.precision import Precision, computing
from supertune.train.schedules import Schedule

if TYPE_CHECKING:
    import torch

Loss = Callable[["torch.nn.Module", Mapping[str, "torch.Tensor"]], "tuple[torch.Tensor, torch.Tensor]"]


@dataclass(frozen=True)
class Plan:
    """How the rows are gone through.

    Attributes:
        epochs: Passes over the rows.
        batch_size: Items per optimizer step.
        accumulate: Pieces that each step is computed in; the result does not depend on it.
        clip_norm: Largest norm of the whole gradient; 0 for no clipping.
        precision: Number type of the matrix products.
        seed: Decides the order of the items and the dropout masks.
        padding: Token column → id to pad with.
    """

    epochs: int
    batch_size: int
    accumulate: int
    clip_norm: float
    precision: Precision
    seed: int
    padding: Mapping[str, int]

    def once(self) -> Plan:
        """The same with all items as one step of one epoch."""
        return replace(self, epochs=1, batch_size=2**31)

    def steps_per_epoch(self, items: int) -> int:
        """Optimizer steps in one pass over ``items``; the last, smaller batch is a step too."""
        return -(-items // self.batch_size)


def train(
    model: torch.nn.Module,
    features: Features,
    loss: Loss,
    optimizer: torch.optim.Optimizer,
    rate: Schedule,
    plan: Plan,
) -> Iterator[Event]:
    """Train ``model`` in place, yielding an event after every step and every epoch.

    ``step`` events carry ``loss`` (mean over the supervised items of the step), ``items``, ``tokens``,
    ``gradient_norm`` (before clipping) and ``learning_rate``; ``epoch`` events the 1-based ``epoch`` and the
    mean ``loss`` over its items.

    Raises:
        FloatingPointError: The loss or its gradient is not a finite number.
    """
    peaks = [group["lr"] for group in optimizer.param_groups]
    step = 0
    for epoch in range(plan.epochs):
        total_loss, total_items = 0.0, 0
        for items in epoch_order(features.lengths, plan.batch_size, plan.seed, epoch):
            # At every step, since consumers may predict between any two.
            model.train()
            share = rate(step)
            for group, peak in zip(optimizer.param_groups, peaks, strict=True):
                group["lr"] = peak * share
            summed, count, norm = _step(model, features, items, loss, optimizer, plan)
            step += 1
            total_loss, total_items = total_loss + summed, total_items + count
            yield Event(
                "step",
                step,
                {
                    "loss": summed / count,
                    "items": count,
                    "tokens": int(features.lengths[items].sum()),
                    "gradient_norm": norm,
                    "learning_rate": peaks[0] * share,
                },
            )
        yield Event("epoch", step, {"epoch": epoch + 1, "loss": total_loss / total_items})


def _step(
    model: torch.nn.Module,
    features: Features,
    items: IntArray,
    loss: Loss,
    optimizer: torch.optim.Optimizer,
    plan: Plan,
) -> tuple[float, int, float]:
    """One optimizer step; returns (summed loss, supervised items, gradient norm of the mean loss)."""
    import numpy as np
    import torch

    device = next(model.parameters()).device
    summed = torch.zeros((), device=device)
    count = torch.zeros((), dtype=torch.int64, device=device)
    optimizer.zero_grad(set_to_none=True)
    for piece in np.array_split(items, min(plan.accumulate, len(items))):
        batch = {name: value.to(device) for name, value in collate(features, piece, plan.padding).items()}
        with computing(plan.precision, device):
            piece_loss, piece_count = loss(model, batch)
        piece_loss.backward()  # type: ignore[no-untyped-call]
        summed += piece_loss.detach()
        count += piece_count
    if not torch.isfinite(summed):
        raise FloatingPointError("the loss is not a finite number")
    gradients = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
    norm = torch.nn.utils.get_total_norm(gradients) / count
    if not torch.isfinite(norm):
        raise FloatingPointError("the gradient is not a finite number")
    # Gradients are of the summed loss. One multiplication makes them those of the mean and clips them.
    factor = 1.0 / count
    if plan.clip_norm > 0:
        factor = factor * torch.clamp(plan.clip_norm / (norm + 1e-6), max=1.0)
    torch._foreach_mul_(gradients, factor)
    optimizer.step()
    return float(summed), int(count), float(norm)


def consume(events: Iterator[Event], consumers: Sequence[Consumer]) -> Iterator[Event]:
    """Hand every event to every consumer, in order, and yield it; what they reply is handed round as well.

    Ends early, at a step boundary, when a consumer replies with `Stop`; its reason is in a last ``stop`` event.
    """
    for event in events:
        stop: Stop | None = None
        waiting: deque[Event] = deque([event])
        while waiting:
            current = waiting.popleft()
            for consumer in consumers:
                for reply in consumer(current):
                    if isinstance(reply, Stop):
                        stop = stop or reply
                    else:
                        waiting.append(reply)
            yield current
        if stop is not None:
            ending = Event("stop", event.step, {"reason": stop.reason})
            for consumer in consumers:
                list(consumer(ending))
            yield ending
            return


def predict_outputs(
    model: torch.nn.Module,
    features: Features,
    forward: Callable[[torch.nn.Module, Mapping[str, torch.Tensor]], torch.Tensor],
    *,
    batch_size: int,
    padding: Mapping[str, int],
    precision: Precision = "fp32",
    progress: Callable[[int], None] | None = None,
) -> Any:
    """Raw outputs of every item, float32 (items, …), in item order; the model is in evaluation mode afterwards.

    Args:
        model: The network.
        features: Encoded rows.
        forward: (model, batch) → outputs.
        batch_size: Items per batch.
        padding: Token column → id to pad with.
        precision: Number type; fp32 unless speed matters more than the sixth digit.
        progress: Told the number of items done so far.
    """
    import numpy as np
    import torch

    from supertune.train.batches import sequential_order

    device = next(model.parameters()).device
    model.eval()
    outputs: np.ndarray[Any, Any] | None = None
    done = 0
    with torch.inference_mode():
        for items in sequential_order(features.lengths, batch_size):
            batch = {name: value.to(device) for name, value in collate(features, items, padding).items()}
            with computing(precision, device):
                values = forward(model, batch).float().cpu().numpy()
            if outputs is None:
                outputs = np.zeros((len(features), *values.shape[1:]), np.float32)
            outputs[items] = values
            done += len(items)
            if progress is not None:
                progress(done)
    return outputs
