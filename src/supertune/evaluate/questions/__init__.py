"""Answers to questions: what needs no training to find them, and the verdict in words."""

from supertune.evaluate.questions.sentence import SentenceBaseline
from supertune.evaluate.questions.verdict import verdict_on_answers

__all__ = ["SentenceBaseline", "verdict_on_answers"]
