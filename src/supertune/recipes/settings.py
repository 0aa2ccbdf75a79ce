"""Whether settings mean something for the task and the strategy, before any work is done."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, fields

from supertune.config import Config
from supertune.contracts import Columns, LearnsBySimilarity, ReadsLabels, Strategy, Task
from supertune.errors import UserError
from supertune.recipes.kinds import kind_of
from supertune.strategies import STRATEGIES, build_strategy
from supertune.tasks import TASKS, WritingSettings
from supertune.train import DISTILLATION_LOSSES, RATE_FACTORS

_MEANT_FOR: Mapping[str, Collection[str]] = {
    "data.separator": ("classes", "numbers", "sets"),
    "data.tag_names": ("spans",),
    **dict.fromkeys(("data.mix", "train.interpolation"), ("generated",)),
    "task.symmetric": ("classes", "numbers", "sets", "ranking"),
    "task.stride": ("answers", "spans"),
    **dict.fromkeys(("task.longest_answer", "task.n_best"), ("answers",)),
    **dict.fromkeys(
        ("task.pooling", "task.query_prompt", "task.passage_prompt", "task.scale", "task.dimensions"), ("ranking",)
    ),
    **dict.fromkeys(("task.negatives", "task.negatives_per_row"), ("ranking", "reranking")),
    "task.candidates": ("reranking",),
    **dict.fromkeys((f"task.{name}" for name in ("prompt", "system", "roles")), ("generated",)),
    **dict.fromkeys((f"task.{field.name}" for field in fields(WritingSettings)), ("generated",)),
    "train.packing": ("generated",),
    "task.teacher": ("ranking",),
    **dict.fromkeys(("task.unit", "task.sentences", "task.characters", "task.blocking"), ("texts",)),
}
"""Setting → the kinds of answers for which it means something, where that is not every kind."""

TAUGHT_LOSS = "kl_divergence"
"""What ``train.loss=auto`` stands for with a teacher; decision 0023 says why."""

_OF_TOKENS = (
    "answers for a text as a whole, and {task} for each of its tokens",
    "puts tokens before the text that would be taken for some of it",
)
_ON_THE_WAY = ("full", "partial", "lora", "dora", "ia3", "bitfit", "layernorm")
"""Strategies whose weights begin at a model that computes what the pre-trained one does."""

_HEADLESS = {
    "answers": _OF_TOKENS,
    "spans": _OF_TOKENS,
    "texts": _OF_TOKENS,
    "ranking": (
        "has a head of its own that answers with labels, and retrieval answers with the text's vector",
        "puts tokens before the text, which its vector would be made of as well",
    ),
}
"""Kinds of answers for which a strategy can neither bring a head nor tokens of its own, and why not."""

_TWO_TEXTS = {
    "answers": "a question and its text",
    **dict.fromkeys(("ranking", "reranking"), "a query and its passage"),
}
"""Kinds of answers that two texts are needed for."""


def means_something(key: str, task: Task | str) -> bool:
    """Whether a setting means something for a task, or the task of that name."""
    answers = TASKS[task].answers if isinstance(task, str) else task.answers
    return key not in _MEANT_FOR or answers in _MEANT_FOR[key]


def check_task(config: Config) -> None:
    """Check the settings of the task before any work is done.

    Raises:
        UserError: A setting means nothing for it.
    """
    kind = TASKS[config.task.name].answers
    for key in _MEANT_FOR:
        section, _, name = key.partition(".")
        given = getattr(getattr(config, section), name)
        if given not in (None, False, "auto") and not means_something(key, config.task.name):
            raise UserError(f"means nothing for {config.task.name}", where=key, fix="leave it out")
    if kind in _TWO_TEXTS and config.data.pair is False:
        raise UserError(f"{_TWO_TEXTS[kind]} are always two texts", where="data.pair", fix="leave it out")
    if kind in ("spans", "texts", "generated") and config.data.pair:
        raise UserError(f"{config.task.name} reads one text", where="data.pair", fix="leave it out")

    _check_teacher(config)


def _check_teacher(config: Config) -> None:
    """Check that a teacher and a loss of its scores come together.

    Raises:
        UserError: One is there without the other, or the loss would be told what it cannot use.
    """
    loss, teacher = config.train.loss, config.task.teacher
    taught = ", ".join(DISTILLATION_LOSSES)
    if teacher is None and loss in DISTILLATION_LOSSES and config.task.name == "retrieval":
        raise UserError(
            f"{loss!r} learns what a teacher says, and none is named",
            where="train.loss",
            fix="--set task.teacher=RUN with a run of --task rerank, or the folder or hub id of a cross-encoder",
        )
    if teacher is None:
        return
    if loss not in ("auto", *DISTILLATION_LOSSES):
        raise UserError(
            f"{loss!r} learns from the rows alone, and would never ask the teacher",
            where="train.loss",
            fix=f"use auto or one of {taught}, or leave out task.teacher",
        )
    if config.task.symmetric:
        raise UserError(
            "a teacher says which passage a query asks for, and not which query a passage answers",
            where="task.symmetric",
            fix="leave it out, or leave out task.teacher",
        )


def check_strategy(config: Config) -> None:
    """Check the settings of the strategy before any work is done.

    Raises:
        UserError: A setting means nothing for it, or the strategy is not for the task.
    """
    check_quantized(config)
    if config.strategy.name != "auto":
        strategy = chosen_strategy(config)
        kind = TASKS[config.task.name].answers
        if kind in _HEADLESS and (strategy.own_head or strategy.extra_tokens):
            raise UserError(
                f"{strategy.name} {_HEADLESS[kind][0 if strategy.own_head else 1].format(task=config.task.name)}",
                where="strategy.name",
                fix="--strategy full, or of those that learn few weights lora, dora, adapter, ia3, bitfit or layernorm",
            )
        return
    for key in config.strategy.model_dump(exclude={"name"}, exclude_defaults=True):
        raise UserError(
            "belongs to a strategy, and that is still to be chosen",
            where=f"strategy.{key}",
            fix="name the strategy instead of auto, or leave it out",
        )


def check_quantized(config: Config) -> None:
    """Check that a base in few bits is not to learn itself, and that the strategy can stand on one.

    Raises:
        UserError: It is, or it cannot.
    """
    kind = config.model.quantization
    if kind == "none" or config.strategy.name == "auto":
        return
    strategy = chosen_strategy(config)
    fitting = [name for name, each in STRATEGIES.items() if each().adapter]
    if not strategy.adapter:
        raise UserError(
            f"{strategy.name} learns weights of the model itself or computes with all of them, and a base in few bits "
            f"({kind}) cannot learn",
            where="model.quantization",
            fix=f"--strategy {' or '.join(fitting[:2])} (any of {', '.join(fitting)}), or leave it out",
        )
    if strategy.name == "dora" and kind == "8bit":
        raise UserError(
            "dora needs the lengths of the base's columns, which peft cannot compute of 8-bit matrices everywhere",
            where="model.quantization",
            fix="--set model.quantization=4bit, or --strategy lora",
        )
    if config.strategy.initialisation == "pissa":
        raise UserError(
            f"PiSSA takes its matrices out of the base, whose weights would have to be written anew in {kind}",
            where="strategy.initialisation",
            fix="--set strategy.initialisation=zero, or leave out model.quantization",
        )


def chosen_strategy(config: Config) -> Strategy:
    """The strategy with the settings that are not as every strategy has them.

    Raises:
        UserError: A setting means nothing for it.
    """
    settings = config.strategy.model_dump(exclude={"name"}, exclude_defaults=True)
    strategy = build_strategy(config.strategy.name, settings)
    wanted = kind_of(config.task.name).head_learning_rate
    if wanted is None or config.strategy.head_rate is not None or not hasattr(strategy, "head_rate"):
        return strategy
    given = config.train.learning_rate
    rate = given if isinstance(given, float) else default_rate(strategy, config.train.optimizer)
    return build_strategy(
        config.strategy.name, {**settings, "head_rate": min(max(1.0, float(f"{wanted / rate:.3g}")), 1000.0)}
    )


def default_rate(strategy: Strategy, optimizer: str) -> float:
    """The strategy's rate, which suits AdamW, as a start for another optimizer."""
    return float(f"{strategy.default_learning_rate() * RATE_FACTORS[optimizer]:.3g}")


def strategy_values(strategy: Strategy) -> dict[str, object]:
    """Every setting of the strategy by its configuration key; what is empty is null there."""
    settings = asdict(strategy)  # type: ignore[call-overload]
    plain = {key: list(value) if isinstance(value, tuple) else value for key, value in settings.items()}
    return {f"strategy.{key}": None if value in ("", []) else value for key, value in plain.items()}


def check_fits(config: Config, strategy: Strategy, columns: Columns) -> None:
    """Check that settings of training mean something for the strategy.

    Raises:
        UserError: One does not.
    """
    train = config.train
    if isinstance(strategy, ReadsLabels | LearnsBySimilarity) and TASKS[config.task.name].answers != "classes":
        raise UserError(
            f"{strategy.name} gives every text one label, and {config.task.name} asks for something else",
            where="strategy.name",
            fix="--strategy probe, which learns from few rows as well, or full",
        )
    if isinstance(strategy, ReadsLabels):
        if columns.pair:
            raise UserError(
                f"{strategy.name} reads one text, and these are pairs",
                where="data.pair",
                fix="--no-pair joins the two to one text; --strategy probe learns from pairs",
            )
        if train.epochs not in ("auto", 0):
            raise UserError("learns from no rows", where="train.epochs", fix="leave it out with --strategy zero-shot")
        for key in ("learning_rate", "seeds", "averaging", "loss", "optimizer", "class_weights"):
            # Its own configuration, written out, holds the rate that nothing learns at.
            own = (getattr(type(train)(), key), strategy.default_learning_rate(), kind_of(config.task.name).loss)
            if getattr(train, key) not in own:
                raise UserError(
                    "learns from no rows", where=f"train.{key}", fix="leave it out with --strategy zero-shot"
                )
        return
    if train.epochs == 0:
        raise UserError(
            "nothing would be learned",
            where="train.epochs",
            fix="at least 1, or --strategy zero-shot, which learns nothing",
        )
    if train.interpolation and strategy.name not in _ON_THE_WAY:
        raise UserError(
            f"there is no way back from {strategy.name}, which did not begin at what was pre-trained",
            where="train.interpolation",
            fix=f"leave it out, or --strategy {', '.join(_ON_THE_WAY)}",
        )
    if isinstance(strategy, LearnsBySimilarity):
        defaults = type(train)()
        for key in ("loss", "label_smoothing", "r_drop"):
            # Its own configuration, written out, holds the loss that a head would be learned by.
            if getattr(train, key) not in (getattr(defaults, key), kind_of(config.task.name).loss):
                raise UserError(
                    f"means nothing for the strategy {strategy.name!r}, which learns by similarity",
                    where=f"train.{key}",
                    fix="leave it out",
                )
