"""Asking a writer for many new texts, and taking out of its answers what can be used."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence

from supertune.contracts import Answered, TextPrompt, TextWriter, WrittenText
from supertune.data.augment.answers import NotWritten, text_of
from supertune.errors import UserError

_SEEDS = 31
"""Bits of a seed: what servers take for a positive number of 32."""
NOTHING = NotWritten("nothing was written")


class Watched:
    """A writer that says how far it is between two pieces of work.

    Args:
        writer: Who is asked.
        progress: Told the part of all the work that is done.
    """

    def __init__(self, writer: TextWriter, progress: Callable[[float], None]) -> None:
        self._writer, self._progress = writer, progress
        self._before = self._part = 0.0
        self._questions, self._done = 1, 0

    def begin(self, before: float, part: float, questions: int) -> None:
        """A piece begins, before which ``before`` of all was done, and which is ``part`` of all."""
        self._before, self._part, self._questions, self._done = before, part, max(questions, 1), 0

    @property
    def identity(self) -> Mapping[str, object]:
        """See `TextWriter`."""
        return self._writer.identity

    @property
    def local(self) -> bool:
        """See `TextWriter`."""
        return self._writer.local

    @property
    def instructed(self) -> bool:
        """See `TextWriter`."""
        return self._writer.instructed

    def write(self, prompts: Sequence[TextPrompt], answered: Answered | None = None) -> list[WrittenText]:
        """See `TextWriter`."""

        def told(number: int, written: WrittenText) -> None:
            self._done += 1
            if answered:
                answered(number, written)
            self._progress(self._before + self._part * min(self._done / self._questions, 1.0))

        return self._writer.write(prompts, told)


def ask(
    writer: TextWriter, prompts: Sequence[TextPrompt | NotWritten], sources: Sequence[str]
) -> list[str | NotWritten]:
    """What was written to each prompt, bare of what is around it.

    Args:
        writer: Who is asked.
        prompts: What is asked; in the place of those that there are none for, why not.
        sources: For each a text of the kind that is asked for, see `text_of`.

    Raises:
        UserError: Nobody can be asked.
    """
    asked = [prompt for prompt in prompts if isinstance(prompt, TextPrompt)]
    answers = iter(writer.write(asked) if asked else ())
    found: list[str | NotWritten] = []
    for prompt, source in zip(prompts, sources, strict=True):
        if isinstance(prompt, NotWritten):
            found.append(prompt)
            continue
        written = next(answers)
        if written.text is None:
            found.append(NotWritten(written.reason) if written.reason else NOTHING)
        else:
            found.append(text_of(written.text, source))
    return found


def judged(
    answers: Sequence[str | NotWritten], texts: Sequence[str], judge: Callable[[str, str], NotWritten | None]
) -> list[str | NotWritten]:
    """The answers that may stand; of the others why not."""
    return [
        answer if isinstance(answer, NotWritten) else judge(answer, text) or answer
        for answer, text in zip(answers, texts, strict=True)
    ]


def seed_of(draw: random.Random) -> int:
    """The seed of one question."""
    return draw.getrandbits(_SEEDS)


def needs_instructed(writer: TextWriter, name: str) -> None:
    """Check that a writer does what it is told.

    Raises:
        UserError: It translates whatever it is given.
    """
    if not writer.instructed:
        raise UserError(
            "the model that was named translates, and does nothing else that it is told",
            where=f"augmenter {name}",
            fix="name a model that follows instructions, or use back-translation",
        )
