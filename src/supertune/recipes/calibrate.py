"""What a trained model's answers are cut by, chosen on rows that it did not learn from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from supertune.contracts import Features, Task
from supertune.recipes.start import Start
from supertune.train import predict_outputs

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def calibrated(start: Start, task: Task, model: PreTrainedModel, features: Mapping[str, Features]) -> Task:
    """The task with its thresholds chosen on the validation rows, if it has any to choose and there are such rows.

    Args:
        start: Batch size and padding.
        task: What was learned.
        model: As it will be saved.
        features: The labelled rows of each split.
    """
    if not task.calibrates or "validation" not in features:
        return task
    outputs = predict_outputs(
        model.cpu(),
        features["validation"],
        task.forward,
        batch_size=start.config.evaluate.batch_size,
        padding={"input_ids": int(start.tokenizer.pad_token_id or 0)},
    )
    return task.calibrated(outputs, features["validation"])
