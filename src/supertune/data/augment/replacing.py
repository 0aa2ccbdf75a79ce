"""Which words may stand for a word of a text, in either language."""

from __future__ import annotations

import re

from supertune.data.augment.dictionaries import words
from supertune.data.augment.inflection import synonyms_of
from supertune.data.augment.words import Word

_STARTS = re.compile(r"(?:^|[.!?:;…\n。！？]|[\"“(\[])\s*$")
_ARTICLE = re.compile(r"\b(an?)\s+$", re.IGNORECASE)
_VOWELS = "aeiou"


def candidates(text: str, word: Word) -> tuple[str, ...]:
    """The words that may stand for one; none for names, and for words of which more than one thing is meant.

    English words inside a sentence that begin with a capital are names. Where "a" or "an" stands before a word it
    still fits.

    Raises:
        MissingExtraError: The text is English, and what changes forms of words is not installed.
    """
    if word.chinese:
        kind, others = words("chinese").get(word.text, ("", ()))
        return others if word.tag[:1] == kind[:1] else ()
    before = text[: word.start]
    if word.text[:1].isupper() and not word.text.isupper() and not _STARTS.search(before[-20:]):
        return ()
    found = synonyms_of(word.text)
    if found and (article := _ARTICLE.search(before[-6:])):
        vowel = len(article[1]) == 2
        found = tuple(new for new in found if (new[0].lower() in _VOWELS) == vowel)
    return found
