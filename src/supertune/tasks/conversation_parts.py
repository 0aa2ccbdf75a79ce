"""Conversations as tokens, a part of the rows at a time: what a process of its own needs for that."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from supertune.contracts import Columns, Features, Rows
from supertune.conversation_rows import conversations_of
from supertune.tasks.answer_rendering import AnswerRenderer
from supertune.tasks.conversation_tokens import ConversationEncoder, TooLong
from supertune.tasks.rendering import Renderer
from supertune.tasks.rendering_counts import RenderingCounts


@dataclass
class ConversationParts:
    """Makes tokens of parts of the rows; see `supertune.contracts.Apart`.

    Attributes:
        renderer: How conversations are written, and what of them is learned.
        columns: How rows become conversations.
        max_length: Most tokens of an item.
        too_long: What becomes of longer ones.
    """

    renderer: Renderer | AnswerRenderer
    columns: Columns
    max_length: int
    too_long: TooLong
    _encoder: ConversationEncoder | None = field(default=None, repr=False)

    def __call__(self, rows: Rows) -> Iterator[Features]:
        """As `GenerationTask.token_batches`."""
        if self._encoder is None:
            self._encoder = ConversationEncoder(self.renderer, self.max_length, too_long=self.too_long)
        # One for all parts: what it has found out about the tokenizer holds for all of them.
        self._encoder.counts = self._none()
        yield from self._encoder.batches(conversations_of(rows, self.columns))

    def noted(self, notes: Sequence[tuple[int, Mapping[str, Any]]]) -> Mapping[str, Any]:
        """What became of all rows."""
        found = self._none()
        for first, each in notes:
            part = RenderingCounts.from_summary(each)
            found.add(part.numbered(range(first, first + part.rows)))
        return found.summary()

    def _none(self) -> RenderingCounts:
        return RenderingCounts(self.max_length, self.too_long)
