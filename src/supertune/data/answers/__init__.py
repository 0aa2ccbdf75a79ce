"""Signs that an answer is not one to learn from, each told from prompt and answer alone."""

from __future__ import annotations

from supertune.data.answers.echoes import echoes
from supertune.data.answers.endings import ends_early
from supertune.data.answers.languages import other_language
from supertune.data.answers.refusals import refusal_in
from supertune.data.answers.signs import SIGNS

__all__ = ["SIGNS", "echoes", "ends_early", "other_language", "refusal_in"]
