"""Questions and long texts as token windows: the question, then a part of the text, so that every part is in one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from supertune.contracts import Columns, Features, IntArray, Rows
from supertune.errors import UserError
from supertune.tasks.offsets import OUTSIDE, Located, located
from supertune.tasks.tokenise import parts_pairs, text_portions

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_MOST_CHARACTERS = 2**24
"""Numbers of characters travel as 32-bit floats, which are exact up to here."""


@dataclass(frozen=True)
class Sliding:
    """How windows follow each other.

    Attributes:
        stride: Tokens of the text from the beginning of a window to that of the next, at most.
        longest: Tokens of an answer: windows overlap by as many, or by half where the room is too small.
    """

    stride: int
    longest: int

    def starts(self, tokens: int, room: int) -> range | list[int]:
        """Where windows of ``room`` tokens begin in a text of so many; the last one ends where the text does."""
        if tokens <= room:
            return [0]
        step = max(1, min(self.stride, room - min(self.longest, room // 2)))
        return [*range(0, tokens - room, step), tokens - room]


@dataclass(frozen=True)
class _Frame:
    """The special tokens around a question and a text, and the types of all, where the model wants them."""

    before: tuple[int, ...]
    between: tuple[int, ...]
    after: tuple[int, ...]
    types: tuple[int, int, int, int, int] | None

    @property
    def tokens(self) -> int:
        return len(self.before) + len(self.between) + len(self.after)


def window_batches(
    rows: Rows, columns: Columns, tokenizer: PreTrainedTokenizerBase, max_length: int, sliding: Sliding
) -> Iterator[Features]:
    """Rows of a question and a text as windows, one after the other, several items per row where the text is long.

    Token columns: ``input_ids``, ``token_type_ids`` int8 where the model wants them, and ``begins`` and ``ends``
    int32, the characters of the text that a token stands for (-1 outside it). A question is cut only where it takes
    more than half of ``max_length`` and the text does not fit beside it; `Features.full_lengths` counts what was cut.
    Comes in pieces of at most 1,024 rows, at least one.

    Raises:
        UserError: A text has more than 16 million characters.
    """
    frame = _frame(tokenizer)
    first = 0
    for portion in text_portions(rows, columns):
        texts = list(dict.fromkeys(text for row in portion for text in row))
        _check_lengths(texts, rows, portion, first)
        known = dict(zip(texts, located(texts, tokenizer), strict=True))
        yield _features(
            [(known[question], known[context]) for question, context in portion], frame, max_length, sliding, first
        )
        first += len(portion)


def window_lengths(
    rows: Rows, columns: Columns, tokenizer: PreTrainedTokenizerBase, max_length: int, sliding: Sliding
) -> Iterator[IntArray]:
    """The tokens of each row's longest window, with what was cut of its question; one array per piece."""
    first = 0
    for piece in window_batches(rows, columns, tokenizer, max_length, sliding):
        count = int(piece.rows[-1]) + 1 - first if len(piece) else 0
        longest = np.zeros(count, np.int64)
        np.maximum.at(longest, piece.rows - first, piece.full_lengths)
        yield longest
        first += count


def _check_lengths(texts: Sequence[str], rows: Rows, portion: Sequence[tuple[str, ...]], first: int) -> None:
    if max(map(len, texts), default=0) < _MOST_CHARACTERS:
        return
    row = next(index for index, texts in enumerate(portion) if max(map(len, texts)) >= _MOST_CHARACTERS)
    raise UserError(
        f"row {rows.row_ids[first + row]} has a text of more than {_MOST_CHARACTERS:,} characters",
        fix="cut it into parts of its own rows",
    )


def _features(
    pairs: Sequence[tuple[Located, Located]], frame: _Frame, max_length: int, sliding: Sliding, first: int
) -> Features:
    ids: list[NDArray[np.int32]] = [np.zeros(0, np.int32)]
    begins: list[NDArray[np.int32]] = [np.zeros(0, np.int32)]
    ends: list[NDArray[np.int32]] = [np.zeros(0, np.int32)]
    kinds: list[NDArray[np.int8]] = [np.zeros(0, np.int8)]
    lengths, rows, full = [], [], []
    for row, (question, context) in enumerate(pairs, first):
        space = max_length - frame.tokens
        asked = question.ids[: max(space // 2, space - len(context))]
        room = space - len(asked)
        head = np.array([*frame.before, *asked, *frame.between], np.int32)
        for start in sliding.starts(len(context), room):
            part = slice(start, start + room)
            inside = len(context.ids[part])
            ids += [head, context.ids[part], np.array(frame.after, np.int32)]
            for flat, own in ((begins, context.begins), (ends, context.ends)):
                around = np.full(len(head), OUTSIDE, np.int32), np.full(len(frame.after), OUTSIDE, np.int32)
                flat += [around[0], own[part], around[1]]
            if frame.types is not None:
                counts = (len(frame.before), len(asked), len(frame.between), inside, len(frame.after))
                kinds.append(np.repeat(np.array(frame.types, np.int8), counts))
            lengths.append(len(head) + inside + len(frame.after))
            rows.append(row)
            full.append(lengths[-1] + len(question) - len(asked))
    tokens = {"input_ids": np.concatenate(ids), "begins": np.concatenate(begins), "ends": np.concatenate(ends)}
    if frame.types is not None:
        tokens["token_type_ids"] = np.concatenate(kinds)
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(np.array(lengths, np.int64))])
    return Features(tokens, offsets, {}, np.array(rows, np.int64), np.array(full, np.int64))


def _frame(tokenizer: PreTrainedTokenizerBase) -> _Frame:
    """What the tokenizer puts around a pair; of one that parts no pairs (a decoder's), a line break stands between."""
    if not parts_pairs(tokenizer):
        ids, sides = _called(tokenizer, "a")
        alone = np.flatnonzero(sides == 0)
        line = tuple(tokenizer("\n", add_special_tokens=False)["input_ids"])
        return _Frame(tuple(ids[: alone[0]]), line, tuple(ids[alone[-1] + 1 :]), None)
    ids, sides = _called(tokenizer, "a", "a")
    one, other = np.flatnonzero(sides == 0), np.flatnonzero(sides == 1)
    types = None
    if "token_type_ids" in tokenizer.model_input_names:
        given = tokenizer("a", "a", return_token_type_ids=True)["token_type_ids"]
        types = (given[0], given[one[0]], given[one[-1] + 1], given[other[0]], given[-1])
    return _Frame(tuple(ids[: one[0]]), tuple(ids[one[-1] + 1 : other[0]]), tuple(ids[other[-1] + 1 :]), types)


def _called(tokenizer: PreTrainedTokenizerBase, *texts: str) -> tuple[list[int], IntArray]:
    called = tokenizer(*texts)
    sides = [-1 if side is None else side for side in called.sequence_ids()]
    return list(called["input_ids"]), np.array(sides)
