"""What became of the rows when conversations became tokens: nothing is cut or left out without being counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence, Sized
from dataclasses import dataclass, field, replace
from typing import Any

from supertune.contracts import IntArray
from supertune.errors import UserError
from supertune.tasks.loss_spans import Kind, RowProblemError
from supertune.tasks.rendering import Rendered

_NOT_THERE: Kind = "unanswered"
MOST_LOST = 0.001
"""The largest share of rows that may lose part of their answer to ``max_length``."""

_LISTS = {
    "cut_rows": "cut_rows",
    "lost_rows": "answer_cut_rows",
    "silent_rows": "nothing_to_learn_rows",
    "rewritten_rows": "rewritten_rows",
}
"""Lists of rows → what they are called in a summary."""
WAYS_ROUND: Mapping[Kind, str] = {
    "refused": "take such rows out or change their roles, or set task.template=headings, which takes any",
    "history": "set task.rewritten=each to learn every answer as it was given, one item each, task.rewritten=last to "
    "learn the last one of such rows, or task.template=headings",
    "prompt": "set the template's own switch (task.template_options, e.g. enable_thinking: false), or task.template to "
    "one that writes an answer as it asks for it",
    "reasoning": "set task.reasoning=drop to leave it out, or task.template=headings, which writes it",
    "tools": "set task.template=headings, which writes functions and calls, or take such rows out",
    "system": "set task.template=headings, which writes it, or take such messages out",
    "typed": "take the control token out of such rows",
    "unanswered": "take such rows out, or say train: true of a message",
    "marks": "set task.learn=answers",
    "asked": "say train: true of answers alone, or choose a decoder, which reads and writes with one part",
}
"""What to do about rows that cannot be learned."""


@dataclass
class RenderingCounts:
    """What became of the rows.

    Attributes:
        max_length: Most tokens of an item.
        policy: What became of longer ones: ``cut``, ``drop`` or ``error``.
        rows: Conversations that were looked at.
        items: Texts to learn from that were made of them.
        cut_rows: Rows that lost their end.
        lost_rows: Rows that lost tokens which were to be learned.
        silent_rows: Rows of which nothing was left to learn, left out.
        long_rows: Rows left out as too long, with how many tokens they have.
        longest: Tokens of the longest item that was cut or left out; 0 where none was.
        problems: Kind → rows that cannot be learned.
        examples: Kind → what exactly is wrong with the first of them.
        rewritten_rows: Rows that were learned in another way because the template writes earlier turns anew.
        appended_rows: Rows whose last answer got the token behind it that the template writes before the next turn.
        unstopped: Answers that no token ends.
        stops: Token that ends answers → how many of those are learned.
        stopped_rows: Rows in which at least one such token is learned.
    """

    max_length: int
    policy: str
    rows: int = 0
    items: int = 0
    cut_rows: list[int] = field(default_factory=list)
    lost_rows: list[int] = field(default_factory=list)
    silent_rows: list[int] = field(default_factory=list)
    long_rows: dict[int, int] = field(default_factory=dict)
    longest: int = 0
    problems: dict[Kind, list[int]] = field(default_factory=dict)
    examples: dict[Kind, str] = field(default_factory=dict)
    rewritten_rows: list[int] = field(default_factory=list)
    appended_rows: int = 0
    unstopped: int = 0
    stops: Counter[str] = field(default_factory=Counter)
    stopped_rows: int = 0
    _last: tuple[int, bool] = (-1, False)

    def problem(self, row: int, problem: RowProblemError) -> None:
        """A row cannot be learned."""
        self.problems.setdefault(problem.kind, []).append(row)
        self.examples.setdefault(problem.kind, str(problem))

    def too_long(self, row: int, tokens: int) -> None:
        """An item is left out because of its length."""
        self.long_rows[row] = max(tokens, self.long_rows.get(row, 0))
        self.longest = max(tokens, self.longest)

    def cut(self, row: int, tokens: int, *, lost: bool) -> None:
        """An item of so many tokens was cut, and lost some that were to be learned, or did not."""
        _once(self.cut_rows, row)
        self.longest = max(tokens, self.longest)
        if lost:
            _once(self.lost_rows, row)

    def silent(self, row: int) -> None:
        """Nothing of an item was left to learn."""
        _once(self.silent_rows, row)

    def learned(self, row: int, text: Rendered, stops: Mapping[str, int]) -> None:
        """An item is learned from, with so many tokens that end answers."""
        self.items += 1
        for stop, count in stops.items():
            self.stops[stop] += count
        self.unstopped += text.unstopped
        if text.rewritten:
            _once(self.rewritten_rows, row)
        if text.appended:
            self.appended_rows += 1
        seen, had = self._last
        self.stopped_rows += bool(stops) and not (seen == row and had)
        self._last = (row, bool(stops) or (seen == row and had))

    @property
    def room(self) -> str:
        """How to learn from more of the items, and how much it takes to cut none."""
        if not self.longest:
            return "say train: true of a message"
        return f"raise model.max_length ({self.longest} would cut nothing)"

    def refuse(self, where: str | None = None, *, most_lost: float = MOST_LOST) -> None:
        """Refuse to train where the user has to decide first.

        Args:
            where: The file that the rows came from.
            most_lost: Largest share of rows that may lose part of what is to be learned.

        Raises:
            UserError: Rows cannot be learned by this template, are too long and ``policy`` is ``error``, more than
                ``most_lost`` of them lose part of their answer, none is left, or no answer ends with a token.
        """
        for kind, rows in self.problems.items():
            if kind == _NOT_THERE:
                # Nobody has answered them: the gate says when they are too many.
                continue
            raise UserError(
                f"{_rows(rows)} cannot be learned: {self.examples[kind]}", where=where, fix=WAYS_ROUND[kind]
            )
        if self.policy == "error" and self.long_rows:
            row, tokens = max(self.long_rows.items(), key=lambda item: item[1])
            raise UserError(
                f"{_rows(list(self.long_rows))} {_are(self.long_rows)} longer than {self.max_length} tokens "
                f"(row {row}: {tokens})",
                where=where,
                fix=f"{self.room}, or set task.too_long to cut or drop",
            )
        if len(self.lost_rows) > most_lost * self.rows:
            raise UserError(
                f"{_rows(self.lost_rows)} would lose part of their answer at {self.max_length} tokens "
                f"({len(self.lost_rows) / self.rows:.1%} of {self.rows})",
                where=where,
                fix=f"{self.room}, or set task.too_long=drop to leave such rows out",
            )
        if self.rows and not self.items:
            why = f": {self.examples[_NOT_THERE]}" if _NOT_THERE in self.problems else ""
            fix = WAYS_ROUND[_NOT_THERE] if why else self.room
            raise UserError(f"no row is left to learn from{why}", where=where, fix=fix)
        if self.items and not self.stops:
            raise UserError(
                "no answer ends with a token of its own: a model trained on it would never stop",
                where=where,
                fix="set task.template=headings, or end answers with the tokenizer's eos_token in your template",
            )

    def numbered(self, numbers: Sequence[int] | IntArray) -> RenderingCounts:
        """The same with other numbers for the rows: those of their file; ``numbers`` has one for each."""

        def named(rows: Sequence[int]) -> list[int]:
            return [int(numbers[row]) for row in rows]

        found = replace(self, problems={kind: named(rows) for kind, rows in self.problems.items()})
        found.long_rows = {int(numbers[row]): tokens for row, tokens in self.long_rows.items()}
        for name in _LISTS:
            setattr(found, name, named(getattr(self, name)))
        return found

    def add(self, other: RenderingCounts) -> None:
        """Count rows that come after these as well: ``other`` has other numbers for its rows."""
        for name in ("rows", "items", "appended_rows", "unstopped", "stopped_rows"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for name in _LISTS:
            getattr(self, name).extend(getattr(other, name))
        self.long_rows.update(other.long_rows)
        self.longest = max(self.longest, other.longest)
        for kind, rows in other.problems.items():
            self.problems.setdefault(kind, []).extend(rows)
            self.examples.setdefault(kind, other.examples[kind])
        self.stops.update(other.stops)

    @staticmethod
    def from_summary(summary: Mapping[str, Any]) -> RenderingCounts:
        """What `summary` was made of."""
        found = RenderingCounts(summary["max_length"], summary["too_long"], summary["rows"], summary["items"])
        for name, key in _LISTS.items():
            setattr(found, name, list(summary[key]))
        found.long_rows = {int(row): tokens for row, tokens in summary["dropped_rows"].items()}
        found.longest = summary["longest"]
        found.problems = {kind: list(rows) for kind, rows in summary["problem_rows"].items()}
        found.examples = dict(summary["problems"])
        found.appended_rows, found.unstopped = summary["appended_rows"], summary["answers_without_stop"]
        found.stops, found.stopped_rows = Counter(summary["stops"]), summary["rows_with_stop"]
        return found

    def summary(self) -> dict[str, Any]:
        """As JSON: how many, and which rows (0-based)."""
        return {
            "rows": self.rows,
            "items": self.items,
            "max_length": self.max_length,
            "too_long": self.policy,
            **{key: list(getattr(self, name)) for name, key in _LISTS.items()},
            "dropped_rows": {str(row): tokens for row, tokens in self.long_rows.items()},
            "longest": self.longest,
            "problem_rows": {kind: list(rows) for kind, rows in self.problems.items()},
            "problems": dict(self.examples),
            "appended_rows": self.appended_rows,
            "answers_without_stop": self.unstopped,
            "stops": dict(self.stops),
            "rows_with_stop": self.stopped_rows,
        }

    def told(self) -> list[str]:
        """What the user should know although training goes on, a sentence each."""
        found = [f"{_rows(rows)} left out: {self.examples[kind]}" for kind, rows in self.problems.items()]
        if self.cut_rows:
            lost = f"of which {len(self.lost_rows)} lost some of their answer"
            found.append(f"{_rows(self.cut_rows)} cut to {self.max_length} tokens, {lost}")
        if self.silent_rows:
            found.append(f"{_rows(self.silent_rows)} left out: nothing of them was left to learn")
        if self.long_rows:
            found.append(f"{_rows(list(self.long_rows))} left out: longer than {self.max_length} tokens")
        if self.rewritten_rows:
            found.append(f"{_rows(self.rewritten_rows)} learned otherwise: the template writes earlier turns anew")
        if self.appended_rows:
            names = " or ".join(self.stops)
            found.append(f"{self.appended_rows} answers got {names} behind them: the template ends none at the end")
        if self.unstopped:
            found.append(f"{self.unstopped} answers end without a token that could be learned")
        return found


def _once(rows: list[int], row: int) -> None:
    if not rows or rows[-1] != row:
        rows.append(row)


def _are(rows: Sized) -> str:
    return "is" if len(rows) == 1 else "are"


def _rows(rows: Sequence[int]) -> str:
    """How many, and the first few: ``3 rows (0, 4, 9)``."""
    first = ", ".join(map(str, rows[:5]))
    return f"{len(rows)} {'row' if len(rows) == 1 else 'rows'} ({first}{', …' if len(rows) > 5 else ''})"
