"""Parts of speech: tags of the Penn Treebank for English, of jieba (ICTCLAS) for Chinese."""

from __future__ import annotations

import base64
import functools
import importlib
import string
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from supertune.data.words.dividing import english, pieces_of
from supertune.errors import MissingExtraError

_NEAR = 2
"""Words on either side that the model looks at."""
Feature = str | float | bool


def tagged_words(text: str) -> list[tuple[str, str]]:
    """The words of a text as `words_in` gives them, each with its part of speech.

    Raises:
        MissingExtraError: There is English in it, and the model is not installed.
    """
    found: list[tuple[str, str]] = []
    for piece, chinese in pieces_of(text):
        found += _chinese(piece) if chinese else _english(piece)
    return found


def check_tagger() -> None:
    """Check that English can be tagged.

    Raises:
        MissingExtraError: The model is not installed.
    """
    _tagger()


def _chinese(piece: str) -> list[tuple[str, str]]:
    import rjieba

    return [(word, tag) for word, tag in rjieba.tag(piece)]


def _english(piece: str) -> list[tuple[str, str]]:
    words = english(piece)
    return list(zip(words, _tagger().tag([_features(words, place) for place in range(len(words))]), strict=True))


def _features(words: Sequence[str], place: int) -> dict[str, Feature]:
    """What the model was taught to look at: the word, two on either side, and whether the sentence ends there."""
    found: dict[str, Feature] = {}
    for distance in range(-_NEAR, _NEAR + 1):
        if 0 <= place + distance < len(words):
            found |= _of_word(words[place + distance], f"{distance:+}:" if distance else "")
    if place == 0:
        found["BOS"] = True
    if place == len(words) - 1:
        found["EOS"] = True
    return found


def _of_word(word: str, prefix: str) -> dict[str, Feature]:
    """The word, its ends of two and three letters, its length, and whether it is a mark or a number."""
    # Names of features are ASCII in the model; lone surrogates are no text that it could know.
    known = base64.b64encode(word.encode("utf-8", "replace")).decode("ascii")
    plain = word.encode("utf-8", "replace").decode("utf-8")
    ends = {f"{prefix}word[:{size}]": plain[:size] for size in (2, 3)}
    ends |= {f"{prefix}word[-{size}:]": plain[-size:] for size in (2, 3)}
    return {
        f"{prefix}bias": 1.0,
        f"{prefix}word": known,
        f"{prefix}len(word)": float(len(plain)),
        f"{prefix}word.ispunctuation": plain in string.punctuation,
        f"{prefix}word.isdigit()": plain.isdigit(),
        **ends,
    }


@functools.cache
def _tagger() -> Any:
    try:
        model, reader = (importlib.import_module(name) for name in ("gruut_lang_en", "pycrfsuite"))
    except ImportError as error:
        raise MissingExtraError("gruut_lang_en", "words", purpose="parts of speech of English words") from error
    tagger = reader.Tagger()
    tagger.open(str(Path(str(model.__file__)).parent / "pos" / "model.crf"))
    return tagger
