"""The training loop: a generator of events that knows neither task nor strategy."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from supertune.contracts import Consumer, Event, Features, IntArray, Stop
from supertune.memory import out_of_memory
from supertune.train.batches import Batching, collate, epoch_order, sequential_order
from supertune.train.coupled import even_pieces
from supertune.train.learner import Learner
from supertune.train.packing import pack
from supertune.train.schedules import Schedule

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Plan:
    """How the rows are gone through.

    Attributes:
        epochs: Passes over the rows.
        batching: What makes up one optimizer step.
        accumulate: Pieces that each step is computed in; the result does not depend on it.
        seed: Decides the order of the items.
        padding: Token column → id to pad with.
        packed: Whether items stand behind each other in one row instead; the result does not depend on it either.
    """

    epochs: int
    batching: Batching
    accumulate: int
    seed: int
    padding: Mapping[str, int]
    packed: bool = False

    def once(self) -> Plan:
        """The same with all items as one step of one epoch."""
        return replace(self, epochs=1, batching=Batching(rows=2**31))

    def order(self, features: Features, epoch: int) -> list[IntArray]:
        """The items of each step of an epoch."""
        return epoch_order(features, self.batching, self.seed, epoch)

    def batch(self, features: Features, items: IntArray) -> dict[str, torch.Tensor]:
        """The named items as tensors."""
        return pack(features, items) if self.packed else collate(features, items, self.padding)

    def steps(self, features: Features) -> int:
        """Optimizer steps of all epochs together; the last, smaller batch of each is a step too."""
        if self.batching.tokens is None:
            units = len(features) if features.groups is None else len(features.groups)
            return self.epochs * -(-units // self.batching.rows)
        return sum(len(self.order(features, epoch)) for epoch in range(self.epochs))


@dataclass
class Position:
    """How far training has come. The loop moves it before it yields, so that it can be saved at any event.

    Attributes:
        epoch: Whole epochs done.
        batch: Steps done of the epoch that has begun.
        step: Steps done in all.
        examples: Items gone through, repeats counted.
        loss: Summed loss of the epoch that has begun.
        count: Supervised items of it.
        pieces: Pieces that a step is computed in; grows when memory runs out.
    """

    epoch: int = 0
    batch: int = 0
    step: int = 0
    examples: int = 0
    loss: float = 0.0
    count: int = 0
    pieces: int = 1

    def state_dict(self) -> dict[str, Any]:
        """Its values, as JSON."""
        return asdict(self)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go where the values say."""
        for name, value in state.items():
            setattr(self, name, value)


def train(
    learner: Learner, features: Features, rate: Schedule, plan: Plan, position: Position | None = None
) -> Iterator[Event]:
    """Train in place, yielding an event after every step and every epoch.

    ``step`` events carry ``loss`` (mean over the supervised items of the step), ``items``, ``tokens``,
    ``gradient_norm`` (before clipping) and ``learning_rate``; ``epoch`` events the 1-based ``epoch`` and the
    mean ``loss`` over its items; a ``memory`` event says into how many ``pieces`` steps are cut from now on,
    because memory ran out.

    Args:
        learner: Model and optimizer.
        features: The items to learn from.
        rate: Share of the peak rate at each step.
        plan: How the items are gone through.
        position: Where to begin; moved as training goes on.

    Raises:
        FloatingPointError: The loss or its gradient is not a finite number.
    """
    position = position or Position()
    position.pieces = max(position.pieces, plan.accumulate)
    while position.epoch < plan.epochs:
        for items in plan.order(features, position.epoch)[position.batch :]:
            pieces = position.pieces
            learner.begin_step(position.step)
            loss, count = _gradients(learner, features, items, plan, position)
            if position.pieces > pieces:
                yield Event("memory", position.step, {"pieces": position.pieces})
            norm = learner.update(count, rate(position.step))
            position.batch += 1
            position.step += 1
            position.examples += len(items)
            position.loss += loss
            position.count += count
            yield Event(
                "step",
                position.step,
                {
                    "loss": loss / max(count, 1),
                    # Of groups their number; else each is an item, however many of its tokens are learned.
                    "items": count if features.groups is not None else len(items),
                    "supervised": count,
                    "tokens": int(features.lengths[items].sum()),
                    "gradient_norm": norm,
                    "learning_rate": learner.learning_rate,
                },
            )
        ended = {"epoch": position.epoch + 1, "loss": position.loss / max(position.count, 1)}
        position.epoch += 1
        position.batch, position.loss, position.count = 0, 0.0, 0
        yield Event("epoch", position.step, ended)


def _gradients(
    learner: Learner, features: Features, items: IntArray, plan: Plan, position: Position
) -> tuple[float, int]:
    """Gradients of one step, in more pieces where memory does not suffice; the step stays the same."""
    while True:
        count = min(position.pieces, len(items))
        lengths = features.lengths[items]
        pieces = even_pieces(items, lengths, count) if learner.coupled else np.array_split(items, count)
        try:
            batches = (plan.batch(features, piece) for piece in pieces)
            return learner.gradients(batches, cached=count > 1)
        except (MemoryError, RuntimeError) as error:
            if not out_of_memory(error) or count == len(items):
                raise
        learner.forget_gradients()
        position.pieces = 2 * count


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
    progress: Callable[[int], None] | None = None,
) -> Any:
    """Raw outputs of every item, float32 (items, …), in item order; the model is in evaluation mode afterwards.

    Outputs for every token, (items, tokens, …), are as long as the longest item, with zeros behind shorter ones.

    Args:
        model: The network.
        features: Encoded rows.
        forward: (model, batch) → outputs.
        batch_size: Items per batch.
        padding: Token column → id to pad with.
        progress: Told the number of items done so far.
    """
    import torch

    device = next(model.parameters()).device
    model.eval()
    outputs: np.ndarray[Any, Any] | None = None
    done = 0
    with torch.inference_mode():
        for items in sequential_order(features.lengths, batch_size):
            batch = {name: value.to(device) for name, value in collate(features, items, padding).items()}
            values = forward(model, batch).float().cpu().numpy()
            if outputs is None:
                outputs = np.zeros((len(features), *values.shape[1:]), np.float32)
            if values.shape[1:] == outputs.shape[1:]:
                outputs[items] = values
            else:
                # The longest items come first.
                outputs[items, : values.shape[1]] = values
            done += len(items)
            if progress is not None:
                progress(done)
    return outputs
