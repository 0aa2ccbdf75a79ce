"""Chance that belongs to one new row: the same whatever else is in the table, in any order, in any process."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Sequence
from typing import Any

from supertune.data.augment.augmenter import Augmenter


def content_key(values: Sequence[Any]) -> str:
    """What a row holds, as a short text of its own."""
    return hashlib.sha256(_bytes(list(values))).hexdigest()


def draw_number(seed: int, key: str, augmenter: Augmenter, copy: int, part: str = "") -> int:
    """A number of 128 bits.

    Args:
        seed: The user's.
        key: `content_key` of the row's texts and labels.
        augmenter: What makes the new row; its name and what decides about its texts count.
        copy: Which of its new rows of this row.
        part: What the number is for, e.g. a column.
    """
    drawn = hashlib.sha256(_bytes([seed, key, augmenter.name, augmenter.way, copy, part])).digest()
    return int.from_bytes(drawn[:16], "big")


def draw_of(seed: int, key: str, augmenter: Augmenter, copy: int, part: str = "") -> random.Random:
    """As `draw_number`, a stream of chance."""
    return random.Random(draw_number(seed, key, augmenter, copy, part))


def _bytes(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, default=str, sort_keys=True).encode("utf-8", "surrogatepass")
