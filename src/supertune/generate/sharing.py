"""Prompts that begin alike: what they share is read once for all of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from supertune.contracts import IntArray
from supertune.generate.reading import Read, common
from supertune.generate.settings import GenerationSettings
from supertune.generate.stopping import Stops
from supertune.memory import out_of_memory

if TYPE_CHECKING:
    from supertune.generate.starting import Writer

_LEAST = 16
"""Tokens that are worth it."""
_TRIED = 3
"""Rows whose reading it takes to read the beginning apart, and to try that nothing changes by it."""
_STEP = 8
"""Tokens that are read in about the time in which a batch, however small, writes one."""


def sharing(prompts: Sequence[Sequence[int]], new: int) -> tuple[IntArray, int]:
    """Rows that begin alike, and with how many tokens: those that save the most reading; none where it does not pay.

    Some may begin otherwise, as prompts do that lost their beginning. They are written on in batches of their own,
    which costs time as well.

    Args:
        prompts: Token ids of each.
        new: Most tokens that are written behind each.

    Returns:
        int64 (rows,): their numbers, in order; and the tokens, of which each prompt has one more at least.
    """
    groups: dict[tuple[int, ...], list[int]] = {}
    for row, prompt in enumerate(prompts):
        if len(prompt) > _LEAST:
            groups.setdefault(tuple(prompt[:_LEAST]), []).append(row)
    best: tuple[list[int], int] = [], 0
    most = 0
    for rows in groups.values():
        members = [list(prompts[row]) for row in rows]
        # What the first and the last in order have in common, all have.
        tokens = min(common(min(members), max(members)), min(map(len, members)) - 1)
        saved = tokens * (len(rows) - _TRIED) - (0 if len(rows) == len(prompts) else _STEP * new)
        if saved > most:
            best, most = (rows, tokens), saved
    return np.array(best[0], np.int64), best[1]


def read_once(writer: Writer, ids: Sequence[int]) -> Read | None:
    """What the model keeps of the beginning of all prompts; None where it cannot, or memory runs out."""
    from supertune.generate.decoding import Decoding

    if not writer.keeps:
        return None
    settings = GenerationSettings(max_new_tokens=1, stop_ids=())
    stops = Stops(frozenset(), (), lambda _: "")
    try:
        decoding = Decoding(writer, [ids], stops, settings, (0,), lambda _: None, recording=True)
        decoding.advance(1)
    except (RuntimeError, MemoryError) as error:
        if not out_of_memory(error):
            raise
        return None
    return decoding.read
