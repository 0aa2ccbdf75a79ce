"""What is found of personal data, and what is known about a kind of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from supertune.data.pii.drawing import Draw
    from supertune.data.pii.folding import Folded

Verified = Literal["checksum", "library", "pattern", "context"]
"""How sure a find is: the number's own checksum holds, a library of all numbering plans knows it, it has a form that
hardly anything else has, or it has a form that only the words beside it make telling. Surest first."""

CERTAINTY: dict[Verified, int] = {"checksum": 0, "library": 1, "pattern": 2, "context": 3}


@dataclass(frozen=True, order=True)
class PiiSpan:
    """Where in a text an item of personal data stands.

    Attributes:
        start: Its first character, 0-based, as ``text[start:end]`` counts.
        end: Behind its last character.
        kind: What it is, a key of `KINDS`.
        verified: How it was verified.
        normal: The item in the one notation that all its notations share; not shown when the span is printed.
    """

    start: int
    end: int
    kind: str
    verified: Verified
    normal: str = field(repr=False)


class Found(NamedTuple):
    """An item in a folded text, not yet weighed against others that overlap with it."""

    start: int
    end: int
    verified: Verified
    normal: str


@dataclass(frozen=True)
class Kind:
    """A kind of personal data.

    Attributes:
        placeholder: What stands for it in a masked text; never changes between versions.
        one: What one is called in a sentence.
        several: What several are called.
        find: (folded text, regions) → the items, in any order, overlapping ones too. Every item holds a digit, an
            ``@`` or one of the words in `supertune.data.pii.finding`: texts without any of them are not read.
        pseudonym: (the item in its one notation, numbers drawn from it) → what stands for it: of the same shape,
            evidently no real one, and not found again.
    """

    placeholder: str
    one: str
    several: str
    find: Callable[[Folded, Sequence[str]], Iterator[Found]]
    pseudonym: Callable[[str, Draw], str]
