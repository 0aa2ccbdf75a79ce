"""A training that is about to begin: model, head, what is minimised, and how the weights move."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from supertune.config import Config
from supertune.contracts import Features, LearnsBySimilarity, Task
from supertune.errors import UserError
from supertune.models import begin_output, compute_in, load_with_head, move, override_dropout, quantise
from supertune.recipes.head import fit_head
from supertune.recipes.kinds import kind_of
from supertune.recipes.label_rows import with_label_rows
from supertune.recipes.packing import begin_checkpointing, begin_packing
from supertune.recipes.start import Start
from supertune.train import (
    BITS,
    Batching,
    Coupled,
    Descent,
    FrozenLayers,
    Learner,
    Objective,
    OptimizerSettings,
    Plan,
    Regularisation,
    UsedVocabulary,
    balanced_weights,
    build_optimizer,
    by_similarity,
    collate,
    fgm,
    freelb,
    hidden_matrices,
    mixout,
    neftune,
    plain_descent,
    pretrained_weights,
    r_drop,
    row_adam,
    set_attention,
    torch_seed,
    use_fast_dropout,
    use_plain_dropout,
)

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

    Forward = Callable[[torch.nn.Module, Mapping[str, torch.Tensor]], torch.Tensor]


_TRIED = 4
"""Items by which it is tried whether the model computes what the task takes for granted."""


@dataclass(frozen=True)
class Training:
    """A training that is about to begin.

    Attributes:
        model: With a fresh head.
        vocabulary: The tokens that occur, when only their embeddings are trained.
        features: The rows, encoded in that vocabulary.
        learner: Model, objective and optimizer.
        plan: How the rows will be gone through.
        steps: Optimizer steps of the whole training.
        base: Opens the model anew, as it was before training; None where all of it learns.
        frozen: Its layers that need be computed only once; None where there are none.
        settle: Fits the model's head to the training rows as it lays them now; does nothing where the head learns.
    """

    model: PreTrainedModel
    vocabulary: UsedVocabulary | None
    features: Mapping[str, Features]
    learner: Learner
    plan: Plan
    steps: int
    base: Callable[[], PreTrainedModel] | None = None
    frozen: FrozenLayers | None = None
    settle: Callable[[], None] = lambda: None

    def recalling(self, forward: Forward) -> Forward:
        """A function of (model, batch) that computes frozen layers only where the batch lacks what they give out."""
        return self.frozen.recalling(forward) if self.frozen is not None else forward

    def finish(self) -> PreTrainedModel:
        """The model as a plain one: in 32 bits, with its whole embedding, in evaluation mode."""
        self.learner.release()
        self.settle()
        if self.vocabulary is not None:
            self.vocabulary.restore(self.model)
        model = self.model if self.base is None else _with_learned(self.base(), self.model)
        use_plain_dropout(model)
        set_attention(model, "sdpa")
        model.train(False)
        return model


def _with_learned(fresh: PreTrainedModel, trained: PreTrainedModel) -> PreTrainedModel:
    """A model with the trained one's learned weights: what was frozen may have been rounded to compute with."""
    learned = dict(trained.named_parameters())
    for name, parameter in fresh.named_parameters():
        if parameter.requires_grad:
            parameter.data = learned[name].data.to(parameter.device)
    return fresh


def begin(start: Start, task: Task, features: Mapping[str, Features]) -> Training:
    """Open the model, put the head on it, and make what moves its weights.

    Head and dropout draw from streams of their own, so that neither shifts when the other changes.

    Raises:
        UserError: The tokenizer is not the model's, or settings do not fit the model.
    """
    import torch

    settings = start.config.train
    assert isinstance(settings.epochs, int)
    assert isinstance(settings.learning_rate, float)

    bias = kind_of(task).first_bias(features["train"])

    def opened() -> PreTrainedModel:
        model = load_with_head(start.source, task.head(), pad_token_id=start.tokenizer.pad_token_id)
        quantise(model, start.config.model.quantization)
        if settings.dropout is not None:
            override_dropout(model, settings.dropout)
        prepared = start.strategy.prepare(model)
        if bias is not None:
            begin_output(prepared, bias)
        return prepared

    torch.manual_seed(torch_seed(settings.seed, "head"))
    model = opened()
    frozen = any(not parameter.requires_grad for parameter in model.parameters())
    if (similar := _by_similarity(start)) is not None:
        features = {**features, "train": with_label_rows(start, similar, task, features["train"])}
    for encoded in features.values():
        check_tokens(start, model, encoded)
    shortest = np.argsort(features["train"].lengths, kind="stable")[:_TRIED]
    task.check_model(model, collate(features["train"], shortest, {}), str(start.source.folder))
    frozen_layers = _still(start, model)
    use_fast_dropout(model)
    set_attention(model, settings.attention)
    if settings.packing is True:
        begin_packing(start, task, model, features["train"])
    if settings.checkpoint_activations is True:
        begin_checkpointing(start, model)
    padding = int(start.tokenizer.pad_token_id or 0)
    vocabulary = None
    if settings.embeddings == "rows" and model.get_input_embeddings().weight.requires_grad:
        vocabulary = UsedVocabulary(model, features.values(), padding)
        features = {split: vocabulary.encode(encoded) for split, encoded in features.items()}
    move(model, start.device)
    plan = Plan(
        epochs=settings.epochs,
        batching=Batching(settings.batch_size, settings.batch_tokens, "labels" if similar is not None else None),
        accumulate=settings.accumulate,
        seed=settings.seed,
        padding={"input_ids": vocabulary.padding if vocabulary is not None else padding},
        packed=settings.packing is True,
    )
    steps = plan.steps(features["train"])
    task = task.relating(features["train"])
    if start.precision == "bf16":
        compute_in(model, torch.bfloat16)
    learner = _learner(start, _objective(start, task, model, frozen_layers, features["train"]), model, steps)
    seed = torch_seed(settings.seed, "dropout")
    torch.manual_seed(seed)
    BITS.seed(seed)
    training = Training(model, vocabulary, features, learner, plan, steps, opened if frozen else None, frozen_layers)
    return _settling(start, task, training)


def _by_similarity(start: Start) -> LearnsBySimilarity | None:
    return start.strategy if isinstance(start.strategy, LearnsBySimilarity) else None


def _settling(start: Start, task: Task, training: Training) -> Training:
    """The same with what fits its head, where that is not learned by gradients."""
    strategy = _by_similarity(start)
    if strategy is None:
        return training
    settings = start.config.train
    labels = training.features["train"].targets["labels"]
    counts = np.bincount(labels, minlength=task.head().config["num_labels"])
    weights = balanced_weights(counts.tolist()) if settings.class_weights == "balanced" else None

    def settle() -> None:
        rows = training.features["train"]
        padding = training.plan.padding
        fit_head(strategy, training.model, rows, padding=padding, seed=settings.seed, class_weights=weights)

    return replace(training, settle=settle)


def _still(start: Start, model: PreTrainedModel) -> FrozenLayers | None:
    """The layers that never change what they give out: without dropout, which would only blur it."""
    prefix = start.strategy.frozen_prefix(model)
    if not prefix.layers:
        return None
    for name in (*prefix.beside, *prefix.layers):
        override_dropout(model.get_submodule(name), 0.0)
    train = start.config.train
    if train.frozen_layers == "compute" or train.adversarial != "none" or train.neftune:
        # Where embeddings are moved, what comes after them changes at every pass.
        return None
    return FrozenLayers([model.get_submodule(name) for name in prefix.layers])


def _learner(start: Start, objective: Objective | Coupled, model: PreTrainedModel, steps: int) -> Learner:
    settings = start.config.train
    assert isinstance(settings.learning_rate, float)
    how = OptimizerSettings(
        momentum=settings.momentum,
        nesterov=settings.nesterov,
        betas=(settings.betas[0], settings.betas[1]) if settings.betas else None,
        epsilon=settings.epsilon,
        bias_correction=settings.bias_correction,
        hidden=hidden_matrices(model),
    )

    def build(groups: Any) -> torch.optim.Optimizer:
        return build_optimizer(settings.optimizer, groups, how)

    def build_rows(groups: Any) -> torch.optim.Optimizer:
        # Adam has no weight decay here; see `OPTIMIZERS`.
        decayed = settings.optimizer == "adamw"
        groups = [{**group, "weight_decay": group["weight_decay"] if decayed else 0.0} for group in groups]
        return row_adam(groups, how.betas or (0.9, 0.999), how.epsilon, how.bias_correction)

    return Learner(
        model,
        objective,
        start.strategy.parameter_groups(model, settings.learning_rate, settings.weight_decay),
        build,
        precision=start.precision,
        descent=_descent(start.config),
        regularisation=Regularisation(
            clip_norm=settings.clip_norm,
            l1=settings.l1,
            l2=settings.l2,
            averaging=settings.averaging,
            ema_decay=settings.ema_decay,
            # Weights from before the rate has come down would spoil an average in which all count alike.
            averaged_from=steps // 2,
        ),
        build_rows=build_rows if moves_rows(start.config) else None,
        joins={name: round(share * steps) for name, share in start.strategy.joins(model).items()},
    )


def moves_rows(config: Config) -> bool:
    """Whether only the rows of the word embeddings that a batch uses are moved at each step.

    Only Adam's rows can catch up later, and what looks at every weight at every step needs every row.
    """
    train = config.train
    looks_at_all = train.averaging != "none" or train.l1 > 0 or train.l2 > 0
    return train.embeddings == "rows" and train.optimizer in ("adamw", "adam") and not looks_at_all


def _objective(
    start: Start, task: Task, model: PreTrainedModel, frozen: FrozenLayers | None, learned: Features
) -> Objective | Coupled:
    """What is minimised: the task's loss, changed by whatever draws anew at every pass."""
    train = start.config.train
    if learned.groups is not None:
        answers = task.forward if frozen is None else frozen.recalling(task.forward)
        return Coupled(neftune(answers, train.neftune), task.criterion)
    similar = _by_similarity(start)
    loss: Objective = task.loss if similar is None else by_similarity(similar.similarity, similar.temperature)
    objective: Objective = loss if frozen is None else frozen.recalling(loss)
    if train.r_drop:
        forward = task.forward if frozen is None else frozen.recalling(task.forward)
        # Two passes of the same rows with noise of their own, as with dropout.
        noisy = neftune(forward, train.neftune)
        objective = r_drop(noisy, task.criterion, train.r_drop, kind_of(task).divergence())
    else:
        objective = neftune(objective, train.neftune)
    return mixout(objective, pretrained_weights(model), train.mixout) if train.mixout else objective


def _descent(config: Config) -> Descent:
    train = config.train
    ways: Mapping[str, Callable[[], Descent]] = {
        "none": lambda: plain_descent,
        "fgm": lambda: fgm(train.adversarial_epsilon),
        "freelb": lambda: freelb(train.adversarial_epsilon, train.adversarial_steps),
    }
    return ways[train.adversarial]()


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
