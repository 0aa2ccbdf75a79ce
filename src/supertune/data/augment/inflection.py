"""English words in other forms: what a word is a form of, and another word in the same form (lemminflect)."""

from __future__ import annotations

import importlib
from functools import cache, lru_cache
from typing import Any

from supertune.data.augment.dictionaries import words
from supertune.errors import MissingExtraError

_KINDS = {"n": "NOUN", "v": "VERB", "a": "ADJ", "r": "ADV"}


@cache
def _library() -> Any:
    try:
        return importlib.import_module("lemminflect")
    except ImportError as error:
        raise MissingExtraError("lemminflect", "augment", purpose="replacing English words") from error


@lru_cache(maxsize=100_000)
def synonyms_of(word: str) -> tuple[str, ...]:
    """Words that may stand for an English one, in its form and with its capitals, the commonest first.

    Only words of one part of speech and, by far most often, one meaning have any: of the others a dictionary cannot
    tell what they mean here.

    Raises:
        MissingExtraError: lemminflect is not installed.
    """
    library = _library()
    lower = word.lower()
    if not (word.isascii() and word.isalpha()) or (word not in (lower, lower.capitalize(), word.upper())):
        return ()
    found: dict[str, tuple[str, ...]] = library.getAllLemmas(lower)
    lemmas = {lemma for forms in found.values() for lemma in forms}
    if len(lemmas) != 1:
        return ()
    lemma = lemmas.pop()
    entry = words("english").get(lemma)
    if entry is None or (kind := _KINDS[entry[0]]) not in found:
        return ()
    tags = [tag for tag, forms in library.getAllInflections(lemma, upos=kind).items() if lower in forms]
    formed = [_formed(other, tags) for other in entry[1]] if tags else [*entry[1]] if lower == lemma else []
    return tuple(dict.fromkeys(_capitals(new, word) for new in formed if new is not None and new != lower))


def _formed(lemma: str, tags: list[str]) -> str | None:
    """The form of a word; None where it has several for what is one form of another word."""
    library = _library()
    forms = {forms[0] for tag in tags if (forms := library.getInflection(lemma, tag=tag))}
    return forms.pop() if len(forms) == 1 else None


def _capitals(new: str, like: str) -> str:
    if like.isupper() and len(like) > 1:
        return new.upper()
    return new.capitalize() if like[0].isupper() else new
