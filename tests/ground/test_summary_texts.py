"""How summaries are written down in cells, and documents put together from columns."""

from __future__ import annotations

from typing import Any

import pytest

from supertune.contracts import Columns
from supertune.data import Table
from supertune.errors import UserError
from supertune.summary_texts import Summarised, in_cell, summarised_of


@pytest.mark.parametrize(
    ("value", "summaries"),
    [
        ("a summary", ["a summary"]),
        (["one", "another"], ["one", "another"]),
        ('["one", "另一个"]', ["one", "另一个"]),
        ("[sic] he said", ["[sic] he said"]),
        ("[1, 2]", ["[1, 2]"]),
        (["one", None, " "], ["one"]),
        ([], []),
        (None, []),
        (" \u200b", []),
        (float("nan"), []),
    ],
)
def test_cells(value: object, summaries: list[str]) -> None:
    assert in_cell(value) == summaries


@pytest.mark.parametrize("value", [3, 2.5, True, {"text": "a"}, [1], [["a"]]])
def test_what_is_no_summary(value: object) -> None:
    with pytest.raises(ValueError, match="which is no summary"):
        in_cell(value)


def test_points_are_lines_of_one_summary() -> None:
    assert in_cell(["first", "second"], of_points=True) == ["first\nsecond"]
    rows = Table.from_rows([{"article": "a", "highlights": ["first", "second"]}, {"article": "b", "highlights": []}])
    found = list(summarised_of(rows, Columns(("article",), ("highlights",), answers="texts")))
    assert [one.summaries for one in found] == [("first\nsecond",), None]


def test_rows_with_several_columns() -> None:
    rows: list[dict[str, Any]] = [{"title": "T", "body": "So it is. Yes.", "one": "x", "two": "y"}]
    columns = Columns(("title", "body"), ("one", "two"), answers="texts")
    assert list(summarised_of(Table.from_rows(rows), columns)) == [Summarised("T\nSo it is. Yes.", ("x", "y"))]
    assert list(summarised_of(Table.from_rows([{"title": "T", "body": None}]), columns)) == [Summarised("T", None)]
    assert Summarised("T\nSo it is. Yes.", None).units("sentence") == ["T", "So it is.", "Yes."]
    assert Summarised("T\nSo it is. Yes.", None).units("line") == ["T", "So it is. Yes."]


def test_the_row_and_the_column_of_a_cell_without_a_summary_are_told() -> None:
    rows = Table.from_rows([{"text": "a", "summary": ["b"]}, {"text": "a", "summary": ["b"]}]).select([1], step="x")
    bad = Table.from_rows([{"text": "a", "summary": {"a": "b"}}, {"text": "a", "summary": {"a": "c"}}])
    columns = Columns(("text",), ("summary",), answers="texts")
    assert len(list(summarised_of(rows, columns))) == 1
    with pytest.raises(UserError, match="row 0 has") as caught:
        list(summarised_of(bad, columns))
    assert caught.value.where == "column 'summary'"
