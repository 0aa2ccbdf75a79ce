"""Answers that stand in a text: how people write them down, and where in the text they really are.

An answer is its words and, mostly, the character at which it begins. A cell holds one answer or several that are all
right, as a list of objects (SQuAD), an object of two lists (the hub's form of it), a list of texts, or plain text with
the beginning in a column beside. A question that the text does not answer has an empty list; one that nobody has
answered yet has nothing. Characters are Unicode code points, as Python counts them.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from supertune.contracts import Columns, Rows
from supertune.errors import UserError
from supertune.language import is_blank, is_missing, join_fields, shorten

How = Literal["said", "only", "first", "moved"]


@dataclass(frozen=True)
class Answer:
    """An answer as it was written down.

    Attributes:
        text: Its words.
        start: The character at which it is said to begin; None where nobody says.
    """

    text: str
    start: int | None = None


@dataclass(frozen=True)
class Span:
    """Where an answer stands: characters ``start`` to ``end`` (exclusive), without white space around it.

    Attributes:
        start: Of its first character.
        end: Behind its last.
        how: ``said``: where it was said to be; ``only``: nobody said, and it stands in one place; ``first``: nobody
            said, and this is the first of several places; ``moved``: somewhere else than was said.
    """

    start: int
    end: int
    how: How


@dataclass(frozen=True)
class Asked:
    """A question, the text to look in, and what answers it.

    Attributes:
        question: The question.
        context: The text.
        answers: The right answers; none where the text does not answer it, None where nobody has said.
    """

    question: str
    context: str
    answers: tuple[Answer, ...] | None

    def spans(self) -> list[Span | None]:
        """Where each of the answers is; None for one that is nowhere in the text."""
        return [find(self.context, answer) for answer in self.answers or ()]


def asked_of(rows: Rows, columns: Columns) -> Iterator[Asked]:
    """The questions in order; without answers where the label column is missing.

    Raises:
        UserError: A cell holds no answer.
    """
    label = next((name for name in columns.labels if name in rows.column_names), None)
    starts = columns.starts if columns.starts in rows.column_names else None
    names = (*columns.text, *([label] if label else []), *([starts] if label and starts else []))
    row = 0
    for batch in rows.batches(columns=names):
        for question, context, *given in zip(*(batch[name] for name in names), strict=True):
            answers = None
            if label:
                try:
                    answers = in_cell(given[0], given[1] if len(given) > 1 else None)
                except ValueError as error:
                    raise UserError(
                        f"row {rows.row_ids[row]} {error}",
                        where=f"column {label!r}",
                        fix='write answers as [{"text": "…", "answer_start": 0}], or as text with the beginning in a '
                        "column answer_start; [] for a question that has none",
                    ) from error
            # As the tokenizer gets them.
            yield Asked(join_fields([question]), join_fields([context]), answers)
            row += 1


def in_cell(value: object, start: object = None) -> tuple[Answer, ...] | None:
    """The answers that a cell holds; None for no value.

    Args:
        value: As it was read.
        start: What stands in the column of beginnings, if there is one.

    Raises:
        ValueError: It holds something else; says what, to stand behind the row's number.
    """
    if is_missing(value):
        return None
    if isinstance(value, str):
        value = _written_out(value)
    if isinstance(value, dict):
        return _of_lists(value)
    if isinstance(value, list):
        if is_missing(start):
            return _kept([_of_item(item) for item in value])
        return _of_lists({"text": value, "answer_start": start})
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        first = start[0] if isinstance(start, list) and len(start) == 1 else start
        return _kept([Answer(str(value), _start(first))])
    raise ValueError(f"has {_shown(value)}, which is no answer")


def find(context: str, answer: Answer) -> Span | None:
    """Where an answer stands: where it is said to, else in the nearest place, else in the first; None if nowhere."""
    text, start = answer.text, answer.start
    if start is not None and context.startswith(text, start):
        return _trimmed(start, text, "said")
    text = text.strip()
    places = _places(context, text)
    if not places:
        return None
    if start is None:
        return _trimmed(places[0], text, "only" if len(places) == 1 else "first")
    return _trimmed(min(places, key=lambda place: abs(place - start)), text, "moved")


def _places(context: str, text: str) -> list[int]:
    """Every place where a text that is not empty begins."""
    found = []
    place = context.find(text)
    while place >= 0:
        found.append(place)
        place = context.find(text, place + 1)
    return found


def _trimmed(start: int, text: str, how: How) -> Span:
    left = len(text) - len(text.lstrip())
    return Span(start + left, start + len(text.rstrip()), how)


def _written_out(text: str) -> object:
    """JSON of answers that stands in text, as a CSV file has it; other text is an answer itself."""
    if text.lstrip()[:1] not in ("[", "{"):
        return text
    try:
        found = json.loads(text)
    except ValueError:
        return text
    listed = isinstance(found, list) and all(isinstance(item, str | dict) for item in found)
    return found if listed or (isinstance(found, dict) and "text" in found) else text


def _of_lists(value: dict[str, object]) -> tuple[Answer, ...]:
    """Answers as one object: a text or a list of them, and as many beginnings."""
    texts, starts = value.get("text"), value.get("answer_start")
    if not isinstance(texts, list):
        texts, starts = [texts], [starts]
    if starts is None:
        starts = [None] * len(texts)
    if not isinstance(starts, list) or len(starts) != len(texts):
        told = len(starts) if isinstance(starts, Sequence) else 1
        raise ValueError(f"has {len(texts)} answers and {told} beginnings")
    return _kept([_of_item({"text": text, "answer_start": start}) for text, start in zip(texts, starts, strict=True)])


def _of_item(item: object) -> Answer:
    if isinstance(item, str):
        return Answer(item)
    if not isinstance(item, dict) or not isinstance(item.get("text"), str):
        raise ValueError(f"has {_shown(item)} among its answers, which has no text")
    text, start = item["text"], item.get("answer_start")
    return Answer(text, _start(start))


def _start(value: object) -> int | None:
    if is_missing(value):
        return None
    if isinstance(value, float) and value.is_integer() and math.isfinite(value):
        # What a column of whole numbers becomes beside a missing one.
        value = int(value)
    if value == -1:
        # CMRC's word for an answer that is put in other words than the text's.
        return None
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError(f"has an answer that begins at {_shown(value)}, which is no character's number")
    return value


def _kept(answers: list[Answer]) -> tuple[Answer, ...]:
    return tuple(answer for answer in answers if not is_blank(answer.text))


def _shown(value: object) -> str:
    return shorten(repr(value), 40)
