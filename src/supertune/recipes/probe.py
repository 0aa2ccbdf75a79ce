"""What is measured on throw-away weights before training: attention, memory, and the learning rate if asked for."""

from __future__ import annotations

import gc
import math
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from supertune.config import WRITING
from supertune.console import Console
from supertune.contracts import Features, IntArray, ReadsLabels, Task
from supertune.memory import available_bytes
from supertune.models import count_parameters, load_configuration
from supertune.recipes.begin import Training, begin
from supertune.recipes.packing import CannotPackError, may_checkpoint
from supertune.recipes.settings import default_rate, means_something
from supertune.recipes.start import Start
from supertune.train import Batching, StepMemory, collate, epoch_order, measure_attention, pays, range_test

if TYPE_CHECKING:
    import torch

_MOST_TEXTS = 16
"""Texts by which ways of computing attention are compared."""
_MOST_STEPS = 100
"""Steps of the range test; as in Smith 2017 a fraction of an epoch is enough to see where the loss falls fastest."""


def probe(start: Start, task: Task, features: Mapping[str, Features], console: Console) -> Start:
    """Settle what only the model and the encoded rows can tell.

    Raises:
        UserError: The tokenizer is not the model's, or settings do not fit the model.
    """
    train = start.config.train
    values: dict[str, object] = {}
    if isinstance(start.strategy, ReadsLabels):
        return _with(start, {"train.attention": "sdpa", "train.packing": False, "train.checkpoint_activations": False})
    if train.attention == "auto" or train.learning_rate == "find":
        values = _tried(start, task, features["train"], console)
        # A model and what hangs on it hold each other: without this it would stay beside the one that is trained.
        gc.collect()
    if train.packing == "auto":
        values["train.packing"] = _packs(_with(start, values), task, features["train"], console)
        gc.collect()
    pieces, again = _fitting(_with(start, values), load_configuration(start.source), features["train"])
    if train.checkpoint_activations == "auto":
        values["train.checkpoint_activations"] = again
        if again:
            console.warn("a single text may not fit into memory: layers are computed again instead of kept")
    if pieces > train.accumulate:
        console.warn(f"a step of {train.batch_size} rows may not fit into memory: it is computed in {pieces} pieces")
        values["train.accumulate"] = pieces
    return _with(start, values)


def _packs(start: Start, task: Task, features: Features, console: Console) -> bool:
    """Whether the texts of a step stand in one row: where that pays, and the model can."""
    train = start.config.train
    if not means_something("train.packing", task) or start.strategy.extra_tokens or train.adversarial != "none":
        return False
    if not pays(features, epoch_order(features, Batching(train.batch_size, train.batch_tokens), train.seed, 0)):
        return False
    settled: dict[str, object] = {"train.packing": True}
    if train.learning_rate == "find":
        settled["train.learning_rate"] = default_rate(start.strategy, train.optimizer)
    try:
        begin(_with(start, settled), task, {"train": features})
    except CannotPackError as error:
        console.warn(f"{error.what}: they are padded")
        return False
    console.say("  texts are packed: padded they would be much longer")
    return True


def _tried(start: Start, task: Task, features: Features, console: Console) -> dict[str, object]:
    """What is found by computing with a model that is thrown away."""
    train = start.config.train
    rate = default_rate(start.strategy, train.optimizer)
    open_ends: dict[str, object] = {"train.attention": "sdpa"} if train.attention == "auto" else {}
    if train.learning_rate == "find":
        open_ends["train.learning_rate"] = rate
    training = begin(_with(start, open_ends), task, {"train": features})
    values: dict[str, object] = {}
    if train.attention == "auto":
        values["train.attention"] = _attention(training, console)
    if train.learning_rate == "find":
        values["train.learning_rate"] = _rate(training, console) or rate
    return values


def _with(start: Start, values: Mapping[str, object]) -> Start:
    return replace(start, config=start.config.with_values(values)) if values else start


def _attention(training: Training, console: Console) -> str:
    features = training.features["train"]
    items = typical(features, training.plan.order(features, 0))
    # Which way is the quickest hangs on how long the texts are, and hardly on how many.
    spread = np.unique(np.linspace(0, len(items) - 1, min(len(items), _MOST_TEXTS)).astype(np.int64))
    batch = _batch(training, items[spread])
    ids = {name: batch[name] for name in ("input_ids", "attention_mask")}
    chosen, seconds = measure_attention(training.model, ids)
    told = ", ".join(f"{name} {1000 * taken:.0f} ms" for name, taken in seconds.items())
    console.say(f"  attention {chosen}: forwards and backwards through the body takes {told} here")
    return chosen


def _batch(training: Training, items: IntArray) -> dict[str, torch.Tensor]:
    batch = collate(training.features["train"], items, training.plan.padding)
    return {name: value.to(training.learner.device) for name, value in batch.items()}


def typical(features: Features, order: list[IntArray]) -> IntArray:
    """The batch in the middle when batches are lined up by padded tokens: half of the work is in larger ones."""
    sizes = np.array([padded_tokens(features, items) for items in order])
    ranks = np.argsort(sizes, kind="stable")
    middle = int(np.searchsorted(np.cumsum(sizes[ranks]), sizes.sum() / 2))
    return order[int(ranks[middle])]


def padded_tokens(features: Features, items: IntArray) -> int:
    """Tokens of a batch, padding included: what a step's time is about proportional to."""
    return int(features.lengths[items].max()) * len(items)


def _rate(training: Training, console: Console) -> float | None:
    features = training.features["train"]
    order = training.plan.order(features, 0)
    steps = iter(order * math.ceil(_MOST_STEPS / len(order)))
    # Of the first group; every other keeps its share of it.
    peak = training.learner.learning_rate

    with console.progress("finding the rate", _MOST_STEPS) as bar:
        done = 0

        def step(rate: float) -> float:
            nonlocal done
            items = next(steps)
            loss, count = training.learner.gradients([training.plan.batch(features, items)])
            training.learner.update(count, rate / peak)
            done += 1
            mean = loss / max(count, 1)
            bar(done, f"loss {mean:.3f}")
            return mean

        found = range_test(step, steps=_MOST_STEPS)
    rate, reason = found.suggestion.rate, found.suggestion.reason
    if rate is None:
        console.warn(f"no learning rate was found ({reason}): the strategy's default is used")
        return None
    console.say(f"  learning rate {rate:.1e}: {reason}")
    return float(f"{rate:.2g}")


def _fitting(start: Start, config: Any, features: Features) -> tuple[int, bool]:
    """Pieces into which a step of the longest texts must be cut to fit, and whether layers must be computed again."""
    free, train = available_bytes(start.device), start.config.train
    if free is None:
        return 1, False
    longest = int(features.lengths.max(initial=1))
    rows = train.batch_size if train.batch_tokens is None else max(1, train.batch_tokens // longest)
    memory = StepMemory(
        config,
        width=2 if start.precision == "bf16" else 4,
        weights=count_parameters(start.source.folder) or 0,
        all_learn=start.strategy.name == "full",
        writes=start.config.task.name in WRITING,
        scores=train.attention != "sdpa",
    )
    again = train.checkpoint_activations
    if again == "auto":
        return memory.fitting(min(rows, len(features)), longest, free, again=None if may_checkpoint(config) else False)
    return memory.fitting(min(rows, len(features)), longest, free, again=again)
