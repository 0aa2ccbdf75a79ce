"""Texts as words: nothing but white space is lost between them."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from typing import Any

from supertune.sentences import sentence_spans

_HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af々〇]+")
_PLAIN = re.compile(r"\w+|[^\w\s]")


def words_in(text: str) -> list[str]:
    """The words and marks of a text, in order; put together they are the text without its white space."""
    return [word for piece, chinese in pieces_of(text) for word in (_chinese(piece) if chinese else english(piece))]


def pieces_of(text: str) -> Iterator[tuple[str, bool]]:
    """The runs of Chinese characters of each sentence and what stands between them; True for the Chinese ones."""
    for start, end in sentence_spans(text):
        sentence, done = text[start:end], 0
        for match in _HAN.finditer(sentence):
            if sentence[done : match.start()].strip():
                yield sentence[done : match.start()], False
            yield match.group(), True
            done = match.end()
        if sentence[done:].strip():
            yield sentence[done:], False


def _chinese(piece: str) -> list[str]:
    import rjieba

    found: list[str] = rjieba.cut(piece)
    return found


def english(piece: str) -> list[str]:
    """Words as the Penn Treebank has them: ``do n't``, ``owners '``; marks by themselves."""
    try:
        spans = list(_treebank().span_tokenize(piece))
    except (ValueError, IndexError):
        # Mixed quotation marks that its rules lose track of.
        return _PLAIN.findall(piece)
    words = [piece[start:end] for start, end in spans]
    whole = "".join(piece.split())
    return words if "".join(words) == whole else _complete(piece)


def _complete(piece: str) -> list[str]:
    """Every sign in some word: rules that left one out are not used."""
    found = _PLAIN.findall(piece)
    return found if "".join(found) == "".join(piece.split()) else piece.split()


@functools.cache
def _treebank() -> Any:
    from nltk.tokenize import NLTKWordTokenizer

    return NLTKWordTokenizer()
