"""Train one model on encoded rows: the part that folds, ladder and search repeat."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from supertune.console import Bar, Console
from supertune.contracts import Consumer, Event, Features, Stop, Task
from supertune.errors import UserError
from supertune.evaluate import METRICS, estimate
from supertune.models import load_with_head
from supertune.recipes.start import Start
from supertune.train import (
    Plan,
    UsedVocabulary,
    adamw,
    consume,
    load_weights,
    predict_outputs,
    save_weights,
    schedule,
    torch_seed,
    train,
)

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel


@dataclass(frozen=True)
class Trained:
    """A trained model and how it came about.

    Attributes:
        model: With the weights of the best epoch, in evaluation mode.
        steps: Optimizer steps taken.
        examples_seen: Training rows gone through, repeats counted.
        best_epoch: 1-based epoch whose validation score was the best.
        best_score: That score.
        metric: The metric that chose it.
        seconds: Time from the first step to the last.
    """

    model: PreTrainedModel
    steps: int
    examples_seen: int
    best_epoch: int
    best_score: float
    metric: str
    seconds: float


class BestEpoch:
    """Consumer: keeps the weights of the epoch with the best validation score, and stops when none gets better.

    Equal scores are told apart by the validation loss, since small validation sets make ties common.
    """

    def __init__(self, save: Callable[[], None], metric: str, patience: int, *, higher_is_better: bool = True) -> None:
        self.metric = metric
        self.epoch = 0
        self._sign = 1 if higher_is_better else -1
        self.score = -self._sign * float("inf")
        self._loss = float("inf")
        self._save = save
        self._patience = patience

    def __call__(self, event: Event) -> Iterable[Event | Stop]:
        """Compare each ``validation`` event with the best so far."""
        if event.event != "validation":
            return
        epoch, score, loss = event.values["epoch"], event.values[self.metric], event.values["log_loss"]
        if (self._sign * score, -loss) > (self._sign * self.score, -self._loss):
            self.epoch, self.score, self._loss = epoch, score, loss
            self._save()
            yield Event("best", event.step, {"epoch": epoch, self.metric: score})
        elif self._patience and epoch - self.epoch >= self._patience:
            yield Stop(f"{self.metric} has not risen for {self._patience} epochs")


class Validation:
    """Consumer: scores the model on the validation rows after every epoch."""

    def __init__(self, score: Callable[[], Mapping[str, float]]) -> None:
        self._score = score

    def __call__(self, event: Event) -> Iterable[Event | Stop]:
        """Reply to each ``epoch`` event with a ``validation`` event."""
        if event.event == "epoch":
            yield Event("validation", event.step, {"epoch": event.values["epoch"], **self._score()})


class Progress:
    """Consumer: moves the bar, and says a line per epoch."""

    def __init__(self, console: Console, bar: Bar, metric: str, epochs: int) -> None:
        self._console, self._bar, self._metric, self._epochs = console, bar, metric, epochs
        self._items = 0
        self._start = time.monotonic()
        self._epoch_loss = float("nan")

    def __call__(self, event: Event) -> Iterable[Event | Stop]:
        """Show steps on the bar and epochs as lines."""
        values = event.values
        if event.event == "step":
            self._items += values["items"]
            rate = self._items / (time.monotonic() - self._start)
            self._bar(event.step, f"loss {values['loss']:.3f}, {rate:.0f} rows/s")
        elif event.event == "epoch":
            self._epoch_loss = values["loss"]
        elif event.event == "validation":
            self._console.say(
                f"  epoch {values['epoch']:>2}/{self._epochs}: loss {self._epoch_loss:.3f}, validation loss "
                f"{values['log_loss']:.3f}, {self._metric} {values[self._metric]:.3f}"
            )
        elif event.event == "stop":
            self._console.say(f"  stopped: {values['reason']}")
        return ()


@dataclass(frozen=True)
class Training:
    """A training that is about to begin.

    Attributes:
        model: With a fresh head, its input embedding cut down to the tokens that occur.
        vocabulary: Those tokens; puts the whole embedding back at the end.
        features: The rows, encoded in that vocabulary.
        optimizer: Over what the strategy lets learn.
        plan: How the rows will be gone through.
    """

    model: PreTrainedModel
    vocabulary: UsedVocabulary
    features: Mapping[str, Features]
    optimizer: torch.optim.Optimizer
    plan: Plan


def begin(start: Start, task: Task, features: Mapping[str, Features]) -> Training:
    """Open the model, put the head on it, and make the optimizer.

    Head and dropout draw from streams of their own, so that neither shifts when the other changes.

    Raises:
        UserError: The tokenizer is not the model's.
    """
    import torch

    settings = start.config.train
    assert isinstance(settings.epochs, int)
    assert isinstance(settings.learning_rate, float)
    torch.manual_seed(torch_seed(settings.seed, "head"))
    model = start.strategy.prepare(load_with_head(start.source, task.head()))
    # Decoders look for a text's last token by the padding's id, which their own configuration often lacks.
    model.config.pad_token_id = start.tokenizer.pad_token_id
    for encoded in features.values():
        check_tokens(start, model, encoded)
    vocabulary = UsedVocabulary(model, features.values(), int(start.tokenizer.pad_token_id or 0))
    torch.nn.Module.to(model, start.device)
    torch.manual_seed(torch_seed(settings.seed, "dropout"))
    groups = start.strategy.parameter_groups(model, settings.learning_rate, settings.weight_decay)
    plan = Plan(
        epochs=settings.epochs,
        batch_size=settings.batch_size,
        accumulate=settings.accumulate,
        clip_norm=settings.clip_norm,
        precision=start.precision,
        seed=settings.seed,
        padding={"input_ids": vocabulary.padding},
    )
    used = {split: vocabulary.encode(encoded) for split, encoded in features.items()}
    return Training(model, vocabulary, used, adamw(model, groups), plan)


def check_tokens(start: Start, model: PreTrainedModel, features: Features) -> None:
    """Check that the model has an embedding for every token; a tokenizer may know more than the texts use.

    Raises:
        UserError: It has not: the tokenizer is another model's.
    """
    known = int(model.get_input_embeddings().num_embeddings)  # type: ignore[arg-type]
    highest = int(features.tokens["input_ids"].max(initial=0))
    if highest >= known:
        raise UserError(
            f"the tokenizer gives the token {highest}, but the model has only {known}",
            where=str(start.source.folder),
            fix="use the tokenizer and the weights of the same model",
        )


def train_one(
    start: Start,
    task: Task,
    features: Mapping[str, Features],
    *,
    checkpoint: Path,
    record: Callable[[Event], None],
    console: Console,
) -> Trained:
    """Train on ``features["train"]``, choosing the epoch by ``features["validation"]``.

    Args:
        start: Model, strategy, device and settled configuration.
        task: What is to be learned; its state is fitted.
        features: Encoded rows; ``validation`` may be missing, then the last epoch is kept.
        checkpoint: Folder for the best epoch's weights while training goes on.
        record: Called with every event, for events.jsonl.
        console: Where to show progress.

    Raises:
        UserError: The loss became infinite or not a number, or the tokenizer is not the model's.
    """
    settings, evaluation = start.config.train, start.config.evaluate
    training = begin(start, task, features)
    model, features, plan = training.model, training.features, training.plan
    steps = plan.epochs * plan.steps_per_epoch(len(features["train"]))
    metric = task.primary_metric if evaluation.metric == "auto" else evaluation.metric

    def validate() -> dict[str, float]:
        outputs = predict_outputs(
            model,
            features["validation"],
            task.forward,
            batch_size=evaluation.batch_size,
            padding=plan.padding,
            precision=start.precision,
        )
        outcome = task.outcome(outputs, features["validation"])
        return {name: estimate(outcome, name) for name in dict.fromkeys(("accuracy", "log_loss", metric))}

    best = BestEpoch(
        lambda: save_weights(model, checkpoint),
        metric,
        settings.patience,
        higher_is_better=METRICS[metric].higher_is_better,
    )
    seen = step = 0
    begun = time.monotonic()
    with console.progress("training", steps) as bar:
        consumers: list[Consumer] = [Progress(console, bar, metric, plan.epochs)]
        if "validation" in features:
            consumers += [Validation(validate), best]
        rate = schedule(settings.schedule, steps, settings.warmup)
        events = train(model, features["train"], task.loss, training.optimizer, rate, plan)
        try:
            for event in consume(events, consumers):
                record(event)
                step = event.step
                seen += event.values["items"] if event.event == "step" else 0
        except FloatingPointError as error:
            assert isinstance(settings.learning_rate, float)
            raise UserError(
                f"training diverged at step {step + 1}: {error}",
                where=f"train.learning_rate = {settings.learning_rate:g}",
                fix=f"try a smaller rate: --set train.learning_rate={settings.learning_rate / 5:g}",
            ) from error
    if best.epoch:
        load_weights(model, checkpoint)
    training.vocabulary.restore(model)
    model.train(False)
    return Trained(model, step, seen, best.epoch or plan.epochs, best.score, metric, time.monotonic() - begun)
