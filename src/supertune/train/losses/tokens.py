"""Losses for a tag of every token: logits float (tokens, tags) of the tokens that are learned, targets int64 (tokens,).

A token counts once, whatever text it is in, and the count is the number of tokens: so a batch that is cut into pieces
learns the same, however many tokens each piece has.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from supertune.train.losses.classes import LossSettings
from supertune.train.losses.cross_entropy import Criterion, cross_entropy, focal

TAG_LOSSES: Mapping[str, Callable[[LossSettings], Criterion]] = {
    "cross_entropy": lambda settings: cross_entropy(None, settings.label_smoothing),
    "focal": lambda settings: focal(settings.focal_gamma, None, settings.label_smoothing),
}
"""Name of the loss → (settings) → criterion."""
