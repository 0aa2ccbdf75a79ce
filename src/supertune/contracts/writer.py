"""What writes texts when it is asked: a model on this machine, or one behind an address."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class TextPrompt:
    """What is asked.

    Attributes:
        user: What the user says; of a writer that is not ``instructed`` the bare text.
        system: What is said before; empty for nothing.
        seed: Of what is drawn, where the writer can: the same question with another seed is asked, and kept, for
            itself.
        step: Which step of a piece of work this is, for those that hold a model for each: 0 is the first.
    """

    user: str
    system: str = ""
    seed: int = 0
    step: int = 0


@dataclass(frozen=True)
class WrittenText:
    """What came back.

    Attributes:
        text: The answer as it was written; None where there is none that could be used.
        reason: Why there is none, in a few words that are the same for the same cause.
        prompt_tokens: Tokens that were read for it, as the writer counts them; 0 where it does not.
        new_tokens: Tokens that were written.
        kept: It was asked before, and nobody was asked now.
        final: Asking again would give no other answer: it may be kept.
    """

    text: str | None
    reason: str | None = None
    prompt_tokens: int = 0
    new_tokens: int = 0
    kept: bool = False
    final: bool = True


Answered = Callable[[int, WrittenText], None]
"""Told the number of a prompt and what came back as soon as it is there, in the thread that asked; in any order."""


class TextWriter(Protocol):
    """Writes texts that it is asked for: an endpoint, a local model, or what keeps the answers of either."""

    @property
    def identity(self) -> Mapping[str, object]:
        """All that decides what it writes, and where; JSON, without secrets."""
        ...

    @property
    def local(self) -> bool:
        """Whether what it is asked stays on this machine."""
        ...

    @property
    def instructed(self) -> bool:
        """Whether it does what it is told; False for a model that translates whatever text it is given."""
        ...

    def write(self, prompts: Sequence[TextPrompt], answered: Answered | None = None) -> list[WrittenText]:
        """An answer to each prompt, in their order.

        Raises:
            UserError: Nobody can be asked, or no longer; what ``answered`` was told remains.
        """
        ...
