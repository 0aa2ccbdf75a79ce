"""Train one model on encoded rows: the part that folds, ladder and search repeat."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from supertune.config import EvaluateConfig, TrainConfig
from supertune.console import Console
from supertune.contracts import Consumer, Event, Features, Outcome, Task
from supertune.errors import UserError
from supertune.evaluate import estimate
from supertune.recipes.begin import Training, begin
from supertune.recipes.consumers import BestEpoch, Checkpoints, Progress, Validation
from supertune.recipes.encode import after
from supertune.recipes.interruption import Interruption
from supertune.recipes.kinds import judged_by, kind_of
from supertune.recipes.start import Start
from supertune.train import (
    BITS,
    CheckpointWriter,
    Position,
    TrainingState,
    consume,
    flatten,
    interpolated,
    newest_good,
    predict_outputs,
    restore_rng,
    rng_state,
    schedule,
    train,
    unflatten,
)

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel


@dataclass(frozen=True)
class Trained:
    """A trained model and how it came about.

    Attributes:
        model: With the weights of the best epoch, in evaluation mode.
        task: With thresholds chosen on the validation rows, where it has any.
        steps: Optimizer steps taken.
        examples_seen: Training rows gone through, repeats counted.
        best_epoch: 1-based epoch whose validation score was the best.
        best_score: That score.
        metric: The metric that chose it.
        seconds: Time from the first step to the last, of this process.
        seed: The seed of head, order and dropout.
        degenerate: Whether the model gives every validation row the same answer, and has learned nothing.
    """

    model: PreTrainedModel
    task: Task
    steps: int
    examples_seen: int
    best_epoch: int
    best_score: float
    metric: str
    seconds: float
    seed: int
    degenerate: bool = False


def train_one(
    start: Start,
    task: Task,
    features: Mapping[str, Features],
    *,
    checkpoints: Path,
    record: Callable[[Event], None],
    console: Console,
) -> Trained:
    """Train on ``features["train"]``, choosing the epoch by ``features["validation"]``.

    Goes on from the newest whole checkpoint if there is one.

    Args:
        start: Model, strategy, device and settled configuration.
        task: What is to be learned; its state is fitted.
        features: Encoded rows; ``validation`` may be missing, then the last epoch is kept.
        checkpoints: Folder for checkpoints.
        record: Called with every event, for events.jsonl.
        console: Where to show progress.

    Raises:
        UserError: The loss became infinite or not a number, the tokenizer is not the model's, or the checkpoint is of
            another training.
        KeyboardInterrupt: Ctrl-C, once everything is saved.
    """
    settings, evaluation = start.config.train, start.config.evaluate
    training = begin(start, task, features)
    metric = task.primary_metric if evaluation.metric == "auto" else evaluation.metric
    best = BestEpoch(
        training.learner.weights,
        metric,
        settings.patience,
        higher_is_better=judged_by(task)[metric].higher_is_better,
        tie_breaker=kind_of(task).tie_breaker,
        less_is_better=not judged_by(task)[kind_of(task).tie_breaker].higher_is_better,
    )
    begun = time.monotonic()
    # Before a checkpoint is loaded: these are the same at every start.
    before = _copied(training.learner.weights()) if settings.interpolation else {}
    training = with_frozen(training, task, checkpoints, evaluation.batch_size, console)
    position = Position()
    saved = _Saved(training, position, {"best": best})
    for event in _opening(saved, checkpoints, console):
        record(event)
    with (
        Interruption() as interruption,
        console.progress("training", training.steps) as bar,
        CheckpointWriter(checkpoints, settings.checkpoints) as disk,
    ):
        consumers: list[Consumer] = [
            Progress(console, bar, metric, training.plan.epochs, loss=kind_of(task).tie_breaker)
        ]
        if "validation" in features:
            consumers += [Validation(lambda: validate(training, task, metric, evaluation)), best]
        every = None if settings.checkpoint_every == "auto" else settings.checkpoint_every
        saving = Checkpoints(disk, saved.state, every, console) if every != 0 else None
        if saving is not None:
            consumers.append(saving)
        # A run that was killed when patience had come to its end has nothing to go on with.
        over = "validation" in features and best.exhausted(position.epoch)
        try:
            for event in consume(iter(()) if over else _steps(training, settings, position), consumers):
                record(event)
                # After a step everything is in the state; between an epoch and its validation it is not.
                if interruption.asked and event.event == "step":
                    break
        except FloatingPointError as error:
            raise _diverged(start, position, error) from error
        for event in saving.finish(position.step) if saving is not None else ():
            record(event)
    if interruption.asked:
        raise KeyboardInterrupt
    # Without validation rows the last weights are kept, or their average.
    weights = best.weights or training.learner.weights()
    training.learner.load_weights(interpolated(weights, before, settings.interpolation) if before else weights)
    degenerate = False
    if "validation" in features:
        task, outcome = judged(training, task, evaluation)
        degenerate = kind_of(task).learned_nothing(outcome, training.features["train"])
    return Trained(
        training.finish(),
        task,
        position.step,
        position.examples,
        best.epoch or training.plan.epochs,
        best.score,
        metric,
        time.monotonic() - begun,
        settings.seed,
        degenerate,
    )


def _copied(weights: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: tensor.to("cpu", copy=True) for name, tensor in weights.items()}


def with_frozen(training: Training, task: Task, folder: Path, batch_size: int, console: Console) -> Training:
    """The same with what the frozen layers give out for every text, so that they are computed once and not again."""
    frozen = training.frozen
    if frozen is None:
        return training
    # Training never looks at the others.
    read = {split: training.features[split] for split in ("train", "validation") if split in training.features}
    features: dict[str, Features] = dict(training.features)
    done = 0
    with console.progress("frozen layers", sum(map(len, read.values()))) as bar:
        for split, encoded in read.items():
            kept = frozen.remember(
                training.model,
                encoded,
                task.forward,
                folder=folder,
                rows=batch_size,
                padding=training.plan.padding,
                progress=after(done, bar),
            )
            if isinstance(kept, str):
                console.warn(f"{kept}: the frozen layers are computed at every pass over the {split} rows")
            else:
                features[split] = kept
            done += len(encoded)
    return replace(training, features=features)


def _steps(training: Training, settings: TrainConfig, position: Position) -> Iterator[Event]:
    """The events of training from ``position`` on."""
    rate = schedule(
        settings.schedule,
        training.steps,
        settings.warmup,
        power=settings.schedule_power,
        decay_share=settings.schedule_decay,
    )
    return train(training.learner, training.features["train"], rate, training.plan, position)


def _diverged(start: Start, position: Position, error: FloatingPointError) -> UserError:
    rate = start.config.train.learning_rate
    assert isinstance(rate, float)
    return UserError(
        f"training diverged at step {position.step + 1}: {error}",
        where=f"train.learning_rate = {rate:g}",
        fix=f"try a smaller rate: --set train.learning_rate={rate / 5:g}",
    )


@dataclass(frozen=True)
class _Saved:
    """Everything that the rest of a training depends on."""

    training: Training
    position: Position
    consumers: Mapping[str, Any]

    def plan(self) -> dict[str, Any]:
        """What a checkpoint must agree on with the configuration: a position means nothing in another order."""
        plan = asdict(self.training.plan)
        del plan["accumulate"], plan["packed"]
        return {**plan, "items": len(self.training.features["train"])}

    def state(self) -> TrainingState:
        nested = {
            "plan": self.plan(),
            "learner": self.training.learner.state_dict(),
            "position": self.position.state_dict(),
            "consumers": {name: consumer.state_dict() for name, consumer in self.consumers.items()},
            "random": rng_state(),
            "bits": BITS.state_dict(),
        }
        return TrainingState(*flatten(nested))

    def load(self, state: TrainingState, where: Path) -> list[str]:
        nested = unflatten(state.tensors, state.values, where=str(where))
        fix = "restore config.yaml as the run wrote it, or begin a new run"
        try:
            if nested["plan"] != self.plan():
                raise UserError(
                    "was saved by a training of other epochs, batches, seed or rows", where=str(where), fix=fix
                )
            self.training.learner.load_state_dict(nested["learner"])
            self.position.load_state_dict(nested["position"])
            for name, consumer in self.consumers.items():
                consumer.load_state_dict(nested["consumers"][name])
            BITS.load_state_dict(nested["bits"])
            return restore_rng(nested["random"], where=str(where))
        except (KeyError, ValueError, RuntimeError) as error:
            reason = str(error).partition("\n")[0]
            what = f"was saved by a training of another model or optimizer ({reason})"
            raise UserError(what, where=str(where), fix=fix) from error


def _opening(saved: _Saved, checkpoints: Path, console: Console) -> list[Event]:
    """Go on from the newest whole checkpoint; returns the event that training begins with."""
    training = saved.training
    facts = {
        "steps": training.steps,
        "epochs": training.plan.epochs,
        "rows": len(training.features["train"]),
        "seed": training.plan.seed,
        "parameters": sum(tensor.numel() for tensor in training.learner.masters.tensors.values()),
    }
    checkpoint, problems = newest_good(checkpoints)
    for problem in problems:
        console.warn(problem)
    if checkpoint is None:
        if problems:
            console.warn("no whole checkpoint is left: training begins again")
        return [Event("start", 0, facts)]
    for lacking in saved.load(checkpoint.state, checkpoint.path):
        console.warn(lacking)
    step = saved.position.step
    console.say(f"  going on from step {step:,} of {training.steps:,}")
    return [Event("resumed", step, {**facts, "checkpoint": checkpoint.path.name})]


def judged(training: Training, task: Task, evaluation: EvaluateConfig) -> tuple[Task, Outcome]:
    """What the model says about the validation rows now, and the task with thresholds that suit it."""
    features = training.features["validation"]
    with training.learner.evaluating():
        training.settle()
        outputs = predict_outputs(
            training.model,
            features,
            training.recalling(task.answering),
            batch_size=evaluation.batch_size,
            padding=training.plan.padding,
        )
    task = task.calibrated(outputs, features)
    return task, task.outcome(outputs, features)


def validate(training: Training, task: Task, metric: str, evaluation: EvaluateConfig) -> dict[str, float]:
    """The scores that a ``validation`` event carries."""
    _, outcome = judged(training, task, evaluation)
    return {name: estimate(outcome, name) for name in dict.fromkeys((*kind_of(task).told, metric))}
