"""Lists of suspected labels: written, filled in by a person, read back, and done to the rows; nothing else is."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supertune.data import LabelErrors, Table, apply_review, check_review_file, read_review, write_review
from supertune.data.formulas import with_formula, without_formula
from supertune.data.label_errors import Suspect
from supertune.errors import UserError

ROWS = [
    {"text": "=1+1", "label": "-gut", "other": 1},
    {"text": "'=quoted, twice\nover two lines", "label": "好评", "other": 2},
    {"text": "味道很好，下次还来", "label": "差评", "other": 3},
    {"text": "plain", "label": "好评", "other": 4},
    {"text": "＝全角", "label": "差评", "other": 5},
]
SUGGESTED = ["好评", "差评", "好评", "差评", "-gut"]


def table():
    return Table.from_rows(ROWS, source="rows.csv")


def errors():
    suspects = tuple(
        Suspect("all", row, ROWS[row]["text"], "label", ROWS[row]["label"], better, 0.9 - row / 10)
        for row, better in enumerate(SUGGESTED)
    )
    return LabelErrors(suspects, (), len(ROWS), 0)


def filled(path, **decisions):
    """The list with decisions, as a spreadsheet would save it."""
    write_review(path, errors(), {"all": table()})
    if path.suffix == ".jsonl":
        lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        for line in lines:
            line["decision"] = decisions.get(f"row{line['row']}", "")
        path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
        return path
    with path.open(encoding="utf-8-sig", newline="") as stream:
        lines = list(csv.DictReader(stream))
    for line in lines:
        line["decision"] = decisions.get(f"row{line['row']}", "")
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, lines[0])
        writer.writeheader()
        writer.writerows(lines)
    return path


@given(st.text())
def test_every_text_comes_back_and_none_is_a_formula(text):
    safe = without_formula(text)
    assert with_formula(safe) == text
    assert not safe.startswith(tuple("=+-@＝＋－＠\t\r\n"))


def test_no_cell_of_the_csv_begins_like_a_formula_and_chinese_opens_in_a_spreadsheet(tmp_path):
    path = tmp_path / "list.csv"
    write_review(path, errors(), {"all": table()})
    assert path.read_bytes().startswith(b"\xef\xbb\xbf")
    with path.open(encoding="utf-8-sig", newline="") as stream:
        lines = list(csv.DictReader(stream))
    assert [line["given"] for line in lines] == ["'-gut", "好评", "差评", "好评", "差评"]
    assert lines[0]["text"] == "'=1+1"
    assert lines[1]["text"] == "''=quoted, twice\nover two lines"
    assert lines[4]["text"] == "'＝全角"
    assert {line["decision"] for line in lines} == {""}


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_only_what_a_person_decided_is_done(tmp_path, ending):
    path = filled(tmp_path / f"list.{ending}", row0="Change", row1="keep", row2="change to: -gut", row4="删除")
    decisions = read_review(path)
    assert [each.row for each in decisions] == [0, 1, 2, 4]
    made, done = apply_review(table(), decisions)
    assert [row["label"] for row in made.rows()] == ["好评", "好评", "-gut", "好评"]
    assert made.row_ids.tolist() == [0, 1, 2, 3]
    assert done.kept == (1,)
    assert done.changed == ((0, "label", "-gut", "好评"), (2, "label", "差评", "-gut"))
    assert done.dropped == (4,)
    assert [row["text"] for row in made.rows()] == [row["text"] for row in ROWS[:4]]
    assert [step.name for step in made.lineage] == ["review:change", "review:drop"]
    assert [row["label"] for row in table().rows()] == [row["label"] for row in ROWS], "the table itself is as it was"


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_an_untouched_list_does_nothing(tmp_path, ending):
    path = filled(tmp_path / f"list.{ending}")
    whole = table()
    made, done = apply_review(whole, read_review(path))
    assert made is whole
    assert (done.kept, done.changed, done.dropped) == ((), (), ())


@pytest.mark.parametrize("said", ["perhaps", "change to", "changed", "x"])
def test_what_is_no_decision_is_refused_with_its_line(tmp_path, said):
    path = filled(tmp_path / "list.csv", row1=said)
    with pytest.raises(UserError, match="is no decision") as caught:
        read_review(path)
    assert "line 3" in str(caught.value)


def test_a_slip_in_a_label_is_found_and_a_new_label_is_taken_when_meant(tmp_path):
    decisions = read_review(filled(tmp_path / "list.csv", row3="change to 好 评"))
    with pytest.raises(UserError, match="no row has the label") as caught:
        apply_review(table(), decisions)
    assert "好评" in str(caught.value)
    made, _ = apply_review(table(), decisions, new_labels=True)
    assert made.row(3)["label"] == "好 评"


def test_rows_that_have_changed_since_are_refused(tmp_path):
    decisions = read_review(filled(tmp_path / "list.csv", row3="keep"))
    changed = Table.from_rows([*ROWS[:3], {**ROWS[3], "text": "another"}, ROWS[4]])
    with pytest.raises(UserError, match="row 3 of rows has changed since"):
        apply_review(changed, decisions)
    with pytest.raises(UserError, match="row 3 is not in"):
        apply_review(Table.from_rows(ROWS[:2]), decisions)


def test_two_decisions_about_one_label_must_agree(tmp_path):
    path = filled(tmp_path / "list.jsonl", row1="keep")
    once = path.read_text(encoding="utf-8")
    path.write_text(once + once.replace('"keep"', '"drop"'), encoding="utf-8")
    with pytest.raises(UserError, match="decided about twice"):
        apply_review(table(), read_review(path))
    path.write_text(once + once, encoding="utf-8")
    apply_review(table(), read_review(path))


@pytest.mark.parametrize(
    ("values", "said", "becomes"),
    [
        ([1, 2, 3], "2", 2),
        ([1, 2, 3], "2.0", 2),
        ([0.5, 1.5, 2.5], "2", 2.0),
        ([True, False, True], "FALSE", False),
        ([["a"], ["b"], []], '["a", "b"]', ["a", "b"]),
    ],
)
def test_labels_keep_the_kind_of_their_column(tmp_path, values, said, becomes):
    rows = Table.from_rows([{"text": str(number), "label": value} for number, value in enumerate(values)])
    suspect = Suspect("all", 0, "0", "label", values[0], values[1], 0.9)
    path = tmp_path / "list.jsonl"
    write_review(path, LabelErrors((suspect,), (), 3, 0), {"all": rows})
    for decision, expected in (("change", values[1]), (f"change to {said}", becomes)):
        line = json.loads(path.read_text(encoding="utf-8"))
        path.write_text(json.dumps({**line, "decision": decision}) + "\n", encoding="utf-8")
        made, _ = apply_review(rows, read_review(path))
        assert made.row(0)["label"] == expected
        assert type(made.row(0)["label"]) is type(expected)
        assert made.schema == rows.schema
    path.write_text(json.dumps({**line, "decision": "change to seven"}) + "\n", encoding="utf-8")
    with pytest.raises(UserError, match="does not fit column 'label'"):
        apply_review(rows, read_review(path))


def test_a_list_with_decisions_is_never_written_over(tmp_path):
    path = filled(tmp_path / "list.csv", row1="keep")
    with pytest.raises(UserError, match="there already"):
        check_review_file(path)
    with pytest.raises(UserError, match="no kind of list"):
        check_review_file(Path("list.docx"))


def test_a_file_that_is_no_list_is_refused(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("text,label\na,b\n", encoding="utf-8")
    with pytest.raises(UserError, match="has no column 'row'"):
        read_review(path)
