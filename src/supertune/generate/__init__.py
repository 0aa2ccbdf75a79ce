"""Texts that a model writes: batches of prompts, or one text as it comes; and what others' texts would cost it."""

from __future__ import annotations

from supertune.generate.likelihoods import log_likelihoods
from supertune.generate.reading import Context
from supertune.generate.settings import Ending, Generated, GenerationSettings
from supertune.generate.stopping import Decode
from supertune.generate.writing import Progress, generate, prompt_room, stream

__all__ = [
    "Context",
    "Decode",
    "Ending",
    "Generated",
    "GenerationSettings",
    "Progress",
    "generate",
    "log_likelihoods",
    "prompt_room",
    "stream",
]
