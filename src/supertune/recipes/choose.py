"""Which strategy suits: from rows per label, the size of the model, and the memory that is free."""

from __future__ import annotations

import math
from dataclasses import dataclass

from supertune.recipes.rows import CONTRASTIVE_ROWS

BYTES_OF_FULL = 18
"""Bytes per weight that full fine-tuning holds: the weight, its two averages and its gradient in 32 bits, and its
copy in 16 (Rajbhandari et al. 2020, "ZeRO", section 3.1, counts 16 with the gradient in 16)."""
MEMORY_SHARE = 0.6
"""Share of the free memory that weights may take: activations need some, and others on the machine."""
LARGE = 500_000_000
"""Weights from which a model is saved as an adapter, since a copy of it for every task takes gigabytes."""


@dataclass(frozen=True)
class Choice:
    """A strategy and why.

    Attributes:
        strategy: Its name.
        why: One sentence.
    """

    strategy: str
    why: str


def choose_strategy(each: float, parameters: int | None, free: int | None, *, encoder: bool) -> Choice:
    """What ``--strategy auto`` stands for. See `CONTRASTIVE_ROWS` for the border.

    Args:
        each: Labelled rows per label, on average; infinite for numbers, which have none.
        parameters: Weights of the model; None where that cannot be told.
        free: Bytes of memory that are free; None where the system does not say.
        encoder: Whether the model gives out a single text as vectors that look both ways.
    """
    if encoder and each < CONTRASTIVE_ROWS:
        return Choice(
            "contrastive",
            f"{each:.0f} rows per label are few (below {CONTRASTIVE_ROWS}): pairs of texts say more than single labels",
        )
    if parameters and free is not None and BYTES_OF_FULL * parameters > MEMORY_SHARE * free:
        return Choice(
            "lora",
            f"full fine-tuning of {parameters / 1e6:,.0f} million weights takes "
            f"{BYTES_OF_FULL * parameters / 1e9:.1f} GB, and {free / 1e9:.1f} GB are free",
        )
    if parameters and parameters > LARGE:
        return Choice("lora", f"the model has {parameters / 1e6:,.0f} million weights: an adapter of it is small")
    told = "" if math.isinf(each) else f" from {each:,.0f} rows per label"
    small = f", and the model is small ({parameters / 1e6:,.0f} million weights)" if parameters else ""
    return Choice("full", f"every weight learns{told}{small}")
