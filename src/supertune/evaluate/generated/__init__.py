"""Texts that a model wrote, and how likely it found those that people wrote."""

from supertune.evaluate.generated.lengths import empty, length_ratio, run_on
from supertune.evaluate.generated.likelihood import bits_per_character, loss_per_token, perplexity
from supertune.evaluate.generated.repetition import distinct, repetition
from supertune.evaluate.generated.side_by_side import SideBySide, side_by_side
from supertune.evaluate.generated.verdict import verdict_on_texts

__all__ = [
    "SideBySide",
    "bits_per_character",
    "distinct",
    "empty",
    "length_ratio",
    "loss_per_token",
    "perplexity",
    "repetition",
    "run_on",
    "side_by_side",
    "verdict_on_texts",
]
