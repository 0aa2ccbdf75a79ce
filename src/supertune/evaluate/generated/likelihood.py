"""How likely a model finds the right texts: loss per token, perplexity, and bits per character.

Each is a ratio of sums over all rows, as in Jelinek et al. 1977, "Perplexity: a measure of the difficulty of speech
recognition tasks". Tokens differ from model to model, characters do not: bits per character compare models with
different tokenizers.
"""

from __future__ import annotations

import numpy as np

from supertune.contracts import FloatArray, Outcome
from supertune.evaluate.generated.ratios import ratio
from supertune.evaluate.metric import Metric


def loss_per_token() -> Metric:
    """Mean of −ln p of the tokens that were to be written, in nats."""
    return ratio(_per_token, "nats|per:token", higher_is_better=False)


def perplexity() -> Metric:
    """E to the power of the loss per token: among how many equally likely tokens the model seems to choose."""
    return ratio(_per_token, "per:token", raised=True, higher_is_better=False)


def bits_per_character() -> Metric:
    """−log₂ p of the right texts ÷ their characters, as Unicode counts them."""
    return ratio(_per_character, "bits|per:character", impossible=_no_characters, higher_is_better=False)


def _per_token(outcome: Outcome) -> FloatArray:
    return np.stack([outcome.outputs, outcome.targets[:, 0]], axis=1).astype(np.float64)


def _per_character(outcome: Outcome) -> FloatArray:
    return np.stack([outcome.outputs / np.log(2), outcome.targets[:, 1]], axis=1).astype(np.float64)


def _no_characters(outcome: Outcome) -> str | None:
    return None if outcome.targets[:, 1].any() else "the right texts have no characters"
