"""How to train on divisions of rows that are in memory, again and again."""

from __future__ import annotations

from supertune.config import Config

_NAMED = ("source", "validation", "test", "query", "table", "validation_query", "test_query")


def without_data(config: Config) -> Config:
    """The configuration without its data, which are handed over, and without what no comparison needs."""
    return config.with_values(dict.fromkeys((f"data.{name}" for name in _NAMED), None) | {"evaluate.baselines": False})
