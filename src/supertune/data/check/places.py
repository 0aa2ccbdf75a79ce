"""Answers that are not where they are said to be, or nowhere in their text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from supertune.answer_spans import Answer, Asked, Span
from supertune.contracts import Finding
from supertune.data.check.input import CheckInput
from supertune.data.check.wording import counted, percent, within
from supertune.data.question_columns import questions_of
from supertune.language import shorten

_SHOWN_WIDTH = 40


@dataclass(frozen=True)
class _Place:
    """An answer, its row, and where it was found."""

    row: int
    asked: Asked
    answer: Answer
    span: Span | None


def check_answers(check_input: CheckInput) -> list[Finding]:
    """Find answers that are not in their text, that stand elsewhere in it, or in several places.

    What stands elsewhere is learned from where it stands. A row of which no answer is in its text cannot be learned
    from, and is an error in the rows to learn from; held out, the words of the answer suffice to score by.
    """
    if check_input.columns.answers != "answers" or not check_input.columns.labels:
        return []
    findings = []
    for split, table in check_input.splits.items():
        lost: list[_Place] = []
        spare: list[_Place] = []
        moved: list[_Place] = []
        several: list[_Place] = []
        for row, asked in enumerate(questions_of(table, check_input.columns)):
            spans = asked.spans()
            nowhere = not any(spans)
            for answer, span in zip(asked.answers or (), spans, strict=True):
                place = _Place(row, asked, answer, span)
                if span is None:
                    (lost if nowhere else spare).append(place)
                elif span.how == "moved":
                    moved.append(place)
                elif span.how == "first":
                    several.append(place)
        found = (
            _lost(check_input, split, lost),
            _moved(check_input, split, moved),
            _spare(check_input, split, spare),
            _several(check_input, split, several),
        )
        findings += [finding for finding in found if finding is not None]
    return findings


def _rows(check_input: CheckInput, split: str, places: Sequence[_Place]) -> tuple[int, ...]:
    return check_input.row_numbers(split, np.unique([place.row for place in places]))


def _lost(check_input: CheckInput, split: str, places: Sequence[_Place]) -> Finding | None:
    if not places:
        return None
    rows, first = _rows(check_input, split, places), places[0]
    said = f"row {check_input.splits[split].row_ids[first.row]}: {_quoted(first.answer.text)}"
    if first.answer.start is not None:
        said += f" is said to begin at {first.answer.start:,}, where {_quoted(_there(first))} stands"
    have = "has" if len(rows) == 1 else "have"
    learned = split == check_input.training_split
    return Finding(
        check="answers",
        severity="error" if learned else "warning",
        split=split,
        rows=rows,
        message=f"{counted(len(rows), 'row')}{within(split)} ({percent(len(rows), len(check_input.splits[split]))}) "
        f"{have} an answer that is nowhere in the text ({said})",
        fix="copy the answer from the text, character by character, or empty the list of answers if there is none"
        + ("; allowed, these rows are not learned from" if learned else "; they are scored by their words"),
    )


def _moved(check_input: CheckInput, split: str, places: Sequence[_Place]) -> Finding | None:
    if not places:
        return None
    first = places[0]
    assert first.span is not None
    do = "does" if len(places) == 1 else "do"
    return Finding(
        check="answers",
        severity="warning",
        split=split,
        rows=_rows(check_input, split, places),
        message=f"{counted(len(places), 'answer')}{within(split)} {do} not begin where it is said "
        f"(row {check_input.splits[split].row_ids[first.row]}: at {first.answer.start:,} stands "
        f"{_quoted(_there(first))}; {_quoted(first.answer.text)} begins at {first.span.start:,}), "
        "and the nearest place is taken",
        fix="count characters from 0, as Python does, and not bytes or words; or leave the beginnings out",
    )


def _spare(check_input: CheckInput, split: str, places: Sequence[_Place]) -> Finding | None:
    if not places:
        return None
    be = "is" if len(places) == 1 else "are"
    return Finding(
        check="answers",
        severity="info",
        split=split,
        rows=_rows(check_input, split, places),
        message=f"{counted(len(places), 'answer')}{within(split)} {be} nowhere in the text, beside another one that is "
        f"(e.g. {_quoted(places[0].answer.text)}); counted as right, and not learned from",
        fix="nothing, if people put these answers in their own words",
    )


def _several(check_input: CheckInput, split: str, places: Sequence[_Place]) -> Finding | None:
    if not places:
        return None
    stand = "stands" if len(places) == 1 else "stand"
    return Finding(
        check="answers",
        severity="info",
        split=split,
        rows=_rows(check_input, split, places),
        message=f"{counted(len(places), 'answer')}{within(split)} {stand} in several places of the text "
        f"(e.g. {_quoted(places[0].answer.text)}), and nobody says which is meant: the first is taken",
        fix="add a column answer_start with the character at which the answer begins, if another place is meant",
    )


def _there(place: _Place) -> str:
    start = place.answer.start or 0
    return place.asked.context[start : start + len(place.answer.text)]


def _quoted(text: str) -> str:
    return repr(shorten(text, _SHOWN_WIDTH))
