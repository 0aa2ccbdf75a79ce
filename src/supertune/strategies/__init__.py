"""Strategies: which parameters learn, and at what rate."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any, Literal, get_args, get_origin, get_type_hints

from supertune.contracts import Strategy
from supertune.errors import UserError
from supertune.strategies.appending import looks_back_only
from supertune.strategies.bitfit import BitFitStrategy
from supertune.strategies.bottleneck import BottleneckStrategy
from supertune.strategies.contrastive import ContrastiveStrategy
from supertune.strategies.full import FullStrategy
from supertune.strategies.ia3 import Ia3Strategy
from supertune.strategies.layernorm import LayerNormStrategy
from supertune.strategies.lora import DoraStrategy, LoraStrategy
from supertune.strategies.partial import PartialStrategy
from supertune.strategies.probe import ProbeStrategy
from supertune.strategies.prompts import PrefixStrategy, PromptStrategy, PTuningStrategy
from supertune.strategies.zero_shot import ZeroShotStrategy

STRATEGIES: Mapping[str, Callable[..., Strategy]] = {
    strategy.name: strategy
    for strategy in (
        FullStrategy,
        PartialStrategy,
        ProbeStrategy,
        LoraStrategy,
        DoraStrategy,
        BottleneckStrategy,
        PromptStrategy,
        PTuningStrategy,
        PrefixStrategy,
        Ia3Strategy,
        BitFitStrategy,
        LayerNormStrategy,
        ContrastiveStrategy,
        ZeroShotStrategy,
    )
}
"""Name → what builds the strategy from its own settings, by keyword."""


def build_strategy(name: str, settings: Mapping[str, Any]) -> Strategy:
    """The strategy with its settings; what is not given is as the strategy has it.

    Args:
        name: One of `STRATEGIES`.
        settings: Its settings by name; sequences may be lists.

    Raises:
        UserError: It has no such setting, or not that value of it.
    """
    known = {field.name for field in fields(STRATEGIES[name])}  # type: ignore[arg-type]
    kinds = get_type_hints(STRATEGIES[name])
    for key, value in settings.items():
        if key not in known:
            others = [other for other, kind in STRATEGIES.items() if key in {field.name for field in fields(kind)}]  # type: ignore[arg-type]
            raise UserError(
                f"means nothing for the strategy {name!r}",
                where=f"strategy.{key}",
                fix=f"leave it out; it is for {', '.join(others)}" if others else "leave it out",
            )
        choices = get_args(kinds[key]) if get_origin(kinds[key]) is Literal else ()
        if choices and value not in choices:
            raise UserError(
                f"{value!r} means nothing for the strategy {name!r}",
                where=f"strategy.{key}",
                fix=f"choose from {', '.join(choices)}",
            )
    return STRATEGIES[name](
        **{key: tuple(value) if isinstance(value, list) else value for key, value in settings.items()}
    )


__all__ = ["STRATEGIES", "FullStrategy", "build_strategy", "looks_back_only"]
