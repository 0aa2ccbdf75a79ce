"""Where the tokens of several texts stand in them: which lie within some characters, and how many each of them adds.

All texts at once: one by one, and with a call of the tokenizer's encodings for every character that is looked for, this
takes as long as tokenising.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from supertune.contracts import IntArray
from supertune.tasks.placed_tokens import Placed


class TokenPlaces:
    """The characters of the tokens of several texts.

    Args:
        texts: Their tokens.

    Attributes:
        firsts: int64 (texts + 1,): number, among all tokens, of each text's first; at the end how many there are.
    """

    def __init__(self, texts: Sequence[Placed]) -> None:
        self._texts = texts
        counts = np.fromiter((len(text.ids) for text in texts), np.int64, len(texts))
        self.firsts: IntArray = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)])
        places = np.concatenate([np.zeros((0, 2), np.int64), *(text.places for text in texts)])
        # The texts one behind the other, so that all can be searched at once.
        self._apart = int(places.max(initial=0)) + 1
        places += np.repeat(np.arange(len(texts)) * self._apart, counts)[:, None]
        self._begins, self._ends = np.ascontiguousarray(places.T)
        back = np.flatnonzero((np.diff(self._begins) < 0) | (np.diff(self._ends) < 0)) + 1
        self._unordered = np.unique(np.searchsorted(self.firsts, back, side="right") - 1)
        """Texts whose tokens do not stand in the order of their characters."""

    def within(self, texts: IntArray, begins: IntArray, ends: IntArray) -> tuple[IntArray, IntArray]:
        """The tokens that lie wholly within some characters of a text; those that straddle are out.

        Args:
            texts: int64 (spans,): which text.
            begins: int64 (spans,): the first character.
            ends: int64 (spans,): behind the last.

        Returns:
            The number, among all tokens, of the first one, and behind the last, each int64 (spans,).
        """
        shifts, last = texts * self._apart, self._apart - 1
        from_here, to_here = np.minimum(begins, last) + shifts, np.minimum(ends, last) + shifts
        # A token without characters is none that a text begins with, and one between others is within.
        solid = np.flatnonzero(self._ends > self._begins)
        reaching = np.append(solid, len(self._ends))[np.searchsorted(self._ends[solid], from_here, side="right")]
        first = np.maximum(reaching, np.searchsorted(self._begins, from_here, side="left"))
        behind = np.searchsorted(self._ends, to_here, side="right")
        for span in np.flatnonzero(np.isin(texts, self._unordered)).tolist():
            text = int(texts[span])
            found = _within(self._texts[text].places.tolist(), int(begins[span]), int(ends[span]))
            first[span], behind[span] = self.firsts[text] + np.array(found)
        return first, np.maximum(first, behind)

    def added(self) -> IntArray:
        """Int64 (tokens,): the characters that each token adds to those before it in its text."""
        reached = np.concatenate([np.zeros(1, np.int64), np.maximum.accumulate(self._ends)[:-1]])
        added: IntArray = np.maximum(self._ends - np.maximum(self._begins, reached[: len(self._ends)]), 0)
        return added


def _within(places: Sequence[Sequence[int]], begin: int, end: int) -> tuple[int, int]:
    """As `TokenPlaces.within`, of one text, whatever the order of its tokens."""
    first = _holding(places, range(begin, end))
    if first is None:
        return 0, 0
    while first < len(places) and places[first][0] < begin:
        first += 1
    behind = _holding(places, range(end, places[-1][1]))
    behind = len(places) if behind is None else behind
    while behind > first and places[behind - 1][1] > end:
        behind -= 1
    return first, behind


def _holding(places: Sequence[Sequence[int]], characters: range) -> int | None:
    """The first token of the first character that is in one."""
    found = (number for at in characters for number, (begin, end) in enumerate(places) if begin <= at < end)
    return next(found, None)
