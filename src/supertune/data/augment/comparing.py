"""Whether an answer may stand for a text: its language, its length, what had to be kept, and that it is no copy."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from itertools import pairwise

from supertune.data.augment.answers import NotWritten
from supertune.language import compared_units, fold, fold_case_and_width, has_unspaced_script, language_of

SAME = NotWritten("equal to the original")
OTHER_LANGUAGE = NotWritten("answer in another language")
TOO_SHORT = NotWritten("answer far shorter than the text")
TOO_LONG = NotWritten("answer far longer than the text")
COPY = NotWritten("copy of an example")
LOST = NotWritten("a number, name or placeholder was lost")

_TELLABLE = 40
"""Characters from which the language of a text in a script of several languages can be told."""
_SLACK = 6
"""Words or characters that a text may be longer or shorter by, however short it is."""
_RATIO = 3.0
_COPIED = 0.8
"""Share of the neighbouring pairs of words that an answer has in common with an example, from which it is a copy."""
_BETWEEN_DIGITS = re.compile(r"(?<=\d)[,，\s](?=\d{3})")


def unlike(answer: str, text: str) -> NotWritten | None:
    """Why an answer cannot stand for a text that it is to say in other words; None where it can."""
    if fold(fold_case_and_width(answer)) == fold(fold_case_and_width(text)):
        return SAME
    if not same_language(answer, text):
        return OTHER_LANGUAGE
    return out_of_bounds(answer, [text])


def same_language(answer: str, text: str) -> bool:
    """Whether two texts are in one language, as far as can be told: scripts always, languages of long texts."""
    return in_language(answer, language_of(text), len(text) >= _TELLABLE or has_unspaced_script(text))


def in_language(answer: str, language: str, sure: bool = True) -> bool:
    """Whether a text may be in a language.

    Args:
        answer: The text; one without letters may be in any.
        language: ISO 639-1 code.
        sure: Whether the language itself is certain, and not only its script.
    """
    found = language_of(answer)
    if "und" in (found, language) or found == language:
        return True
    own_script = {"zh", "ja", "ko"}
    if found in own_script or language in own_script:
        return False
    return not (sure and len(answer) >= _TELLABLE)


def out_of_bounds(answer: str, texts: Sequence[str]) -> NotWritten | None:
    """Whether an answer is far shorter or longer than texts of its kind are."""
    length = len(compared_units(answer))
    lengths = [len(compared_units(text)) for text in texts]
    if length + _SLACK < min(lengths) / _RATIO or not length:
        return TOO_SHORT
    return TOO_LONG if length > max(lengths) * _RATIO + _SLACK else None


def is_copy(answer: str, examples: Sequence[str]) -> bool:
    """Whether an answer says nearly what an example says: Jaccard similarity of pairs of neighbouring words."""
    own = _pairs(answer)
    for example in examples:
        other = _pairs(example)
        if len(own & other) >= _COPIED * len(own | other):
            return True
    return False


def lost(text: str, spans: Sequence[tuple[int, int]], answer: str) -> bool:
    """Whether something is missing in an answer that had to be kept as it is: case, width and spaces do not matter."""
    said = _plain(answer)
    return any(not _stands_in(wanted, said) for start, end in spans if (wanted := _plain(text[start:end])))


def _stands_in(wanted: str, said: str) -> bool:
    before = r"(?<!\d)" if wanted[0].isdigit() else ""
    behind = r"(?!\d)" if wanted[-1].isdigit() else ""
    return re.search(before + re.escape(wanted) + behind, said) is not None


def _plain(text: str) -> str:
    folded = _BETWEEN_DIGITS.sub("", unicodedata.normalize("NFKC", text).casefold())
    return "".join(folded.split())


def _pairs(text: str) -> set[tuple[str, ...]]:
    units = compared_units(text)
    return set(pairwise(units)) or {tuple(units)}
