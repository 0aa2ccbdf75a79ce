"""Tokens of texts with the characters that each stands for: whole characters as people see them, and no white space."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

OUTSIDE = -1
"""First and last character of a token that stands for none of the text."""
_JOINED = ("Mn", "Mc", "Me", "Cf")
"""Categories of what belongs to the character before it: accents, vowel signs, joiners, variation selectors."""


@dataclass(frozen=True)
class Located:
    """The tokens of a text.

    Attributes:
        ids: int32 (tokens,).
        begins: int32 (tokens,): the first character of each; `OUTSIDE` where it stands for none.
        ends: int32 (tokens,): behind its last character.
    """

    ids: NDArray[np.int32]
    begins: NDArray[np.int32]
    ends: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.ids)


def located(texts: Sequence[str], tokenizer: PreTrainedTokenizerBase) -> list[Located]:
    """Texts as tokens without special ones, each with its characters in the text as it was given.

    Tokenizers count a space before a word to it, and drop accents and joiners that they normalise away: here a token
    begins at its first visible character, and ends behind the marks of its last one.
    """
    if not texts:
        return []
    called: Any = tokenizer(
        list(texts),
        add_special_tokens=False,
        return_offsets_mapping=True,
        return_attention_mask=False,
        return_token_type_ids=False,
        verbose=False,
    )
    found = []
    for text, ids, offsets in zip(texts, called["input_ids"], called["offset_mapping"], strict=True):
        pairs = np.array(offsets, np.int32).reshape(-1, 2)
        begins, ends = _exact(text, pairs[:, 0], pairs[:, 1])
        found.append(Located(np.array(ids, np.int32), begins, ends))
    return found


def _exact(
    text: str, begins: NDArray[np.int32], ends: NDArray[np.int32]
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    places = np.arange(len(text) + 1, dtype=np.int32)
    blank = np.array([*map(str.isspace, text), False], bool)
    # The next character from each place on that is seen, and behind the last one before it.
    following = np.minimum.accumulate(np.where(blank, len(text), places)[::-1])[::-1]
    preceding = np.maximum.accumulate(np.concatenate([[0], np.where(blank[:-1], 0, places[1:])]))
    begins = np.minimum(following[begins], ends)
    ends = np.maximum(preceding[ends], begins)
    if not text.isascii():
        ends = _with_marks(text, begins, ends)[ends]
    nothing = ends <= begins
    return (
        np.where(nothing, OUTSIDE, begins).astype(np.int32),
        np.where(nothing, OUTSIDE, ends).astype(np.int32),
    )


def _with_marks(text: str, begins: NDArray[np.int32], ends: NDArray[np.int32]) -> NDArray[np.int32]:
    """int32 (characters + 1,): where a token that ends at a place really ends, with marks that are in no token."""
    reach = np.arange(len(text) + 1, dtype=np.int32)
    marks = [place for place, character in enumerate(text) if unicodedata.category(character) in _JOINED]
    if not marks:
        return reach
    change = np.zeros(len(text) + 1, np.int64)
    np.add.at(change, begins, 1)
    np.add.at(change, ends, -1)
    covered = np.cumsum(change) > 0
    for place in reversed(marks):
        if not covered[place]:
            reach[place] = reach[place + 1]
    return reach
