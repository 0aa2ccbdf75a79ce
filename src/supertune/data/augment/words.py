"""Texts as words whose places are known, and texts put together again with some of them changed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from supertune.data.augment.augmenter import Spans
from supertune.language import has_unspaced_script

_HAN_RUN = r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af々〇]+"
_WORD = re.compile(rf"(?P<han>{_HAN_RUN})|[^\W_]+(?:[\u0300-\u036f]|['’\-](?=[^\W_])|[^\W_])*")


@dataclass(frozen=True)
class Word:
    """A word where it stands.

    Attributes:
        text: As it is written.
        start: Its first character.
        end: Behind its last.
        chinese: Of Chinese characters.
        tag: Part of speech of a Chinese word as jieba calls it; "" for others.
        fixed: Some of it is protected.
    """

    text: str
    start: int
    end: int
    chinese: bool
    tag: str
    fixed: bool


def words_of(text: str, protected: Spans) -> list[Word]:
    """The words of a text in order: runs of letters and digits, and Chinese words as jieba divides them."""
    words: list[Word] = []
    spans = iter([*protected, (len(text) + 1, len(text) + 1)])
    start, end = next(spans)
    for match in _WORD.finditer(text):
        place = match.start()
        for piece, tag in _pieces(match):
            behind = place + len(piece)
            while end <= place:
                start, end = next(spans)
            words.append(Word(piece, place, behind, match["han"] is not None, tag, start < behind))
            place = behind
    return words


def _pieces(match: re.Match[str]) -> list[tuple[str, str]]:
    if match["han"] is None:
        return [(match.group(), "")]
    import rjieba

    return [(word, tag) for word, tag in rjieba.tag(match.group())]


def with_changes(text: str, changes: Sequence[tuple[int, int, str]]) -> str:
    """The text with parts replaced; ``changes`` are places in it that do not overlap, and what is to stand there."""
    parts, done = [], 0
    for start, end, new in sorted(changes, key=lambda change: change[:2]):
        parts += [text[done:start], new]
        done = end
    return "".join([*parts, text[done:]])


def is_close(text: str) -> bool:
    """Whether no space belongs between a text and its neighbours: Chinese and the like."""
    return has_unspaced_script(text)


def how_many(share: float, words: int) -> int:
    """Words to change: the share of them, at least one (Wei & Zou 2019, section 2)."""
    return max(1, int(share * words))
