"""The gate looks at answers: those that are nowhere in their text, elsewhere in it, or in several places."""

from __future__ import annotations

from typing import Any

import pytest

from supertune.contracts import Finding
from supertune.data import CheckInput, Table, infer_columns, run_checks, split_table

CONTEXT = "The film is late 📦. 电影很晚，很晚。"


def asked(text: str | None, start: int | None = None, question: str = "When?") -> dict[str, Any]:
    answers = None if text is None else [{"text": text, "answer_start": start}] if text else []
    return {"question": question, "context": CONTEXT, "answers": answers}


def found(rows: list[dict[str, Any]], *names: str, **splits: list[dict[str, Any]]) -> list[Finding]:
    tables = {"train" if splits else "all": Table.from_rows(rows)}
    tables |= {split: Table.from_rows(given) for split, given in splits.items()}
    columns = infer_columns(next(iter(tables.values())), answers="answers")
    return run_checks(CheckInput(tables, columns, bool(splits)), only=names or ["answers"])


def test_right_answers_and_questions_without_one_are_no_finding() -> None:
    assert not found([asked("late", 12), asked("", None), asked("📦"), asked(None), asked("晚，", 23)])


def test_an_answer_that_is_nowhere_is_told_with_what_stands_there() -> None:
    (finding,) = found([asked("late", 12), asked("early", 12)])
    assert (finding.check, finding.severity, finding.rows) == ("answers", "error", (1,))
    assert "1 row (50 %) has an answer that is nowhere in the text" in finding.message
    assert "(row 1: 'early' is said to begin at 12, where 'late' stands)" in finding.message


def test_held_out_it_is_a_warning() -> None:
    (finding,) = found([asked("late")], test=[asked("early"), asked("soon", 500)])
    assert (finding.split, finding.severity, finding.rows) == ("test", "warning", (0, 1))
    assert "scored by their words" in finding.fix


@pytest.mark.parametrize("start", [11, 13, 0, 900])
def test_a_beginning_that_is_off_is_corrected_and_told(start: int) -> None:
    (finding,) = found([asked("late", start)])
    assert (finding.severity, finding.rows) == ("warning", (0,))
    assert f"at {start} stands" in finding.message
    assert "'late' begins at 12" in finding.message


def test_the_first_of_several_places_is_taken_and_told() -> None:
    (finding,) = found([asked("很晚"), asked("late")])
    assert (finding.severity, finding.rows) == ("info", (0,))
    assert "stands in several places" in finding.message


def test_answers_in_other_words_beside_one_that_is_there() -> None:
    answers = [{"text": "late", "answer_start": 12}, {"text": "not in time", "answer_start": -1}]
    (finding,) = found([{**asked("late"), "answers": answers}])
    assert (finding.severity, finding.rows) == ("info", (0,))
    assert "beside another one that is" in finding.message


def test_rows_without_question_or_text_are_empty() -> None:
    rows = [asked("late"), asked("late", question=" "), {**asked(""), "context": None}]
    (finding,) = found(rows, "empty-rows")
    assert finding.rows == (1, 2)


def test_the_same_question_with_other_answers_is_a_conflict() -> None:
    (finding,) = found([asked("late"), asked("film"), asked("late", question="What?")], "label-conflicts")
    assert "1 text has different answers" in finding.message
    assert not found([asked("late"), asked("late", 12)], "label-conflicts")


def test_checks_of_classes_find_nothing() -> None:
    assert not found([asked("late"), asked("film", question="What?")], "imbalance", "rare-classes", "outliers")


def test_rows_that_share_a_text_stay_in_one_split() -> None:
    texts = [f"{CONTEXT} {number}" for number in range(30)]
    rows = [{**asked("late", 12, f"q{row}"), "context": texts[row % 30]} for row in range(120)]
    table = Table.from_rows(rows)
    splits = split_table(table, infer_columns(table, answers="answers"), seed=0)
    seen = [set(part.column("context")) for part in splits.values()]
    assert not seen[0] & seen[1]
    assert not seen[0] & seen[2]
    assert not seen[1] & seen[2]
