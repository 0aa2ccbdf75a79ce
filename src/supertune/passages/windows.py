"""Long passages in overlapping windows of whole sentences, each short enough for the model to read."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from supertune.language import break_near_middle
from supertune.sentences import sentence_spans

Span = tuple[int, int]
Lengths = Callable[[Sequence[str]], NDArray[np.int64]]
"""From texts to how many tokens the model would read of each if it read all of it."""

OVERLAP = 0.25
"""At most this part of a window stands in the next one as well."""


def windows_of(texts: Sequence[str], lengths: Lengths, most: int) -> list[list[Span]]:
    """For each text the characters (first, behind the last) of its windows, in order.

    A text that fits is one window, the whole of it. Otherwise windows are sentences in a row, as many as fit; the next
    one begins with the last sentences of the one before, as many as fit in a quarter of it. A sentence that does not
    fit by itself is cut behind a comma or white space, or where it must be, near its middle, until its parts do.
    Every character other than white space between sentences is in a window.

    Args:
        texts: What to divide.
        lengths: Tokens of texts.
        most: Tokens that the model reads.
    """
    found: list[list[Span]] = [[(0, len(text))] for text in texts]
    long = [number for number, length in enumerate(lengths(texts)) if length > most]
    if not long:
        return found
    bare = int(lengths([""])[0])
    room = max(most - bare, 1)
    said = [(number, span) for number in long for span in sentence_spans(texts[number])]
    units = _fitting(said, texts, lengths, most)
    sizes = lengths([texts[number][start:end] for number, (start, end) in units]) - bare
    packed: list[tuple[int, Span]] = []
    first = 0
    for number in long:
        last = first
        while last < len(units) and units[last][0] == number:
            last += 1
        spans = [span for _, span in units[first:last]]
        packed += [(number, span) for span in _packed(spans, sizes[first:last].tolist(), room)]
        first = last
    # Tokens of two sentences may be more than those of each, where a tokenizer joins what stands together.
    for number in long:
        found[number] = []
    for number, span in _fitting(packed, texts, lengths, most):
        found[number].append(span)
    for number in long:
        # A text without a sentence has nothing to be found by.
        found[number] = found[number] or [(0, len(texts[number]))]
    return found


def _fitting(
    pieces: list[tuple[int, Span]], texts: Sequence[str], lengths: Lengths, most: int
) -> list[tuple[int, Span]]:
    """The pieces, those that do not fit cut in two until all do or are single characters."""
    while True:
        sizes = lengths([texts[number][start:end] for number, (start, end) in pieces])
        if not ((sizes > most) & np.array([end - start > 1 for _, (start, end) in pieces], bool)).any():
            return pieces
        halved = []
        for (number, (start, end)), size in zip(pieces, sizes, strict=True):
            if size <= most or end - start < 2:
                halved.append((number, (start, end)))
            else:
                middle = start + break_near_middle(texts[number][start:end])
                halved += [(number, (start, middle)), (number, (middle, end))]
        pieces = halved


def _packed(spans: Sequence[Span], sizes: Sequence[int], room: int) -> list[Span]:
    windows = []
    first = 0
    while first < len(spans):
        last, used = first + 1, sizes[first]
        while last < len(spans) and used + sizes[last] <= room:
            used += sizes[last]
            last += 1
        windows.append((spans[first][0], spans[last - 1][1]))
        if last == len(spans):
            break
        shared, following = 0, last
        while following - 1 > first and shared + sizes[following - 1] <= OVERLAP * room:
            following -= 1
            shared += sizes[following]
        # What is shared must leave room for something new.
        while following < last and shared + sizes[last] > room:
            shared -= sizes[following]
            following += 1
        first = following
    return windows
