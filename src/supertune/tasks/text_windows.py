"""Texts of any length as token windows, in which every token knows its characters, its word, and where it is judged."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from supertune.contracts import Columns, Features, IntArray, Rows
from supertune.language import inside_word
from supertune.tasks.offsets import OUTSIDE, Located, located
from supertune.tasks.tokenise import text_portions
from supertune.tasks.windows import Sliding

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

APART, SAME_WORD, SAME_CHARACTER = 0, 1, 2
"""How a token follows the one before it: as a word of its own, within a word, or as a part of the same character."""


def text_windows(
    rows: Rows, columns: Columns, tokenizer: PreTrainedTokenizerBase, max_length: int, sliding: Sliding
) -> Iterator[Features]:
    """Texts as windows, one after the other, several items per row where the text is long.

    Token columns: ``input_ids``; ``begins`` and ``ends`` int32, the characters that a token stands for (-1 for none);
    ``follows`` int8, see `APART`; ``home`` int8, 1 in the one window of those with the token in whose middle it is
    most nearly, where it has the most around it. Comes in pieces of at most 1,024 rows, at least one.
    """
    before, after = _frame(tokenizer)
    room = max(1, max_length - len(before) - len(after))
    first = 0
    for portion in text_portions(rows, columns):
        texts = [texts[0] for texts in portion]
        found = located(texts, tokenizer)
        yield _features(texts, found, (before, after), room, sliding, first)
        first += len(portion)


def _features(
    texts: list[str],
    found: list[Located],
    frame: tuple[NDArray[np.int32], NDArray[np.int32]],
    room: int,
    sliding: Sliding,
    first: int,
) -> Features:
    before, after = frame
    ids: list[NDArray[np.int32]] = [np.zeros(0, np.int32)]
    begins: list[NDArray[np.int32]] = [np.zeros(0, np.int32)]
    ends: list[NDArray[np.int32]] = [np.zeros(0, np.int32)]
    follows: list[NDArray[np.int8]] = [np.zeros(0, np.int8)]
    homes: list[NDArray[np.int8]] = [np.zeros(0, np.int8)]
    lengths, rows = [], []
    for row, (text, one) in enumerate(zip(texts, found, strict=True), first):
        how = _following(text, one)
        starts = sliding.starts(len(one), room)
        for start, (low, high) in zip(starts, _homes(starts, room, len(one)), strict=True):
            part = slice(start, start + room)
            place = np.arange(len(one))[part]
            ids += [before, one.ids[part], after]
            for flat, own in ((begins, one.begins), (ends, one.ends)):
                flat += [np.full(len(before), OUTSIDE, np.int32), own[part], np.full(len(after), OUTSIDE, np.int32)]
            at_home = ((place >= low) & (place < high)).astype(np.int8)
            for flat8, own8 in ((follows, how[part]), (homes, at_home)):
                flat8 += [np.zeros(len(before), np.int8), own8, np.zeros(len(after), np.int8)]
            lengths.append(len(before) + len(place) + len(after))
            rows.append(row)
    tokens: dict[str, NDArray[Any]] = {
        "input_ids": np.concatenate(ids),
        "begins": np.concatenate(begins),
        "ends": np.concatenate(ends),
        "follows": np.concatenate(follows),
        "home": np.concatenate(homes),
    }
    sizes = np.array(lengths, np.int64)
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes)])
    return Features(tokens, offsets, {}, np.array(rows, np.int64), sizes)


def _homes(starts: range | list[int], room: int, tokens: int) -> list[tuple[int, int]]:
    """For each window the tokens that are nearer to its middle than to any other's: the first, and behind the last."""
    middles = [start + room / 2 for start in starts]
    borders = [math.ceil((one + other) / 2) for one, other in pairwise(middles)]
    return list(pairwise([0, *borders, tokens]))


def _following(text: str, found: Located) -> NDArray[np.int8]:
    """int8 (tokens,): how each token follows the last one before it that stands for characters."""
    how = np.zeros(len(found), np.int8)
    there = np.flatnonzero(found.ends > found.begins)
    begins, ends = found.begins[there], found.ends[there]
    close = np.flatnonzero(begins[1:] <= ends[:-1]) + 1
    for place in close.tolist():
        shared = begins[place] < ends[place - 1]
        how[there[place]] = SAME_CHARACTER if shared else SAME_WORD if inside_word(text, int(begins[place])) else APART
    return how


def _frame(tokenizer: PreTrainedTokenizerBase) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """The special tokens that the tokenizer puts before and behind a text."""
    called = tokenizer("a")
    ids = np.array(called["input_ids"], np.int32)
    inside = [place for place, side in enumerate(called.sequence_ids()) if side is not None]
    return ids[: inside[0]], ids[inside[-1] + 1 :]


def longest_windows(pieces: Iterator[Features]) -> Iterator[IntArray]:
    """The tokens of each row's longest window, one array per piece: nothing of a text is cut."""
    first = 0
    for piece in pieces:
        count = int(piece.rows[-1]) + 1 - first if len(piece) else 0
        longest = np.zeros(count, np.int64)
        np.maximum.at(longest, piece.rows - first, piece.full_lengths)
        yield longest
        first += count
