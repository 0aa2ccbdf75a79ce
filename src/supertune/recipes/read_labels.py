"""A model that learns from what the labels mean, and from no rows: zero-shot."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from supertune.console import Console
from supertune.contracts import Event, Features, ReadsLabels, Task, label_names
from supertune.errors import UserError
from supertune.evaluate import estimate
from supertune.recipes.start import Start
from supertune.recipes.train_one import Trained
from supertune.recipes.train_seeds import SeedResult, TrainedSeeds
from supertune.recipes.zero_shot import answering_model, room_for_texts
from supertune.train import predict_outputs

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def read_labels(
    start: Start,
    task: Task,
    features: Mapping[str, Features],
    *,
    checkpoints: Path,
    record: Callable[[Event], None],
    console: Console,
) -> TrainedSeeds:
    """Make the model answer for the labels; in the place of `train_seeds`.

    Args:
        start: Model, strategy, device and settled configuration.
        task: What is to be answered; its state is fitted.
        features: Encoded rows; only ``validation`` is looked at, to say how good the descriptions are.
        checkpoints: Nothing is saved there: there is nothing to go on with.
        record: Called with every event, for events.jsonl.
        console: Where to show progress.

    Raises:
        UserError: It is not known what a label means.
    """
    strategy = start.strategy
    assert isinstance(strategy, ReadsLabels)
    begun = time.monotonic()
    model = answering_model(start.source, start.tokenizer, strategy, task)
    cast(Any, model).to(start.device)
    room = room_for_texts(start.source, model)
    if start.max_length > room:
        raise UserError(
            f"{start.max_length} tokens per text and a label's text behind each are more than {start.source.name} can "
            f"take ({start.source.max_positions})",
            where="model.max_length",
            fix=f"--set model.max_length={room}",
        )
    names = label_names(task)
    rows, seed = len(features["train"]), start.config.train.seed
    record(Event("start", 0, {"steps": 0, "epochs": 0, "rows": rows, "seed": seed, "parameters": 0}))
    for label, texts in zip(names, strategy.meanings(names), strict=True):
        console.say(f"  {label}: {' · '.join(texts)}")
    metric = task.primary_metric if start.config.evaluate.metric == "auto" else start.config.evaluate.metric
    score = float("nan")
    if "validation" in features:
        score = _score(start, task, model, features["validation"], metric)
        console.say(f"  validation {metric} {score:.3f}")
    trained = Trained(model, task, 0, 0, 0, score, metric, time.monotonic() - begun, seed)
    return TrainedSeeds(trained, (SeedResult(seed, score, 0, 0, degenerate=False),), 0)


def _score(start: Start, task: Task, model: PreTrainedModel, features: Features, metric: str) -> float:
    padding = {"input_ids": int(start.tokenizer.pad_token_id or 0)}
    outputs = predict_outputs(
        model,
        features,
        task.answering,
        batch_size=start.config.evaluate.batch_size,
        padding=padding,
    )
    return float(estimate(task.outcome(outputs, features), metric))
