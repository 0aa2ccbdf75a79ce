"""How a model makes one vector of a text: as it was pre-trained, and as other tools are told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from supertune.config import Config
from supertune.contracts import Task
from supertune.errors import UserError
from supertune.models import ModelSource, TextEmbedding, embedding_of, load_configuration, write_embedding
from supertune.strategies import looks_back_only
from supertune.tasks import TASKS, EmbeddingSettings, RetrievalTask

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def embedding_settings(source: ModelSource) -> EmbeddingSettings:
    """As it was pre-trained.

    Raises:
        UserError: Its folder names a way that is not known here.
    """
    known = embedding_of(source, looks_back_only=looks_back_only(load_configuration(source)))
    return EmbeddingSettings(known.pooling, known.query_prompt, known.passage_prompt, scale=source.similarity_scale)


def task_settings(config: Config, source: ModelSource) -> dict[str, Any]:
    """The settings of the task that are known; for vectors, what the user leaves open is as the model was trained.

    Raises:
        UserError: Vectors are to be shorter, and would not be; or the model makes them in a way that is not known here.
    """
    asked = {name: value for name, value in config.task.model_dump().items() if value is not None}
    if TASKS[config.task.name].answers != "ranking":
        return asked
    _check_dimensions(source, config.task.dimensions)
    return asdict(embedding_settings(source)) | asked


def _check_dimensions(source: ModelSource, dimensions: Sequence[int] | None) -> None:
    """Check that shorter vectors are shorter.

    Raises:
        UserError: One is as long as the model's, or longer, or named twice.
    """
    width = int(load_configuration(source).get_text_config().hidden_size)
    for length in dimensions or ():
        if length >= width or list(dimensions or ()).count(length) > 1:
            raise UserError(
                f"{length} is named twice"
                if length < width
                else f"a vector of {source.name} has {width} numbers, and {length} are no fewer",
                where="task.dimensions",
                fix=f"name lengths below {width}, each once",
            )


def write_vectors(task: Task, model: PreTrainedModel, max_length: int, folder: Path) -> None:
    """How a vector is made, as sentence-transformers reads it; nothing where the task makes none."""
    if not isinstance(task, RetrievalTask):
        return
    settings = task.settings
    embedding = TextEmbedding(settings.pooling, settings.query_prompt, settings.passage_prompt)
    width = int(model.config.get_text_config().hidden_size)
    write_embedding(folder, embedding, width=width, max_length=max_length)
