"""Which rows say the same: groups of rows with equal folded text, within and across splits.

Only 64-bit keys are kept of the texts, so that millions of rows fit. Keys propose, texts decide: rows that
share a key are read a second time and grouped by the text itself, so a collision of keys changes nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from supertune.contracts import Columns, IntArray
from supertune.conversation_rows import apart
from supertune.conversations import Message
from supertune.data.conversation_columns import conversations_in
from supertune.data.table import Table
from supertune.language import fold, is_blank, is_missing

UNIQUE = -1
BLANK = -2
_BLANK_KEY = 0
_BETWEEN = "\x1f"
"""Between the sides of a pair, and between messages: folding leaves no control characters in a text."""
_CHUNK = 262_144

GroupArray = NDArray[np.int32]
KeyArray = NDArray[np.uint64]
TextKey = Callable[[str], int]
"""A 64-bit number for a folded text; equal texts must get equal numbers."""


@dataclass(frozen=True)
class TextGroups:
    """Which rows have the same folded text.

    Attributes:
        of: Split → int32 (rows,). Rows with the same number, in whichever split, have the same folded text;
            `UNIQUE` where no other row has it, `BLANK` where nothing visible is in it.
        count: Groups are numbered below this; not every number need be in use.
    """

    of: Mapping[str, GroupArray]
    count: int

    def shared(self, split: str) -> IntArray:
        """Ascending indices of the split's rows whose text occurs more than once over all splits."""
        return np.flatnonzero(self.of[split] >= 0)

    def blank(self, split: str) -> IntArray:
        """Ascending indices of the split's rows without visible text."""
        return np.flatnonzero(self.of[split] == BLANK)


def blake2b_key(text: str) -> int:
    """The first 64 bits of BLAKE2b, the same on every machine and in every process."""
    return int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")


def group_texts(splits: Mapping[str, Table], columns: Columns, *, key: TextKey = blake2b_key) -> TextGroups:
    """Group the rows of all splits by their folded text.

    A pair is the same where both sides are, in either order if it is symmetric; one with a blank side is blank.

    Streams the rows once, and those whose key occurs more than once a second time. Needs about 35 bytes a row
    at its peak and keeps 4.

    Args:
        splits: The tables, by split.
        columns: The text columns, and whether they are a pair.
        key: A 64-bit number for a folded text. A poor one costs time, never correctness.
    """
    keys = np.concatenate([np.empty(0, np.uint64), *(_keys(table, columns, key) for table in splits.values())])
    groups = np.full(len(keys), UNIQUE, np.int32)
    groups[keys == _BLANK_KEY] = BLANK
    candidates, starts = _same_key(keys)
    del keys
    numbers, count = _group_by_text(candidates, starts, _Reader(splits, columns))
    alone = np.bincount(numbers, minlength=count)[numbers] == 1
    groups[candidates] = np.where(alone, UNIQUE, numbers)
    ends = np.cumsum([len(table) for table in splits.values()])
    return TextGroups(dict(zip(splits, np.split(groups, ends[:-1]), strict=True)), count)


def folded_texts(table: Table, columns: Columns) -> Iterator[str]:
    """What is compared of each row: its folded text, or the folded sides of its pair; nothing for a blank one.

    Of a conversation that is what comes before its last answer.
    """
    if columns.answers == "generated":
        for conversation in conversations_in(table, columns):
            yield _BETWEEN.join(part for message in apart(conversation)[0].messages for part in _parts(message))
        return
    if not columns.pair:
        for text in table.texts(columns.text):
            yield "" if is_blank(text) else fold(text)
        return
    for sides in zip(*(table.texts((name,)) for name in columns.text), strict=True):
        folded = [fold(side) for side in sides]
        yield "" if any(map(is_blank, sides)) else _BETWEEN.join(sorted(folded) if columns.symmetric else folded)


def _parts(message: Message) -> Iterator[str]:
    """What is said in a message, folded, and which functions are called; nothing for nothing."""
    if not is_missing(message.content):
        yield fold(message.content)
    for call in message.tool_calls:
        yield json.dumps([call.name, call.arguments], sort_keys=True, default=str)


def _keys(table: Table, columns: Columns, key: TextKey) -> KeyArray:
    # 0 stands for blank; a text that happens to have the key 0 takes 1, like any other collision.
    keys = (key(text) or 1 if text else _BLANK_KEY for text in folded_texts(table, columns))
    return np.fromiter(keys, np.uint64, count=len(table))


def _same_key(keys: KeyArray) -> tuple[IntArray, IntArray]:
    """Rows whose key occurs more than once, ordered by key, and the positions where another key starts."""
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    first = np.ones(len(keys), bool)
    np.not_equal(ordered[1:], ordered[:-1], out=first[1:])
    last = np.append(first[1:], True)[: len(keys)]
    kept = ~(first & last) & (ordered != _BLANK_KEY)
    return order[kept], np.flatnonzero(first[kept])


def _group_by_text(rows: IntArray, starts: IntArray, reader: _Reader) -> tuple[GroupArray, int]:
    """A number per row, the same exactly where the folded texts are the same; and how many numbers there are.

    Goes through the rows in chunks that hold whole key groups: equal texts have equal keys, so they meet in one
    chunk, and only one chunk's distinct texts are in memory at a time.
    """
    numbers = np.empty(len(rows), np.int32)
    count = 0
    for start, stop in _chunks(starts, len(rows)):
        seen: dict[str, int] = {}
        for low in range(start, stop, _CHUNK):
            high = min(low + _CHUNK, stop)
            order = low + np.argsort(rows[low:high])
            texts = reader.folded(rows[order])
            numbers[order] = np.fromiter((seen.setdefault(text, count + len(seen)) for text in texts), np.int32)
        count += len(seen)
    return numbers, count


def _chunks(starts: IntArray, total: int) -> Iterator[tuple[int, int]]:
    """Ranges of about `_CHUNK` rows that begin and end where a key group does."""
    position = 0
    while position < total:
        following = int(np.searchsorted(starts, position + _CHUNK))
        stop = int(starts[following]) if following < len(starts) else total
        yield position, stop
        position = stop


class _Reader:
    """The texts of rows that are numbered through over all splits."""

    def __init__(self, splits: Mapping[str, Table], columns: Columns) -> None:
        self._tables = tuple(splits.values())
        self._columns = columns
        self._ends = np.cumsum([len(table) for table in self._tables])

    def folded(self, rows: IntArray) -> Iterator[str]:
        """The folded texts of the rows, which must ascend."""
        borders = [0, *np.searchsorted(rows, self._ends).tolist()]
        for number, table in enumerate(self._tables):
            within = rows[borders[number] : borders[number + 1]] - (self._ends[number] - len(table))
            yield from folded_texts(table.select(within, step="compare texts"), self._columns)
