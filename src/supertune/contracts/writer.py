"""What writes texts when it is asked: a model on this machine, or one behind an address."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class TextWriter(Protocol):
    """Answers prompts with texts; how, only the recipe knows that hands it over."""

    @property
    def identity(self) -> str:
        """What tells it from other writers, for records and caches: the model and what it was asked with."""
        ...

    def write(
        self, prompts: Sequence[str], *, seeds: Sequence[int], temperature: float = 0.0, most_tokens: int = 256
    ) -> list[str | None]:
        """A text for each prompt, in order; None where nothing came of it, e.g. because a budget is spent.

        Args:
            prompts: What is asked, without any chat template.
            seeds: One per prompt: the same prompt, seed and temperature give the same text where the writer can.
            temperature: 0 takes the likeliest token each time.
            most_tokens: Length after which a text is cut off; one that was cut off is None.
        """
        ...
