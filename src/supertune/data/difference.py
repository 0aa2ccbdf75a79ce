"""How two tables differ: which rows are the same, which only changed beside their text, and which came or went."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from supertune.data.table import Table


@dataclass(frozen=True)
class Difference:
    """Rows as 0-based positions in their table.

    Attributes:
        same: How many rows of the one have a row in the other with the same values.
        changed: Pairs of rows, before and after, with the same text and other values.
        removed: Rows that are only in the first table.
        added: Rows that are only in the second table.
        values: Column → (value before, value after) → in how many of the changed rows, as JSON.
        columns_removed: Columns that only the first table has.
        columns_added: Columns that only the second table has.
        moved: Whether the rows that are the same stand in another order.
    """

    same: int
    changed: tuple[tuple[int, int], ...]
    removed: tuple[int, ...]
    added: tuple[int, ...]
    values: Mapping[str, Mapping[tuple[str, str], int]]
    columns_removed: tuple[str, ...]
    columns_added: tuple[str, ...]
    moved: bool


def difference(before: Table, after: Table, text: Sequence[str]) -> Difference:
    """How ``after`` differs from ``before``.

    Rows are matched by all values of the columns that both have, the first with the first where several are equal;
    then, of the rest, by their text. About 100 bytes of each row are in memory, not its values.

    Args:
        before: A table.
        after: Another one.
        text: The columns that tell which row is which; those that both have.

    Raises:
        UserError: A text column is in neither.
    """
    shared = [name for name in before.column_names if name in after.column_names]
    same, left, right = _matched(list(_keys(before, shared)), list(_keys(after, shared)))
    texts = [name for name in text if name in shared]
    pairs: list[tuple[int, int]] = []
    if texts and left and right:
        old, new = (
            list(_keys(table.select(rows, step="rest"), texts)) for table, rows in ((before, left), (after, right))
        )
        pairs, gone, come = _matched(old, new)
        pairs = [(left[one], right[other]) for one, other in pairs]
        left, right = [left[one] for one in gone], [right[other] for other in come]
    order = [other for _, other in same]
    return Difference(
        len(same),
        tuple(pairs),
        tuple(left),
        tuple(right),
        _values(before, after, pairs, [name for name in shared if name not in texts]),
        tuple(name for name in before.column_names if name not in shared),
        tuple(name for name in after.column_names if name not in shared),
        order != sorted(order),
    )


def _keys(table: Table, columns: Sequence[str]) -> Iterator[Hashable]:
    """128 bits for each row's values."""
    for batch in table.batches(columns=columns):
        for values in zip(*(batch[name] for name in columns), strict=True):
            text = json.dumps(values, ensure_ascii=False, default=repr)
            yield blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _matched(one: Sequence[Hashable], other: Sequence[Hashable]) -> tuple[list[tuple[int, int]], list[int], list[int]]:
    """Pairs of places with the same key, each place once, and the places left over on either side."""
    waiting: dict[Hashable, list[int]] = defaultdict(list)
    for place in range(len(other) - 1, -1, -1):
        waiting[other[place]].append(place)
    pairs, alone = [], []
    for place, key in enumerate(one):
        if waiting.get(key):
            pairs.append((place, waiting[key].pop()))
        else:
            alone.append(place)
    return pairs, alone, sorted(place for places in waiting.values() for place in places)


def _values(
    before: Table, after: Table, pairs: Sequence[tuple[int, int]], columns: Sequence[str]
) -> dict[str, dict[tuple[str, str], int]]:
    """What changed into what, column by column, the most frequent first."""
    if not pairs or not columns:
        return {}
    old = before.select([one for one, _ in pairs], step="changed")
    new = after.select([other for _, other in pairs], step="changed")
    found: dict[str, dict[tuple[str, str], int]] = {}
    for name in columns:
        counts: dict[tuple[str, str], int] = defaultdict(int)
        for one, other in zip(old.column(name), new.column(name), strict=True):
            if (change := (_json(one), _json(other)))[0] != change[1]:
                counts[change] += 1
        if counts:
            found[name] = dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
    return found


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=repr)
