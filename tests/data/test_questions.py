"""Questions on texts: read from every form that people keep them in, and found where they really are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supertune.answer_spans import Answer, asked_of, find, in_cell
from supertune.data import Table, infer_columns, read
from supertune.errors import UserError

CONTEXT = "The parcel is late 📦, e\u0301 so late. 包裹很晚，很晚。"


def nested(**changes: Any) -> dict[str, Any]:
    asked = {"id": "q1", "question": "Where?", "answers": [{"text": "late", "answer_start": 14}], **changes}
    paragraph = {"context": CONTEXT, "qas": [asked, {"id": "q2", "question": "谁？", "answers": []}]}
    return {"version": "1", "data": [{"title": "Parcels", "paragraphs": [paragraph]}]}


def written(folder: Path, document: Any, name: str = "questions.json") -> Path:
    path = folder / name
    path.write_text(json.dumps(document, ensure_ascii=False), encoding="utf-8")
    return path


def spans(table: Table) -> list[list[str | None]]:
    columns = infer_columns(table, answers="answers")
    return [
        [span and asked.context[span.start : span.end] for span in asked.spans()] for asked in asked_of(table, columns)
    ]


def test_a_nested_document_becomes_a_row_for_each_question(tmp_path: Path) -> None:
    table = read(written(tmp_path, nested()))
    assert table.column_names == ("id", "title", "context", "question", "answers")
    assert table.row(0)["answers"] == [{"text": "late", "answer_start": 14}]
    assert table.row(1) == {
        "id": "q2", "title": "Parcels", "context": CONTEXT, "question": "谁？", "answers": [],
    }  # fmt: skip
    assert any("SQuAD" in note for note in table.notes)


def test_an_impossible_question_has_no_answer_and_an_open_one_none_yet(tmp_path: Path) -> None:
    document = nested(is_impossible=True)
    del document["data"][0]["paragraphs"][0]["qas"][1]["answers"]
    table = read(written(tmp_path, document))
    columns = infer_columns(table, answers="answers")
    assert [asked.answers for asked in asked_of(table, columns)] == [(), None]


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda data: data[0].pop("paragraphs"), "row 0: data[0] has no list of paragraphs"),
        (lambda data: data[0]["paragraphs"][0].pop("context"), "data[0].paragraphs[0] has no text in 'context'"),
        (lambda data: data[0]["paragraphs"][0].update(qas=3), "no list of questions in 'qas'"),
        (
            lambda data: data[0]["paragraphs"][0]["qas"][1].update(question=7),
            "row 1: data[0].paragraphs[0].qas[1] has no text in 'question'",
        ),
    ],
)
def test_what_a_document_lacks_is_told_with_its_place(damage: Any, told: str, tmp_path: Path) -> None:
    document = nested()
    document["data"].append(nested()["data"][0])
    damage(document["data"])
    path = written(tmp_path, document)
    with pytest.raises(UserError) as caught:
        read(path)
    assert told in caught.value.what
    assert caught.value.where == str(path)
    table = read(path, on_bad_row="skip")
    assert len(table) in (2, 3)
    assert told.removeprefix("row 0: ") in table.notes[-1]


def test_every_flat_form_gives_the_same_answer(tmp_path: Path) -> None:
    row = {"question": "When?", "context": CONTEXT}
    forms = (
        {"answers": {"text": ["late"], "answer_start": [14]}},
        {"answers": [{"text": "late", "answer_start": 14}]},
        {"answers": '{"text": ["late"], "answer_start": [14]}'},
        {"answer": "late", "answer_start": 14},
        {"answers": ["late"], "answer_start": [14]},
    )
    for form in forms:
        assert spans(Table.from_rows([{**row, **form}])) == [["late"]]
    path = tmp_path / "flat.csv"
    path.write_text(f'问题,段落,答案,答案位置\n什么时候?,"{CONTEXT}",late,14\n谁?,"{CONTEXT}",[],\n', encoding="utf-8")
    table = read(path)
    columns = infer_columns(table, answers="answers")
    assert (columns.text, columns.labels, columns.starts) == (("问题", "段落"), ("答案",), "答案位置")
    assert spans(table) == [["late"], []]


def test_numbers_in_a_csv_file_are_answers_as_they_are_written(tmp_path: Path) -> None:
    path = tmp_path / "years.csv"
    path.write_text("question,context,answer\nWhen?,It was in 1990.,1990\nWhen?,It was in 1991.,1991\n")
    assert spans(read(path)) == [["1990"], ["1991"]]


@pytest.mark.parametrize(
    ("cell", "start", "told"),
    [
        ([3], None, "has 3 among its answers"),
        ({"text": ["a", "b"], "answer_start": [1]}, None, "has 2 answers and 1 beginnings"),
        ({"text": None}, None, "has no text"),
        ([{"text": "a", "answer_start": "1"}], None, "begins at '1'"),
        ([{"text": "a", "answer_start": -7}], None, "begins at -7"),
        ("a", 1.5, "begins at 1.5"),
        (True, None, "has True"),
    ],
)
def test_what_is_no_answer_is_told_with_its_row(cell: object, start: object, told: str) -> None:
    with pytest.raises(ValueError, match="has") as caught:
        in_cell(cell, start)
    assert told in str(caught.value)


def test_a_row_with_no_answer_in_it_names_row_and_column() -> None:
    table = Table.from_rows([{"question": "a", "context": "b", "answers": []}] * 2 + [
        {"question": "a", "context": "b", "answers": [{"answer_start": 3}]}])  # fmt: skip
    with pytest.raises(UserError, match="row 2 has") as caught:
        list(asked_of(table, infer_columns(table, answers="answers")))
    assert caught.value.where == "column 'answers'"


def test_plain_text_that_begins_like_a_list_is_an_answer() -> None:
    assert in_cell("[1] Smith") == (Answer("[1] Smith"),)
    assert in_cell("[]") == ()
    assert in_cell("  ") is None
    assert in_cell([{"text": "", "answer_start": -1}]) == ()


def test_where_an_answer_is() -> None:
    def found(text: str, start: int | None = None) -> tuple[int, str]:
        span = find(CONTEXT, Answer(text, start))
        assert span is not None
        assert CONTEXT[span.start : span.end] == text.strip()
        return span.start, span.how

    assert found("late", 14) == (14, "said")
    assert found("late", 15) == (14, "moved")
    assert found("late", 26) == (CONTEXT.rindex("late"), "moved")
    assert found("late") == (14, "first")
    assert found("📦") == (19, "only")
    assert found(" is ", 10) == (11, "said")
    assert found(" parcel\n", 99) == (4, "moved")
    assert find(CONTEXT, Answer("parcels", 4)) is None
    assert find(CONTEXT, Answer("Late", 14)) is None


@given(st.text("aé包📦 ", min_size=1, max_size=30), st.data())
def test_whatever_stands_in_a_text_is_found_there(context: str, data: Any) -> None:
    start = data.draw(st.integers(0, len(context) - 1))
    text = context[start : data.draw(st.integers(start + 1, len(context)))]
    said, away = find(context, Answer(text, start)), data.draw(st.integers(0, 40))
    if not text.strip():
        return
    assert said is not None
    assert (said.how, context[said.start : said.end]) == ("said", text.strip())
    moved = find(context, Answer(text, away))
    assert moved is not None
    assert context[moved.start : moved.end] == text.strip()


def test_columns_are_named_or_the_choice_is_told(tmp_path: Path) -> None:
    table = Table.from_rows([{"ask": "a b", "story": "c d", "reply": "c", "title": "t"}] * 3)
    with pytest.raises(UserError, match="like questions: 'ask', 'story'"):
        infer_columns(table, answers="answers")
    columns = infer_columns(table, text=["ask", "story"], label="reply", answers="answers")
    assert columns.text == ("ask", "story")
    assert columns.pair
    assert columns.group == "story"  # one title for all rows tells nothing apart
    with pytest.raises(UserError, match="like answers"):
        infer_columns(table, text=["ask", "story"], answers="answers")
    assert not infer_columns(table, text=["ask", "story"], answers="answers", need_label=False).labels
    with pytest.raises(UserError, match="two columns, not 1"):
        infer_columns(table, text="ask", answers="answers")
    wrong = Table.from_rows([{"question": 1, "context": "c", "answers": "c"}] * 2)
    with pytest.raises(UserError, match="holds integers, not text"):
        infer_columns(wrong, answers="answers")
    truths = Table.from_rows([{"question": "a", "context": "c", "answers": True}] * 2)
    with pytest.raises(UserError, match="not answers"):
        infer_columns(truths, answers="answers")
