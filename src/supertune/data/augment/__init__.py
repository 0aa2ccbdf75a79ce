"""New training rows made of those that there are: by rules, or by asking a model.

An augmenter is one class in a file of its own (`supertune.data.augment.augmenter`), with its line in `AUGMENTERS`.
"""

from __future__ import annotations

from supertune.data.augment.amount import Amount
from supertune.data.augment.augmenter import Augmenter, BatchAugmenter, TextAugmenter
from supertune.data.augment.back_translation import BackTranslation
from supertune.data.augment.input_method import InputMethod
from supertune.data.augment.keyboard import Keyboard
from supertune.data.augment.label_conditioned import LabelConditioned
from supertune.data.augment.label_kept import ChangedLabel, LabelsKept, check_labels_can_be_kept, without_changed_labels
from supertune.data.augment.ocr import Ocr
from supertune.data.augment.paraphrase import Paraphrase
from supertune.data.augment.pipeline import augment
from supertune.data.augment.protection import Protection
from supertune.data.augment.punctuation import Punctuation
from supertune.data.augment.random_deletion import RandomDeletion
from supertune.data.augment.random_insertion import RandomInsertion
from supertune.data.augment.random_swap import RandomSwap
from supertune.data.augment.results import Augmented, Made
from supertune.data.augment.synonyms import Synonyms
from supertune.data.augment.wrong_characters import Homophones, LookAlikes

__all__ = [
    "AUGMENTERS",
    "Amount",
    "Augmented",
    "Augmenter",
    "BatchAugmenter",
    "ChangedLabel",
    "LabelsKept",
    "Made",
    "Protection",
    "TextAugmenter",
    "augment",
    "check_labels_can_be_kept",
    "without_changed_labels",
]

AUGMENTERS: dict[str, type[Augmenter]] = {
    augmenter.name: augmenter
    for augmenter in (
        Synonyms,
        RandomInsertion,
        RandomSwap,
        RandomDeletion,
        Punctuation,
        Keyboard,
        Ocr,
        InputMethod,
        Homophones,
        LookAlikes,
        BackTranslation,
        Paraphrase,
        LabelConditioned,
    )
}
