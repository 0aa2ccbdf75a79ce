"""Times as people say them."""

from __future__ import annotations

from supertune.runs.report.words import WORDS, Language


def duration_text(seconds: float, language: Language = "en") -> str:
    """A time in its two largest units: ``15 s``, ``2 min 10 s``, ``3 h 5 min``, ``2 d 4 h``."""
    words = WORDS[language].training
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes_left = divmod(minutes, 60)
    if hours >= 24:
        return words.days.format(days=hours // 24, hours=hours % 24)
    if hours:
        return words.hours.format(hours=hours, minutes=minutes_left)
    if minutes:
        return words.minutes.format(minutes=minutes, seconds=rest)
    return words.seconds.format(seconds=rest)
