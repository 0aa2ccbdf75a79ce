"""Columns of documents and summaries, and what the gate says of them."""

from __future__ import annotations

from typing import Any

import pytest

from supertune.contracts import Finding
from supertune.data import CHECKS, CheckInput, Table, infer_columns, run_checks, split_table
from supertune.errors import UserError

DOCUMENT = "The shop in the old town burned down on Monday. Nobody was hurt. The owner wants to build it up again."
SUMMARY = "A shop burned down on Monday and nobody was hurt."
文档 = "老城的一家店铺星期一失火，烧毁严重。没有人受伤。店主打算重建。天气一直很热。"
摘要 = "星期一老城店铺失火，没有人受伤。"


def table(*rows: dict[str, Any]) -> Table:
    return Table.from_rows(list(rows))


@pytest.mark.parametrize(
    ("row", "text", "labels"),
    [
        ({"id": 1, "document": DOCUMENT, "summary": SUMMARY}, ("document",), ("summary",)),
        ({"article": DOCUMENT, "highlights": [SUMMARY], "url": "x"}, ("article",), ("highlights",)),
        ({"fname": "a", "dialogue": DOCUMENT, "summary": SUMMARY, "topic": "fire"}, ("dialogue",), ("summary",)),
        ({"summary": SUMMARY, "text": DOCUMENT, "title": "Fire"}, ("text",), ("summary",)),
        ({"正文": 文档, "摘要": 摘要, "编号": 3}, ("正文",), ("摘要",)),
        ({"对话": 文档, "总结": 摘要}, ("对话",), ("总结",)),
        ({"dialogue": DOCUMENT, "summary1": SUMMARY, "summary2": "b", "summary3": "c"}, ("dialogue",),
         ("summary1", "summary2", "summary3")),
        ({"minutes of the day": DOCUMENT, "gold_summary": SUMMARY}, ("minutes of the day",), ("gold_summary",)),
        ({"TEXT": DOCUMENT, "Label": SUMMARY}, ("TEXT",), ("Label",)),
    ],
)  # fmt: skip
def test_columns_are_found_by_their_names(row: dict[str, Any], text: tuple[str, ...], labels: tuple[str, ...]) -> None:
    columns = infer_columns(table(row, {**row, text[0]: f"{row[text[0]]} Again."}), answers="texts")
    assert (columns.text, columns.labels, columns.pair, columns.answers) == (text, labels, False, "texts")
    assert len(columns.announcements) == 2


def test_columns_can_be_named() -> None:
    rows = table({"a": DOCUMENT, "b": "t", "c": SUMMARY, "summary": "x"})
    columns = infer_columns(rows, answers="texts", text=["b", "a"], label="c")
    assert (columns.text, columns.labels, columns.announcements) == (("b", "a"), ("c",), ())
    assert infer_columns(rows, answers="texts", text="a", label=["c", "summary"]).labels == ("c", "summary")
    assert infer_columns(table({"text": DOCUMENT}), answers="texts", need_label=False).labels == ()


@pytest.mark.parametrize(
    ("row", "options", "what"),
    [
        ({"text": DOCUMENT, "topic": "a"}, {}, "no column is called like summaries"),
        ({"n": 3, "summary": SUMMARY}, {}, "no column is called like documents"),
        ({"text": DOCUMENT, "summary": 3}, {}, "holds integers .* not summaries"),
        ({"text": ["a", "b"], "summary": "a"}, {"text": "text"}, "holds lists or objects, not text"),
        ({"text": DOCUMENT}, {"text": "text", "label": "text"}, "cannot be both"),
        ({"text": DOCUMENT, "summary": "a"}, {"label": "sumary"}, "has no column 'sumary'"),
    ],
)
def test_what_cannot_be_told_is_asked(row: dict[str, Any], options: dict[str, Any], what: str) -> None:
    with pytest.raises(UserError, match=what) as caught:
        infer_columns(table(row, {**row}), answers="texts", **options)
    assert caught.value.fix


def found(rows: list[tuple[str, object]]) -> dict[str, Finding]:
    given = Table.from_rows([{"text": text, "summary": summary} for text, summary in rows])
    columns = infer_columns(given, answers="texts", text="text", label="summary")
    # The documents of these tests are all made from one.
    findings = run_checks(CheckInput({"all": given}, columns), only=set(CHECKS) - {"near-duplicates"})
    assert all(finding.fix for finding in findings)
    assert len({finding.message for finding in findings}) == len(findings)
    return {f"{finding.check}: {finding.message.partition(' %) ')[2][:22]}": finding for finding in findings}


def good(count: int) -> list[tuple[str, object]]:
    both = ((DOCUMENT, SUMMARY), (文档, 摘要))
    return [(f"{both[row % 2][0]} Number {row}.", f"{both[row % 2][1]} {row}") for row in range(count)]


def test_good_rows_pass() -> None:
    assert found(good(30)) == {}
    # People sum up the same text in different words.
    assert found([(DOCUMENT, f"{SUMMARY} {row}") for row in range(5)]) == {}
    assert "exact-duplicates: " in found([(DOCUMENT, SUMMARY)] * 2)


def test_summaries_of_other_documents_are_told() -> None:
    rows = good(30)
    rows[4] = (DOCUMENT, "Parliament passed its budget after long talks between five parties.")
    rows[7] = (文档, "议会经过多轮谈判终于通过了年度预算案。")
    one = found(rows)
    ((name, finding),) = one.items()
    assert name == "summaries: have summaries with fe"
    assert (finding.severity, finding.rows) == ("error", (4, 7))
    assert "row 4: 'Parliament" in finding.message
    assert found([*rows, *good(60)[30:]])[name].severity == "warning"


def test_documents_and_summaries_of_the_wrong_size_are_told() -> None:
    rows: list[tuple[str, object]] = [
        *good(30),
        (SUMMARY, SUMMARY),
        ("Only one here to be taken, my dear.", "one here"),
    ]
    rows.append(("店铺失火没有人受伤", f'["{摘要}", "店铺失火没有人受伤了"]'))
    findings = found(rows)
    assert {name: (one.severity, one.rows) for name, one in findings.items()} == {
        "summaries: have summaries as long": ("warning", (30, 32)),
        "summaries: have documents of one ": ("info", (30, 31, 32)),
    }


def test_many_documents_of_one_sentence_are_a_warning() -> None:
    rows: list[tuple[str, object]] = [(f"a document of a single line number {row}", f"line {row}") for row in range(5)]
    assert found(rows)["summaries: have documents of one "].severity == "warning"


def test_an_empty_list_is_told() -> None:
    given = Table.from_rows([{"text": DOCUMENT, "summary": [SUMMARY]}, {"text": 文档, "summary": []}])
    columns = infer_columns(given, answers="texts")
    (finding,) = run_checks(CheckInput({"all": given}, columns), ["summaries"])
    assert (finding.rows, "empty list" in finding.message) == ((1,), True)


def test_cells_that_hold_no_summary_are_told_with_their_file() -> None:
    given = Table.from_rows([{"text": DOCUMENT, "summary": {"a": "b"}}], source="rows.jsonl")
    columns = infer_columns(given, answers="texts")
    with pytest.raises(UserError, match="row 0 has") as caught:
        run_checks(CheckInput({"all": given}, columns))
    assert caught.value.where == "rows.jsonl, column 'summary'"


def test_equal_documents_stay_in_one_split() -> None:
    rows = [{"text": f"{DOCUMENT} {row // 4}", "summary": f"{SUMMARY} {row}"} for row in range(80)]
    given = Table.from_rows(rows)
    splits = split_table(given, infer_columns(given, answers="texts"), fractions=[0.8, 0.1, 0.1], seed=0)
    of = {split: set(table.column("text")) for split, table in splits.items()}
    assert not of["train"] & of["test"]
    assert sum(map(len, splits.values())) == 80
