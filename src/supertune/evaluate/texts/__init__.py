"""Texts against texts: answers to questions, summaries, translations, dialogue."""

from __future__ import annotations

from supertune.evaluate.texts.cmrc import exact_match_cmrc, f1_cmrc
from supertune.evaluate.texts.corpus import bleu, chrf, ter
from supertune.evaluate.texts.rouge import rouge
from supertune.evaluate.texts.squad import exact_match, f1

__all__ = ["bleu", "chrf", "exact_match", "exact_match_cmrc", "f1", "f1_cmrc", "rouge", "ter"]
