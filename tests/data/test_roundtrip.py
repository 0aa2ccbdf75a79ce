"""Any table of Unicode text, written as any kind of file, is read back value for value."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from supertune.data import read

SETTINGS = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

# Every character but lone surrogates, which no encoding has.
TEXT = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=30),
    st.text(st.sampled_from("a,;\t|\"'\n\r\\ 很快，“好”！\ufeff\u2028😀=1"), max_size=20),
)
WITHOUT_NUL = TEXT.map(lambda text: text.replace("\0", ""))
# XML 1.0 has no control characters; the reader takes a cell of nothing but spaces for an empty one.
FOR_EXCEL = TEXT.map(lambda text: "".join(c for c in text if c >= " " and c not in "\x7f\ufffe\uffff")).map(
    lambda text: text if text.strip() else ""
)


def pairs(text: st.SearchStrategy[str]) -> st.SearchStrategy[list[tuple[str, str]]]:
    return st.lists(st.tuples(text, text), min_size=1, max_size=12)


def expected(rows: list[tuple[str, str]]) -> list[dict[str, Any]]:
    """A row of plain words keeps the columns text; an empty cell is a missing value."""
    return [{"text": a or None, "label": b or None} for a, b in [*rows, ("word", "word")]]


@pytest.mark.parametrize("delimiter", [",", "\t", ";", "|"])
@pytest.mark.parametrize(("quoting", "end"), [(csv.QUOTE_MINIMAL, "\r\n"), (csv.QUOTE_ALL, "\n")])
@given(rows=pairs(WITHOUT_NUL))
@SETTINGS
def test_csv(tmp_path: Path, delimiter: str, quoting: Any, end: str, rows: list[tuple[str, str]]) -> None:
    path = tmp_path / "a.csv"
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, delimiter=delimiter, quoting=quoting, lineterminator=end)
        writer.writerows([("text", "label"), *rows, ("word", "word")])
    assert list(read(path).rows()) == expected(rows)


@pytest.mark.parametrize("codec", ["utf-8", "utf-16", "gb18030"])
@given(rows=pairs(WITHOUT_NUL))
@SETTINGS
def test_csv_in_other_encodings(tmp_path: Path, codec: str, rows: list[tuple[str, str]]) -> None:
    path = tmp_path / "a.csv"
    chinese = [("这家店的东西很好吃，下次还会再来的", "好评")] * 20
    with path.open("w", encoding=codec, newline="") as stream:
        csv.writer(stream).writerows([("text", "label"), *chinese, *rows, ("word", "word")])
    assert list(read(path).rows()) == expected([*chinese, *rows])


@given(rows=pairs(TEXT), ascii_only=st.booleans())
@SETTINGS
def test_json(tmp_path: Path, rows: list[tuple[str, str]], ascii_only: bool) -> None:
    records = [{"text": a, "label": b} for a, b in rows]
    lines, document = tmp_path / "a.jsonl", tmp_path / "a.json"
    lines.write_text(
        "".join(json.dumps(record, ensure_ascii=ascii_only) + "\n" for record in records), encoding="utf-8", newline=""
    )
    document.write_text(json.dumps(records, ensure_ascii=ascii_only, indent=1), encoding="utf-8", newline="")
    assert list(read(lines).rows()) == records
    assert list(read(document).rows()) == records


JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)


@given(values=st.lists(st.none() | st.lists(JSON_VALUES, max_size=4), min_size=1, max_size=5))
@SETTINGS
def test_nested_json_is_kept_as_it_is(tmp_path: Path, values: list[Any]) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps({"v": value}) + "\n" for value in values), encoding="utf-8", newline="")
    read_back = read(path).column("v")
    assert json.dumps(read_back) == json.dumps(values)


@given(rows=pairs(TEXT))
@SETTINGS
def test_parquet(tmp_path: Path, rows: list[tuple[str, str]]) -> None:
    records = [{"text": a, "label": b} for a, b in rows]
    pq.write_table(pa.Table.from_pylist(records), tmp_path / "a.parquet")
    assert list(read(tmp_path / "a.parquet").rows()) == records


@given(rows=pairs(FOR_EXCEL))
@settings(SETTINGS, max_examples=15)
def test_excel(tmp_path: Path, rows: list[tuple[str, str]]) -> None:
    book = openpyxl.Workbook()
    for number, row in enumerate([("text", "label"), *rows, ("word", "word")], start=1):
        for column, value in enumerate(row, start=1):
            cell = book.active.cell(number, column)
            cell.value = value
            cell.data_type = "s"
    book.save(tmp_path / "a.xlsx")
    book.close()
    filled = [row for row in rows if any(row)]
    assert list(read(tmp_path / "a.xlsx").rows()) == expected(filled)
