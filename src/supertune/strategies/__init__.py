"""Strategies: which parameters learn, and at what rate."""

from __future__ import annotations

from supertune.strategies.full import FullStrategy

STRATEGIES = {"full": FullStrategy}

__all__ = ["STRATEGIES", "FullStrategy"]
