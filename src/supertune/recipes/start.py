"""Where training starts from: model, tokenizer, device, and everything that ``auto`` stands for."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from supertune.config import WRITING, Config, absolute_paths
from supertune.console import Console
from supertune.contracts import Columns, ReadsLabels, Strategy
from supertune.errors import UserError
from supertune.memory import available_bytes
from supertune.models import (
    REGISTRY,
    USUAL_MAX_LENGTH,
    USUAL_WRITTEN_LENGTH,
    ModelSource,
    check_quantization,
    choose_padding,
    count_parameters,
    default_max_length,
    default_model,
    load_configuration,
    load_tokenizer,
    resolve,
)
from supertune.recipes.choose import choose_strategy
from supertune.recipes.kinds import kind_of
from supertune.recipes.rows import LoadedRows
from supertune.recipes.settings import TAUGHT_LOSS, check_fits, chosen_strategy, default_rate, strategy_values
from supertune.recipes.vectors import task_settings
from supertune.strategies import looks_back_only
from supertune.tasks import TASKS
from supertune.train import Precision, considerate_threads, measure_precision

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedTokenizerBase

FEWEST_STEPS = 300
MOST_EPOCHS = 100
"""Of 50 rows 75 passes (300 steps) score 4.3 points [2.3, 6.3] more than 20 on TREC and 0.5 points [-0.6, 1.7] less on
SST-2; of 20 rows 100 passes 9.0 [6.6, 11.5] more and 0.2 [-1.4, 1.8] less (minilm, full, ten draws each)."""
MOST_EPOCHS_WRITTEN = 20
"""Whoever learns to write from few rows learns them by heart."""
USUAL_EPOCHS = 3


@dataclass(frozen=True)
class Teacher:
    """A model whose scores are learned.

    Attributes:
        name: What it is called: a run, a folder or a hub id.
        sha256: Digest of its weights.
        license: SPDX-like identifier, or ``unknown``.
        provenance: One sentence: what it is and where it came from.
    """

    name: str
    sha256: str
    license: str
    provenance: str


@dataclass(frozen=True)
class Start:
    """What training starts from, with nothing left open.

    Attributes:
        config: The configuration with every ``auto`` replaced.
        source: The pre-trained model.
        tokenizer: Its tokenizer.
        max_length: Tokens per text.
        strategy: Which parameters learn.
        device: Where to compute.
        precision: Number type of the matrix products while training.
        why: Why this strategy, where the choice was left to supertune; else empty.
        teacher: Whose scores are learned; None where the rows alone are learned from.
    """

    config: Config
    source: ModelSource
    tokenizer: PreTrainedTokenizerBase
    max_length: int
    strategy: Strategy
    device: torch.device
    precision: Precision
    why: str = ""
    teacher: Teacher | None = None


def find_model(config: Config, language: str) -> ModelSource:
    """The model the configuration names, or the embedded one for the language of the data.

    Raises:
        UserError: It cannot be found, or is not safe to load.
    """
    return resolve(
        config.model.name or default_model(language, "decoder" if config.task.name in WRITING else "encoder"),
        allow_pickle=config.model.allow_pickle,
        trust_remote_code=config.model.trust_remote_code,
    )


def find_max_length(config: Config, source: ModelSource) -> int:
    """Tokens per text: as configured, else the model's default.

    Raises:
        UserError: The model has fewer positions than was asked for.
    """
    wanted = config.model.max_length
    if wanted is None:
        return default_max_length(source, USUAL_WRITTEN_LENGTH if config.task.name in WRITING else USUAL_MAX_LENGTH)
    if wanted > source.max_positions:
        raise UserError(
            f"{wanted} tokens per text are more than {source.name} can take ({source.max_positions})",
            where="model.max_length",
            fix=f"--set model.max_length={source.max_positions}, or choose another model",
        )
    return wanted


def check_padding(tokenizer: PreTrainedTokenizerBase, source: ModelSource) -> None:
    """Check that texts of different lengths can stand in a batch.

    Raises:
        UserError: The tokenizer has no padding token.
    """
    if tokenizer.pad_token_id is None:
        raise UserError(
            "has a tokenizer without a padding token, so texts of different lengths cannot be batched",
            where=str(source.folder),
            fix='name one in its tokenizer_config.json, e.g. "pad_token": "[PAD]"',
        )


def located(config: Config) -> Config:
    """The configuration with absolute paths in the place of relative ones, so that it holds in every folder."""
    paths = absolute_paths(config, Path.cwd())
    if config.model.name in REGISTRY:
        # A registered name wins over a folder of the same name.
        paths.pop("model.name", None)
    return config.with_values(paths)


def usable_cores() -> int:
    """Processor cores that this process may use."""
    # macOS has no such call, and no such limits.
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def auto_epochs(rows: int, batch_size: int, passes: float = 1.0, most: int = MOST_EPOCHS) -> int:
    """Three passes, more when rows are few: at least 300 steps where ``most`` passes suffice for that.

    Small data needs steps, not passes: Mosbach et al. 2021 train 20 epochs where 3 gave random results.

    Args:
        rows: Training rows.
        batch_size: Rows per step.
        passes: Multiplies all three numbers.
        most: Passes at the most.
    """
    steps = math.ceil(rows / batch_size)
    usual = max(USUAL_EPOCHS * passes, math.ceil(FEWEST_STEPS * passes / steps))
    return math.ceil(min(most * passes, usual))


def find_device(name: str) -> torch.device:
    """The device called ``name``; ``auto`` is the first GPU if there is one.

    Raises:
        UserError: There is no such device here.
    """
    import torch

    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        first = str(error).partition("\n")[0]
        raise UserError(
            f"{name!r} cannot be used here: {first}", where="train.device", fix="--set train.device=cpu"
        ) from error
    return device


def prepare_start(config: Config, rows: LoadedRows, console: Console) -> Start:
    """Find the model, and settle what the configuration left open.

    Raises:
        UserError: The model or the device cannot be used.
    """
    considerate_threads()
    source = find_model(config, rows.language.language)
    max_length = find_max_length(config, source)
    chosen = "" if config.model.name else f" (the texts are mostly {rows.language.language!r})"
    console.say(f"  {source.name}{chosen}: {source.provenance}")
    tokenizer = load_tokenizer(source, max_length=max_length)
    if config.task.name in WRITING and (padding := choose_padding(tokenizer)) is not None:
        console.say(f"  padded with {padding}: the tokenizer has no token for that")
    check_padding(tokenizer, source)
    if config.strategy.name != "auto":
        return settle(config, rows, source, tokenizer, max_length, console)
    config, why = _chosen(config, rows, source, console)
    return replace(settle(config, rows, source, tokenizer, max_length, console), why=why)


def _chosen(config: Config, rows: LoadedRows, source: ModelSource, console: Console) -> tuple[Config, str]:
    """The configuration with a strategy in the place of ``auto``, and why that one."""
    if config.model.quantization != "none":
        why = f"a base in few bits ({config.model.quantization}) does not learn itself"
        console.say(f"  strategy lora: {why}")
        return config.with_values({"strategy.name": "lora"}), why
    model = load_configuration(source)
    choice = choose_strategy(
        rows.per_label,
        count_parameters(source.folder),
        available_bytes(find_device(config.train.device)),
        # Contrastive fine-tuning was measured on single texts.
        encoder=not rows.columns.pair and not model.is_encoder_decoder and not looks_back_only(model),
    )
    console.say(f"  strategy {choice.strategy}: {choice.why}")
    return config.with_values({"strategy.name": choice.strategy}), choice.why


def _task_values(config: Config, columns: Columns, source: ModelSource) -> dict[str, object]:
    """The task's settings; what the user leaves open is as the model was trained, or as the task has it."""
    task = TASKS[config.task.name].built(columns, task_settings(config, source))
    return {f"task.{name}": value for name, value in task.configured().items()}


def settle(
    config: Config,
    rows: LoadedRows,
    source: ModelSource,
    tokenizer: PreTrainedTokenizerBase,
    max_length: int,
    console: Console,
) -> Start:
    """Replace every ``auto`` by what it stands for on these rows and this machine."""
    import torch

    train = config.train
    threads = train.threads or usable_cores()
    torch.set_num_threads(threads)
    device = find_device(train.device)
    precision: Precision = "fp32"
    if train.precision == "auto":
        precision, ratio = measure_precision(device)
        console.say(f"  {precision}: bfloat16 multiplies matrices {ratio:.2g} × as fast as 32 bits here")
    else:
        precision = train.precision
    strategy = chosen_strategy(config)
    check_fits(config, strategy, rows.columns)
    check_quantization(config.model.quantization, str(device))
    room = source.max_positions - strategy.extra_tokens
    if config.model.max_length is None and room >= 8:
        max_length = min(max_length, room)
        tokenizer.model_max_length = max_length
    if max_length > room:
        raise UserError(
            f"{max_length} tokens per text and {strategy.extra_tokens} before each are more than {source.name} can "
            f"take ({source.max_positions})",
            where="strategy.tokens",
            fix=f"--set model.max_length={room}" if room >= 8 else "fewer of them",
        )
    if strategy.adapter and (source.allow_pickle or source.trust_remote_code):
        raise UserError(
            f"{strategy.name} saves an adapter, and opening one never runs code or reads pickles of its base",
            where=str(source.folder),
            fix="--strategy full, or convert the model to safetensors and a type that transformers knows",
        )
    parameters = count_parameters(source.folder)
    if parameters and (weak := strategy.caution(parameters)):
        console.warn(weak)
    values: dict[str, object] = {
        **({"data.source": [each.model_dump(exclude_defaults=True) for each in rows.sources]} if rows.sources else {}),
        "data.text": [*rows.columns.text, *rows.columns.negatives],
        "data.label": list(rows.columns.labels) if len(rows.columns.labels) > 1 else rows.columns.label,
        "data.pair": rows.columns.pair,
        "data.separator": rows.columns.separator,
        "data.tag_names": list(rows.columns.tag_names) or None,
        "data.group": rows.columns.group,
        "data.split": list(rows.shares),
        "model.name": source.name,
        "model.max_length": max_length,
        "train.threads": threads,
        **strategy_values(strategy),
        "train.device": str(device),
        "train.precision": precision,
    }
    values |= _task_values(config, rows.columns, source)
    if train.embeddings == "auto":
        # 32 bits by choice ask for exactness, not for want of bfloat16.
        exact = train.precision == "fp32" or config.task.name in WRITING
        values["train.embeddings"] = "dense" if exact else "rows"
    if train.attention == "auto" and train.precision == "fp32":
        # Exact results repeat; what is measured might be chosen otherwise the next time.
        values["train.attention"] = "sdpa"
    if isinstance(strategy, ReadsLabels):
        values["train.epochs"] = 0
    elif train.epochs == "auto":
        most = MOST_EPOCHS_WRITTEN if config.task.name in WRITING else MOST_EPOCHS
        values["train.epochs"] = auto_epochs(len(rows.splits["train"]), train.batch_size, strategy.passes, most)
    if train.loss == "auto":
        values["train.loss"] = TAUGHT_LOSS if config.task.teacher is not None else kind_of(config.task.name).loss
    if train.learning_rate == "auto":
        values["train.learning_rate"] = default_rate(strategy, train.optimizer)
    return Start(located(config.with_values(values)), source, tokenizer, max_length, strategy, device, precision)
