"""Rows as a model sees them: pieces of text, and how much each counts in the loss."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Piece:
    """A piece of a text: one token, or several that make one character together.

    Attributes:
        text: It, or what a special token is called.
        ids: The ids of its tokens; none of what is no token.
        names: What the vocabulary calls them.
        weights: How much each of them counts in the loss; 0 for one that carries none.
        tag: The tag that is learned of it, where every piece has one; "" for none.
        stop: Whether it is a token that ends an answer, and is learned.
    """

    text: str
    ids: tuple[int, ...] = ()
    names: tuple[str, ...] = ()
    weights: tuple[float, ...] = ()
    tag: str = ""
    stop: bool = False

    @property
    def weight(self) -> float:
        """The largest of `weights`."""
        return max(self.weights, default=0.0)

    @property
    def learned(self) -> bool:
        """Whether it carries loss."""
        return any(self.weights)


@dataclass(frozen=True)
class Problem:
    """Why a row is not learned as it is.

    Attributes:
        kind: A word for it.
        what: What exactly, to stand behind the row's number.
        fix: What to do.
    """

    kind: str
    what: str
    fix: str


@dataclass(frozen=True)
class InspectedRow:
    """One row, or one of several texts that are made of it.

    Attributes:
        row: 0-based number in its file.
        pieces: In order; special tokens too.
        kept: How many of them the model sees.
        cut: How many tokens it does not see.
        label: The row's label, if it has one.
        problem: Why it is not learned; None where it is.
        notes: What else is to be known of it, a few words each.
    """

    row: int
    pieces: tuple[Piece, ...]
    kept: int
    cut: int = 0
    label: object = None
    problem: Problem | None = None
    notes: tuple[str, ...] = ()

    @property
    def seen(self) -> tuple[Piece, ...]:
        """The pieces that the model sees."""
        return self.pieces[: self.kept]

    @property
    def unseen(self) -> tuple[Piece, ...]:
        """Those that it does not."""
        return self.pieces[self.kept :]

    @property
    def tokens(self) -> int:
        """Tokens that the model sees."""
        return sum(len(piece.ids) for piece in self.seen)

    @property
    def learned(self) -> int:
        """Those of them that carry loss."""
        return sum(weight != 0 for piece in self.seen for weight in piece.weights)


@dataclass(frozen=True)
class InspectedTotals:
    """How much is learned of some rows.

    Attributes:
        rows: How many they are.
        learned_rows: How many of them are learned.
        tokens: Tokens of those that the model sees.
        learned: Those tokens that carry loss.
    """

    rows: int
    learned_rows: int
    tokens: int
    learned: int

    @staticmethod
    def of(rows: Sequence[InspectedRow]) -> InspectedTotals:
        """Counted over rows, of which several may be of one number."""
        taken = [row for row in rows if row.problem is None]
        return InspectedTotals(
            len({row.row for row in rows}),
            len({row.row for row in taken}),
            sum(row.tokens for row in taken),
            sum(row.learned for row in taken),
        )
