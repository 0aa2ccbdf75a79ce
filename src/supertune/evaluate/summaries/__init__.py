"""Extracts: baselines that need no training, where in documents sentences are taken from, and the verdict in words."""

from supertune.evaluate.summaries.pictures import places_taken
from supertune.evaluate.summaries.textrank import textrank
from supertune.evaluate.summaries.verdict import verdict_on_summaries

__all__ = ["places_taken", "textrank", "verdict_on_summaries"]
