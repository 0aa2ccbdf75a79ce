"""CSV and its relatives: dialects found, values kept, bad rows named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from supertune.data import Table, read
from supertune.errors import UserError

Write = Callable[[str, "str | bytes"], Path]


def rows_of(table: Table) -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for row in table.rows()]


def refusal(path: Path, **options: Any) -> str:
    with pytest.raises(UserError) as caught:
        read(path, **options)
    return caught.value.message


# ---------------------------------------------------------------- dialects


@pytest.mark.parametrize(
    ("name", "delimiter", "told"),
    [
        ("a.csv", ",", 0),
        ("a.tsv", "\t", 0),
        ("a.csv", ";", 1),
        ("a.csv", "\t", 1),
        ("a.txt", "|", 1),
        ("a.txt", "\t", 1),
    ],
)
def test_delimiters(write: Write, name: str, delimiter: str, told: int) -> None:
    content = 'text|label\n"commas, and; semicolons\tand | pipes"|1\n第二行，好|0\n'
    quoted, rest = content.split('"')[1], content.split('"')
    content = rest[0].replace("|", delimiter) + f'"{quoted}"' + rest[2].replace("|", delimiter)
    table = read(write(name, content))
    assert rows_of(table) == [(quoted, 1), ("第二行，好", 0)]
    assert len(table.notes) == told


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends_and_quotes(write: Write, end: str) -> None:
    content = f'text,label{end}"two{end}lines, ""quoted""",a{end}{end}plain,b{end}"",c'
    table = read(write("a.csv", content))
    assert rows_of(table) == [(f'two{end}lines, "quoted"', "a"), ("plain", "b"), (None, "c")]


def test_tab_files_with_quotes_that_enclose_nothing(write: Write) -> None:
    table = read(write("a.tsv", 'text\tlabel\n"Hello" he said\t1\n"unclosed\t0\n5" screen\t1\n'))
    assert table.column("text") == ['"Hello" he said', '"unclosed', '5" screen']
    assert "quotes" in table.notes[0]


def test_one_column(write: Write) -> None:
    assert read(write("a.csv", 'text\nhello, world\n"quoted, ""x"""\n')).column("text") == [
        "hello, world",
        'quoted, "x"',
    ]
    assert read(write("a.txt", "文本\n你好\n")).column("文本") == ["你好"]


def test_blank_lines_are_not_rows(write: Write) -> None:
    table = read(write("a.csv", "\n\ntext,label\n\na,1\n   \nb,2\n\n"))
    assert rows_of(table) == [("a", 1), ("b", 2)]
    assert table.row_ids.tolist() == [0, 1]


def test_unusual_line_separators_belong_to_the_text(write: Write) -> None:
    text = "a\u2028b\x0bc\x85d\x1ce"
    assert read(write("a.csv", f"text,label\n{text},1\n")).column("text") == [text]


def test_huge_cells(write: Write) -> None:
    huge = "很长" * 1_000_000
    table = read(write("a.csv", f'text,label\n"{huge}\n",1\nshort,0\n'))
    assert table.row(0)["text"] == huge + "\n"


# ---------------------------------------------------------------- types


@pytest.mark.parametrize(
    ("cells", "values"),
    [
        (["1", "-2", "0"], [1, -2, 0]),
        (["1", "", "3"], [1, None, 3]),
        (["007", "8"], ["007", "8"]),
        (["1e5", "2"], ["1e5", "2"]),
        (["+86", "1"], ["+86", "1"]),
        (["-0", "1"], ["-0", "1"]),
        ([" 1", "2"], [" 1", "2"]),
        (["１", "２"], ["１", "２"]),
        (["13800138000", "13900139000"], [13800138000, 13900139000]),
        (["9223372036854775807", "1"], [9223372036854775807, 1]),
        (["9223372036854775808", "1"], ["9223372036854775808", "1"]),
        (["0.5", "1"], [0.5, 1.0]),
        (["5.00", "3.80"], [5.0, 3.8]),
        (["0.12345678901234567890", "1"], ["0.12345678901234567890", "1"]),
        (["1.2.3", "1.0"], ["1.2.3", "1.0"]),
        (["nan", "1.0"], ["nan", "1.0"]),
        (["true", "false"], [True, False]),
        (["True", "", "False"], [True, None, False]),
        (["true", "False"], ["true", "False"]),
        (["true", "1"], ["true", "1"]),
        (["", "NA"], [None, "NA"]),
    ],
)
def test_cells_become_what_they_are_written_as(write: Write, cells: list[str], values: list[Any]) -> None:
    table = read(write("a.csv", "text,value\n" + "".join(f"t,{cell}\n" for cell in cells)))
    assert table.column("value") == values
    assert [type(value) for value in table.column("value")] == [type(value) for value in values]


# ---------------------------------------------------------------- headers


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("1,很快\n0,很慢\n", "'1' is a number"),
        ("很好吃，下次还来。,好评\n太慢了,差评\n", "is a sentence"),
        ("What a lovely day it was!,pos\nmeh,neg\n", "is a sentence"),
        ("good,pos\nbad,neg\nfine,pos\nok,pos\n", "'pos' is also a value of 2 of the rows"),
        ("x" * 70 + ",a\nb,c\n", "too long for a name"),
    ],
)
def test_a_file_without_header_is_refused_with_advice(write: Write, content: str, message: str) -> None:
    told = refusal(write("a.csv", content))
    assert message in told
    assert "a.csv, line 1" in told
    assert "add a first line" in told


def test_known_names_are_a_header_whatever_stands_below(write: Write) -> None:
    table = read(write("a.csv", "评论,spam\n好吃,spam\n不好,spam\n还行,ham\n"))
    assert table.column_names == ("评论", "spam")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("text,text\na,b\n", "two columns are named 'text'"),
        (",text,label\n0,a,b\n", "column 1 has no name"),
        ("text,label\n", "no rows"),
        ("text,label", "no rows"),
        ('"text"x,label\na,b\n', "header cannot be read"),
    ],
)
def test_bad_headers(write: Write, content: str, message: str) -> None:
    assert message in refusal(write("a.csv", content))


def test_prose_is_not_a_table(write: Write) -> None:
    assert "plain text, not a table" in refusal(write("a.txt", "Once upon a time\nthere was a text\n"))


def test_lines_of_plain_text_are_read_below_a_line_that_says_text(write: Write) -> None:
    letters = "Dear Anna, the parcel, which was late, has come.\nDear Ben, the lamp is broken, I am afraid.\n"
    assert "text alone, if every line is a text" in refusal(write("a.txt", letters))
    assert "text alone" not in refusal(write("a.csv", letters))
    table = read(write("b.txt", f"text\n{letters}"))
    assert [row["text"] for row in table.rows()] == letters.splitlines()


# ---------------------------------------------------------------- bad rows


def test_bad_rows_are_listed_and_counted(write: Write) -> None:
    bad = "".join(f"too,many,cells{row}\n" for row in range(6))
    path = write("a.csv", 'text,label\ngood,1\n"two\nlines",0\n' + bad + "only\ngood,1\n")
    told = refusal(path)
    assert str(path) in told
    assert "7 malformed rows" in told
    assert "row 2 (line 5): has 3 cells, the header has 2" in told
    assert "row 6 (line 9)" in told
    assert "row 7" not in told
    assert "and 2 more" in told
    assert "--on-bad-row skip" in told


def test_skipping_keeps_the_numbers_of_the_others(write: Write, storage: str) -> None:
    path = write("a.csv", 'text,label\ngood,1\na,b,c\n"x"y,1\nfine,0\nnul\0,1\nlast,1\n')
    table = read(path, on_bad_row="skip")
    assert rows_of(table) == [("good", 1), ("fine", 0), ("last", 1)]
    assert table.row_ids.tolist() == [0, 3, 5]
    assert table.bad_row_count == 3
    assert [(bad.row, bad.line) for bad in table.bad_rows] == [(1, 3), (2, 4), (4, 6)]
    assert "closing quote" in table.bad_rows[1].reason
    assert "NUL" in table.bad_rows[2].reason
    assert "skipped 3 malformed rows of 6, the first at row 1 (line 3)" in table.notes[0]
    assert table.lineage[0].rows_in == 6


def test_a_quote_never_closed_is_an_error_even_when_skipping(write: Write) -> None:
    path = write("a.csv", 'text,label\ngood,1\n"open,1\nmore,0\nrows,0\n')
    told = refusal(path, on_bad_row="skip")
    assert "row 1 opens a double quote that is never closed" in told
    assert "line 3" in told


def test_no_good_row_at_all(write: Write) -> None:
    assert "no row can be read" in refusal(write("a.csv", "text,label\na,b,c\n"), on_bad_row="skip")


def test_bad_rows_far_down(write: Write) -> None:
    good = "".join(f"a text,{row % 2}\n" for row in range(50_000))
    table = read(write("a.csv", "text,label\n" + good + "bad\n" + good), on_bad_row="skip")
    assert len(table) == 100_000
    assert [(bad.row, bad.line) for bad in table.bad_rows] == [(50_000, 50_002)]
    assert table.row_ids[[49_999, 50_000]].tolist() == [49_999, 50_001]


def test_progress_reaches_the_end(write: Write) -> None:
    seen: list[tuple[int, float | None]] = []
    read(write("a.csv", "text,label\n" + "x,1\n" * 20_000), progress=lambda rows, part: seen.append((rows, part)))
    assert seen[-1][0] == 20_000
    assert seen[-1][1] == pytest.approx(1.0)
    assert [rows for rows, _ in seen] == sorted(rows for rows, _ in seen)
