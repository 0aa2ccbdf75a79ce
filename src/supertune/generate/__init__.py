"""Texts that a model writes: batches of prompts, or one text as it comes; and what others' texts would cost it."""

from __future__ import annotations

from supertune.generate.answer_cache import AnswerCache, KeptWriter
from supertune.generate.endpoint import EndpointSettings, EndpointWriter, Limits, Prices
from supertune.generate.likelihoods import log_likelihoods
from supertune.generate.reading import Context
from supertune.generate.settings import Ending, Generated, GenerationSettings
from supertune.generate.stopping import Decode
from supertune.generate.writing import Progress, generate, prompt_room, stream

__all__ = [
    "AnswerCache",
    "Context",
    "Decode",
    "Ending",
    "EndpointSettings",
    "EndpointWriter",
    "Generated",
    "GenerationSettings",
    "KeptWriter",
    "Limits",
    "Prices",
    "Progress",
    "generate",
    "log_likelihoods",
    "prompt_room",
    "stream",
]
