"""Strategies: which parameters learn, and at what rate."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from supertune.contracts import Strategy
from supertune.strategies.full import FullStrategy

STRATEGIES: Mapping[str, Callable[..., Strategy]] = {"full": FullStrategy}
"""Name → what builds the strategy from the other settings of the configuration's section, by keyword."""

__all__ = ["STRATEGIES", "FullStrategy"]
