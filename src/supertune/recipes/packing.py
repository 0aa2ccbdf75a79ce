"""How a step lies in memory: items packed or padded, layers kept or computed again. The result is the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from supertune.contracts import Features, Task
from supertune.errors import UserError
from supertune.recipes.settings import means_something
from supertune.recipes.start import Start
from supertune.tasks import model_of_texts
from supertune.train import (
    can_checkpoint,
    checkpoint_activations,
    collate,
    differs,
    pack,
    set_packed_attention,
    why_not,
)

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_TRIED = 4
"""Items by which it is tried whether they are the same packed as padded."""


class CannotPackError(UserError):
    """The texts of a step cannot stand in one row."""


def begin_packing(start: Start, task: Task, model: PreTrainedModel, features: Features) -> None:
    """Let the model compute items that stand behind each other in one row, once it was tried that they are the same.

    Args:
        start: Strategy and settings.
        task: What is learned.
        model: In 32 bits, on the processor.
        features: The training rows.

    Raises:
        CannotPackError: It cannot, or what is learned would be something else.
    """
    if not means_something("train.packing", task):
        raise CannotPackError(f"means nothing for {task.name}", where="train.packing", fix="leave it out")
    if start.strategy.extra_tokens:
        raise _refused(f"{start.strategy.name} puts tokens before each text")
    if start.config.train.adversarial != "none":
        raise _refused("adversarial training moves each text by itself")
    plain = model_of_texts(model)
    reason = why_not(plain)
    if reason is None:
        set_packed_attention(plain, start.config.train.attention)
        shortest = np.argsort(features.lengths, kind="stable")[:_TRIED]
        try:
            if differs(task.forward, model, collate(features, shortest, {}), pack(features, shortest)):
                reason = "it says something else of texts that stand in one row"
        except (NotImplementedError, ValueError, TypeError, KeyError) as error:
            reason = str(error).partition("\n")[0]
    if reason is not None:
        raise _refused(f"a model of type {plain.config.model_type!r} cannot be trained so: {reason}")


def _refused(reason: str) -> CannotPackError:
    return CannotPackError(f"texts cannot be packed: {reason}", where="train.packing", fix="leave it out")


def begin_checkpointing(start: Start, model: PreTrainedModel) -> None:
    """Let the layers be computed again on the way back.

    Raises:
        UserError: The model cannot.
    """
    if not can_checkpoint(model):
        raise UserError(
            f"layers of a model of type {model.config.model_type!r} cannot be computed a second time",
            where="train.checkpoint_activations",
            fix="leave it out, and cut steps into more pieces: --set train.accumulate",
        )
    checkpoint_activations(model)


def may_checkpoint(config: Any) -> bool:
    """Whether the layers of models with such a configuration can be computed again, as far as transformers knows."""
    from transformers import MODEL_MAPPING

    known = MODEL_MAPPING.get(type(config), None)
    classes = known if isinstance(known, tuple) else (known,)
    return all(getattr(one, "supports_gradient_checkpointing", False) for one in classes)
