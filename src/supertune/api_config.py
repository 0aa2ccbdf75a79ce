"""A configuration from what a Python function was called with."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from supertune.config import Config, load_config


def named(config: Config, task: str | None, pair: bool | None) -> Config:
    """The configuration for a task, and for pairs or single texts; None leaves it as it is."""
    values = {"task.name": task, "data.pair": pair}
    return config.with_values({key: value for key, value in values.items() if value is not None})


def configured(
    data: object, text: str | Sequence[str] | None, label: str | Sequence[str] | None, model: str | None
) -> tuple[Config, Any]:
    """The configuration, and the rows where they are in memory."""
    config, rows = Config(), None
    if isinstance(data, str | Path):
        if str(data).lower().endswith((".yaml", ".yml")):
            config = load_config(Path(data))
        else:
            config = config.with_values({"data.source": str(data)})
    else:
        rows = data
    return with_columns(config, text, label, model), rows


def with_columns(
    config: Config, text: str | Sequence[str] | None, label: str | Sequence[str] | None, model: str | None = None
) -> Config:
    """The configuration with these columns and this model; None leaves them as they are."""
    values: dict[str, object] = {
        "data.text": [text] if isinstance(text, str) else list(text) if text is not None else None,
        "data.label": label if isinstance(label, str) or label is None else list(label),
        "model.name": model,
    }
    return config.with_values({key: value for key, value in values.items() if value is not None})
