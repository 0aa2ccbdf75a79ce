"""New training rows made of those that there are: by rules, or by asking a model.

An augmenter is one class in a file of its own (`supertune.data.augment.augmenter`), with its line in `AUGMENTERS`.
"""

from __future__ import annotations

from supertune.data.augment.amount import Amount
from supertune.data.augment.augmenter import Augmenter, BatchAugmenter, TextAugmenter
from supertune.data.augment.back_translation import BackTranslation
from supertune.data.augment.label_conditioned import LabelConditioned
from supertune.data.augment.paraphrase import Paraphrase
from supertune.data.augment.pipeline import augment
from supertune.data.augment.protection import Protection
from supertune.data.augment.random_swap import RandomSwap
from supertune.data.augment.results import Augmented, Made

__all__ = [
    "AUGMENTERS",
    "Amount",
    "Augmented",
    "Augmenter",
    "BatchAugmenter",
    "Made",
    "Protection",
    "TextAugmenter",
    "augment",
]

AUGMENTERS: dict[str, type[Augmenter]] = {
    augmenter.name: augmenter for augmenter in (RandomSwap, BackTranslation, Paraphrase, LabelConditioned)
}
