"""A trained model on the disk: written so that plain transformers opens it, and opened again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
from numpy.typing import NDArray

from supertune.config import ModelConfig
from supertune.contracts import Features, Head, ReadsLabels, Strategy, Task, label_names
from supertune.data import OPERATORS, TextCleaning
from supertune.errors import SupertuneError, UserError
from supertune.files import atomic_folder, read_json, sha256_bytes, write_json
from supertune.models import (
    ModelSource,
    Quantization,
    dequantised,
    load_configuration,
    load_tokenizer,
    load_with_head,
    quantise,
    resolve,
    save_tokenizer,
    weights_digest,
)
from supertune.recipes.start import Start
from supertune.recipes.template import tell_stops
from supertune.recipes.vectors import write_vectors
from supertune.runs import open_run
from supertune.strategies import STRATEGIES, build_strategy
from supertune.tasks import TASKS, task_from_state
from supertune.train import predict_outputs, token_losses

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

TASK_FILE = "supertune.json"
LABELS_FILE = "labels.json"
_CLEANING = "cleaning"
_FORMAT = 1
_CHECKED_ROWS = 64
_TOLERANCE = 1e-4
"""Largest difference of logits between the trained and the reloaded model, both in 32 bits."""


@dataclass(frozen=True)
class SavedModel:
    """A model opened from a run, with all that is needed to predict.

    Attributes:
        model: In 32 bits, in evaluation mode, on the processor.
        tokenizer: Its tokenizer.
        task: Knows the columns and the labels.
        max_length: Tokens per text, as trained.
        base: Name and SHA-256 of what was fine-tuned.
        strategy: How it was trained, and what puts together again what was saved.
        quantization: In how few bits its base is held, as it was trained.
        cleaning: What was done to the texts it learned from.
    """

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    task: Task
    max_length: int
    base: dict[str, str]
    strategy: Strategy
    quantization: Quantization = "none"
    cleaning: TextCleaning = field(default_factory=TextCleaning)

    def outputs(self, features: Features, batch_size: int = 64, **options: Any) -> NDArray[Any]:
        """What the task keeps of every item to answer by, float32 (items, …)."""
        padding = {"input_ids": int(self.tokenizer.pad_token_id or 0)}
        outputs: NDArray[Any] = predict_outputs(
            self.model, features, self.task.answering, batch_size=batch_size, padding=padding, **options
        )
        return outputs


def save_model(model: PreTrainedModel, start: Start, task: Task, folder: Path, cleaning: TextCleaning) -> None:
    """Write weights, configuration, tokenizer and task into ``folder``, whole or not at all.

    Of a strategy that only adds to the model, what was added is written, with the labels; other weights are the base's.
    With them stands what was done to the texts that it learned from.

    Raises:
        UserError: The disk is full, or the place is not writable.
    """
    source, strategy = start.source, start.strategy
    name = str(source.folder) if source.origin == "folder" else source.name
    described: dict[str, Any] = {
        "format": _FORMAT,
        "task": task.name,
        "state": task.state(),
        "max_length": start.max_length,
        "base": {"name": name, "sha256": source.sha256, "license": source.license},
        "strategy": start.config.strategy.model_dump(exclude_defaults=True) | {"name": strategy.name},
    }
    if start.config.model.quantization != "none":
        described["quantization"] = start.config.model.quantization
    if cleaning:
        described[_CLEANING] = cleaning.as_json()
    tell_stops(model, task, start.tokenizer)
    with atomic_folder(folder) as partial:
        _writing(strategy.save, model, str(partial), name)
        if strategy.adapter and "id2label" in task.head().config:
            write_json(partial / LABELS_FILE, {"labels": label_names(task)})
        write_vectors(task, model, start.max_length, partial)
        _writing(save_tokenizer, start.tokenizer, partial)
        write_json(partial / TASK_FILE, described)


def write_whole(model: PreTrainedModel, saved: SavedModel, folder: Path) -> None:
    """Write a model that is ``saved`` without its adapter, whole or not at all, as `save_model` would.

    Raises:
        UserError: The disk is full, or the place is not writable.
    """
    tell_stops(model, saved.task, saved.tokenizer)
    with atomic_folder(folder) as partial:
        _writing(STRATEGIES["full"]().save, model, str(partial), saved.base["name"])
        _writing(save_tokenizer, saved.tokenizer, partial)
        write_vectors(saved.task, model, saved.max_length, partial)
        described = {"format": _FORMAT, "task": saved.task.name, "state": saved.task.state()}
        described |= {"max_length": saved.max_length, "base": saved.base, "strategy": {"name": "full"}}
        described |= {_CLEANING: saved.cleaning.as_json()} if saved.cleaning else {}
        write_json(partial / TASK_FILE, described)


def _writing(write: Any, *arguments: Any) -> None:
    """Call a library's writer; a full disk that it reports in its own way becomes the operating system's error."""
    from safetensors import SafetensorError

    try:
        write(*arguments)
    except SafetensorError as error:
        # safetensors wraps the system's error in text: "I/O error: No space left on device (os error 28)".
        number = str(error).rpartition("(os error ")[2].partition(")")[0]
        if not number.isdigit():
            raise
        raise OSError(int(number), str(error)) from error


def open_saved(folder: Path, *, plain: bool = False) -> SavedModel:
    """Open what `save_model` wrote.

    Args:
        folder: Where it was written.
        plain: Of a base that is held in few bits: with matrices of 32 bits that hold the rounded numbers.

    Raises:
        UserError: A file is missing or damaged, or the base model of an adapter is not here, or has changed.
    """
    described = _described(folder)
    task, (max_length, base) = saved_task(folder), _length_and_base(folder, described)
    # Runs of the first versions knew no other strategy.
    settings = dict(described.get("strategy", {"name": "full"}))
    try:
        strategy = build_strategy(settings.pop("name"), settings)
    except (KeyError, TypeError, UserError) as error:
        raise _damaged(folder) from error
    quantization: Quantization = described.get("quantization", "none")
    if quantization not in get_args(Quantization):
        raise _damaged(folder)
    try:
        cleaning = TextCleaning.from_json(OPERATORS, described.get(_CLEANING, ()), str(folder / TASK_FILE))
    except (KeyError, TypeError) as error:
        raise _damaged(folder) from error
    source = _base(base, folder) if strategy.adapter else resolve(str(folder))
    new = strategy.adapter or strategy.own_head
    # Of an adapter too it is the one that was trained with, whatever the base has now.
    tokenizer = load_tokenizer(replace(source, folder=folder), max_length=max_length)
    opened = load_with_head(source, base_head(strategy, task, source), pad_token_id=tokenizer.pad_token_id, new=new)
    quantise(opened, quantization)
    if plain:
        dequantised(opened)
    model = strategy.load(opened, str(folder))
    model.train(False)
    return SavedModel(model, tokenizer, task, max_length, base, strategy, quantization, cleaning)


def saved_task(folder: Path) -> Task:
    """The task of a saved model, without its weights.

    Raises:
        UserError: The file that describes it is missing or damaged.
    """
    described = _described(folder)
    try:
        return task_from_state(described["task"], described["state"]).measuring(token_losses)
    except (KeyError, TypeError, ValueError) as error:
        raise _damaged(folder) from error


def _described(folder: Path) -> dict[str, Any]:
    """What `save_model` wrote down of the model."""
    described = read_json(folder / TASK_FILE)
    known = isinstance(described, dict) and described.get("format") == _FORMAT and described.get("task") in TASKS
    if not known:
        raise UserError(
            "was not written by this version of supertune", where=str(folder / TASK_FILE), fix="train again, or update"
        )
    return dict(described)


def _length_and_base(folder: Path, described: Mapping[str, Any]) -> tuple[int, dict[str, str]]:
    try:
        return int(described["max_length"]), dict(described["base"])
    except (KeyError, TypeError, ValueError) as error:
        raise _damaged(folder) from error


def _damaged(folder: Path) -> UserError:
    return UserError("is damaged", where=str(folder / TASK_FILE), fix="restore the file")


def model_of_run(name: str) -> Path | None:
    """The folder of the model of a run, or the folder itself where it is such a model; None where it is neither."""
    path = Path(name).expanduser()
    if (path / TASK_FILE).is_file():
        return path
    return open_run(path).require("model") if (path / "manifest.json").is_file() else None


def saved_digest(folder: Path, saved: SavedModel) -> str:
    """SHA-256 of the weights; of an adapter that of its base's and its own together."""
    if not saved.strategy.adapter:
        return weights_digest(folder)
    added = (path.read_bytes() for path in sorted(folder.glob("*.safetensors")))
    return sha256_bytes(saved.base["sha256"].encode(), *added)


def untrained(saved: SavedModel, model: ModelConfig) -> SavedModel:
    """The same with the weights that training began with, where the task's answers are the body's own.

    Args:
        saved: The trained model.
        model: What was allowed of them: pickles, code.

    Raises:
        UserError: The base model is not here any more, or has changed.
    """
    allowed = {"allow_pickle": model.allow_pickle, "trust_remote_code": model.trust_remote_code}
    source = _base(saved.base, Path(saved.base["name"]), **allowed)
    opened = load_with_head(source, saved.task.head(), pad_token_id=saved.tokenizer.pad_token_id)
    return replace(saved, model=quantise(opened, saved.quantization))


def base_head(strategy: Strategy, task: Task, source: ModelSource) -> Head:
    """What to open the pre-trained model with: the task's head, unless the strategy answers with the model's own."""
    if not isinstance(strategy, ReadsLabels):
        return task.head()
    return strategy.head(task.head(), load_configuration(source))


def _base(base: Mapping[str, str], folder: Path, **allowed: bool) -> ModelSource:
    """What an adapter was put on; unless asked for never by running code or reading pickles, whatever the folder says.

    Raises:
        UserError: The base is not here, or other weights go by its name now.
    """
    source = resolve(base["name"], **allowed)
    if source.sha256 != base["sha256"]:
        raise UserError(
            f"was trained on {base['name']}, whose weights have changed since",
            where=str(folder),
            fix="restore the weights that it was trained on, or train again",
        )
    return source


def reload_check(model: PreTrainedModel, saved: SavedModel, features: Features) -> dict[str, Any]:
    """Compare the trained model with the one read back, on the first 64 items, both in 32 bits.

    Returns:
        ``rows``, ``max_difference`` of the logits, and ``tolerance``, for the manifest.

    Raises:
        SupertuneError: They differ: what was saved is not what was trained.
    """
    some = features.take(np.arange(min(_CHECKED_ROWS, len(features))))
    padding = {"input_ids": int(saved.tokenizer.pad_token_id or 0)}
    # In one batch, since raw outputs may be as long as its longest text.
    trained, reloaded = (
        predict_outputs(opened, some, saved.task.forward, batch_size=_CHECKED_ROWS, padding=padding)
        for opened in (model.cpu(), saved.model)
    )
    difference = float(np.abs(trained - reloaded).max(initial=0.0))
    if not difference <= _TOLERANCE:
        raise SupertuneError(
            f"the saved model differs from the trained one by {difference:g} in its outputs; please report this"
        )
    return {"rows": len(some), "max_difference": difference, "tolerance": _TOLERANCE}
