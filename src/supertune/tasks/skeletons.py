"""Conversations of one shape are written alike: what was found of one holds for all, and need not be found again."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import accumulate, chain
from operator import sub
from typing import TYPE_CHECKING

from supertune.conversations import Conversation
from supertune.tasks.loss_spans import RowProblemError, Span

if TYPE_CHECKING:
    from supertune.tasks.rendering import Rendered


@dataclass(frozen=True)
class Skeleton:
    """How a template writes conversations of one shape (the roles, and which are learned).

    Attributes:
        found: What was found of one whose messages say ``stands_for``.
        order: Numbers of the messages in the order in which the template writes them.
        literals: What it writes before, between and after them.
        ends: Where in ``found.text`` each message ends, in that order.
    """

    found: Rendered
    order: tuple[int, ...]
    literals: tuple[str, ...]
    ends: tuple[int, ...]

    @cached_property
    def lengths(self) -> list[int]:
        """Characters of each message of the one that was looked at, in the order in which they are written."""
        return [len(stands_for(index)) for index in self.order]

    def filled(self, contents: Sequence[str], text: str) -> Rendered | None:
        """What would be found of a conversation of this shape; None where the template writes it otherwise.

        Args:
            contents: What its messages say.
            text: It, as the template writes it.
        """
        for stripped in (False, True):
            said = [contents[index].strip() if stripped else contents[index] for index in self.order]
            whole = "".join([*chain.from_iterable(zip(self.literals, said, strict=False)), self.literals[-1]])
            if len(whole) - self.found.appended == len(text) and whole.startswith(text):
                return self._shifted(said, whole)
        return None

    def _shifted(self, said: Sequence[str], text: str) -> Rendered:
        shifts = [0, *accumulate(map(sub, map(len, said), self.lengths))]
        spans = tuple(
            Span(
                span.begin + shifts[bisect_right(self.ends, span.begin)],
                span.end + shifts[bisect_right(self.ends, span.end)],
                span.weight,
            )
            for span in self.found.spans
        )
        return self.found.of(text, spans)


def stands_for(index: int) -> str:
    """What the message of this number says in a conversation that stands for others of its shape."""
    return f"Qz{index}zQ"


def skeleton_of(conversation: Conversation, items: Callable[[Conversation], list[Rendered]]) -> Skeleton | None:
    """How conversations of this one's shape are written; None where each has to be looked at for itself.

    Args:
        conversation: Any of them.
        items: Finds what is to be learned of one, by all means.
    """
    messages = tuple(
        replace(message, content=stands_for(index), reasoning="") for index, message in enumerate(conversation.messages)
    )
    try:
        found = items(replace(conversation, messages=messages))
    except RowProblemError:
        return None
    if len(found) != 1 or found[0].rewritten:
        return None
    text = found[0].text
    places = {index: text.find(stands_for(index)) for index in range(len(messages))}
    if any(text.count(stands_for(index)) != 1 for index in places):
        return None
    order = tuple(sorted(places, key=places.__getitem__))
    literals, reached, ends = [], 0, []
    for index in order:
        literals.append(text[reached : places[index]])
        reached = places[index] + len(stands_for(index))
        ends.append(reached)
    return Skeleton(found[0], order, (*literals, text[reached:]), tuple(ends))
