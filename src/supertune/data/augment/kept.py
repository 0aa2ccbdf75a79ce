"""Which new rows are kept: those that say what no other row says."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from supertune.contracts import Columns
from supertune.data.augment.sources import Sources
from supertune.data.augment.writing import Added
from supertune.data.table import Table
from supertune.language import fold, fold_case_and_width, is_blank

EQUAL_TO_ORIGINAL = "equal to a training row"
EQUAL_TO_ADDED = "equal to another new row"
EQUAL_TO_HELD_OUT = "equal to a validation or test row"
BLANK = "nothing was left of it"


def normalized(text: str) -> str:
    """The form under which two texts count as the same: case, width and white space folded away."""
    return fold(fold_case_and_width(text))


class Keeper:
    """Remembers what every row says.

    Args:
        sources: The training rows.
        columns: Their texts.
        held_out: Rows that are asked about.
    """

    def __init__(self, sources: Sources, columns: Columns, held_out: Sequence[Table]) -> None:
        self._sources = sources
        self._known: dict[bytes, str] = {}
        for table in held_out:
            for batch in table.batches(columns=columns.text):
                for values in zip(*(batch[name] for name in columns.text), strict=True):
                    self._known[_digest(values)] = EQUAL_TO_HELD_OUT
        for values in zip(*(sources.texts[name] for name in columns.text), strict=True):
            self._known[_digest(values)] = EQUAL_TO_ORIGINAL

    def refused(self, added: Added) -> str | None:
        """Why a new row is not kept; None if it is, and from then on another like it is not."""
        if any(map(is_blank, added.texts.values())):
            return BLANK
        digest = _digest(self._sources.values(added.place, added.texts))
        reason = self._known.get(digest)
        if reason is None:
            self._known[digest] = EQUAL_TO_ADDED
        return reason


def _digest(values: Sequence[Any]) -> bytes:
    said = [normalized(value) if isinstance(value, str) else value for value in values]
    text = json.dumps(said, ensure_ascii=False, default=str)
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
