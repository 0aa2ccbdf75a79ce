"""Encodings are decided over the whole file, and every choice but UTF-8 is told."""

from __future__ import annotations

import codecs
import gzip
from collections.abc import Callable
from pathlib import Path

import pytest

from supertune.data import read
from supertune.errors import UserError

Write = Callable[[str, "str | bytes"], Path]

CHINESE = "text,label\n很快，好吃，味道足，量大,1\n没有送水没有送水没有送水,0\n“不错”——下次还来！,1\n"
TRADITIONAL = "text,label\n這個東西很貴，但是品質還不錯,1\n送貨員態度惡劣，湯灑了一半,0\n"
FRENCH = "texte,label\nLe café était très agréable à goûter,1\nDéçu : ça a brûlé, hélas… naïveté créée,0\n"
MIXED = "text,label\niPhone 屏幕坏了 help!,1\nOK,0\n"
ROWS = {"zh": CHINESE, "zh-Hant": TRADITIONAL, "mixed": MIXED}


def columns_of(path: Path) -> list[str]:
    table = read(path)
    return [",".join(map(str, row.values())) for row in table.rows()]


@pytest.mark.parametrize("content", ROWS.values(), ids=ROWS)
@pytest.mark.parametrize(
    ("codec", "note"),
    [
        ("utf-8", None),
        ("utf-8-sig", None),
        ("utf-16", "UTF-16"),
        ("utf-16-le", "UTF-16-LE"),
        ("utf-16-be", "UTF-16-BE"),
        ("utf-32", "UTF-32"),
        ("gb18030", "GB18030"),
    ],
)
def test_unicode_and_chinese_encodings(write: Write, content: str, codec: str, note: str | None) -> None:
    path = write("a.csv", content.encode(codec))
    table = read(path)
    assert columns_of(path) == content.splitlines()[1:]
    assert table.column_names == ("text", "label")
    assert len(table.notes) == (1 if note else 0)
    assert note is None or note in table.notes[0]


@pytest.mark.parametrize("codec", ["utf-16-be", "utf-16-le"])
def test_utf16_with_each_mark(write: Write, codec: str) -> None:
    mark = codecs.BOM_UTF16_BE if codec == "utf-16-be" else codecs.BOM_UTF16_LE
    assert columns_of(write("a.csv", mark + CHINESE.encode(codec))) == CHINESE.splitlines()[1:]


@pytest.mark.parametrize("repeat", [1, 200])
def test_french_is_not_taken_for_chinese(write: Write, repeat: int) -> None:
    header, *rows = FRENCH.replace("brûlé, ", "brûlé ").splitlines(keepends=True)
    content = header + "".join(rows) * repeat
    table = read(write("a.csv", content.encode("cp1252")))
    assert table.row(0)["texte"] == "Le café était très agréable à goûter"
    assert table.row(1)["texte"].endswith("hélas… naïveté créée")
    assert "Windows-1252" in table.notes[0]
    assert "last resort" in table.notes[0]


def test_latin1_where_windows_1252_is_impossible(write: Write) -> None:
    table = read(write("a.csv", "text,label\ncaf\xe9 \x81\xe9\xe8,1\n".encode("latin-1")))
    assert table.row(0)["text"] == "caf\xe9 \x81\xe9\xe8"
    assert "Latin-1" in table.notes[0]


def test_russian_in_eight_bits_is_not_taken_for_chinese(write: Write) -> None:
    content = "text,label\n" + "доставка была очень быстрой и вежливой,1\nвсё сломалось на второй день,0\n" * 20
    assert read(write("a.csv", content.encode("cp1251"))).notes[0].startswith("read as Windows-1252, the last resort")


def test_the_end_of_a_large_file_counts(write: Write) -> None:
    """Two megabytes of ASCII before the first other character."""
    ascii_rows = "a plain line of text,1\n" * 90_000
    table = read(write("a.csv", ("text,label\n" + ascii_rows + "好吃,0\n").encode("gb18030")))
    assert table.row(-1) == {"text": "好吃", "label": 0}


def test_a_few_bad_bytes_are_bad_rows_and_not_another_encoding(write: Write) -> None:
    good = "很快，好吃\n好的\n".encode()
    path = write("a.csv", b"text\n" + good + b"caf\xe9\n" + good + "半个字".encode()[:-1])
    with pytest.raises(UserError, match=r"2 malformed rows\n.*row 2 \(line 4\): .*0xE9"):
        read(path)
    table = read(path, on_bad_row="skip")
    assert table.column("text") == ["很快，好吃", "好的"] * 2
    assert table.row_ids.tolist() == [0, 1, 3, 4]
    assert [(bad.row, bad.line) for bad in table.bad_rows] == [(2, 4), (5, 7)]


def test_a_few_bad_bytes_in_gb18030(write: Write) -> None:
    lines = "".join(f"很快，好吃{row}\n" for row in range(20)).encode("gb18030")
    path = write("a.csv", b"text\n" + lines + b"x\xff\n" + lines)
    with pytest.raises(UserError, match=r"1 malformed row\n.*row 20 \(line 22\): .*0xFF"):
        read(path)
    assert len(read(path, on_bad_row="skip")) == 40


def test_json_lines_in_gb18030_and_utf16(write: Write) -> None:
    for codec in ("gb18030", "utf-16", "utf-8-sig"):
        content = '{"text": "很快，好吃，味道足"}\n{"text": "没有送水没有送水"}\n'
        assert read(write("a.jsonl", content.encode(codec))).column("text") == [
            "很快，好吃，味道足",
            "没有送水没有送水",
        ]


def test_gzip(write: Write) -> None:
    assert columns_of(write("a.csv.gz", gzip.compress(CHINESE.encode("gb18030")))) == CHINESE.splitlines()[1:]
    assert read(write("a.jsonl.gz", gzip.compress(b'{"text": "a"}\n'))).column("text") == ["a"]
    with pytest.raises(UserError, match="damaged or incomplete gzip"):
        read(write("cut.csv.gz", gzip.compress(CHINESE.encode() * 500)[:-30]))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"\n \n", "holds no text"),
        (b"PK\x03\x04" + b"\0" * 100, "Excel workbook"),
        (b"\x89PNG\r\n\x1a\n" + bytes(range(256)), "a PNG picture"),
        (bytes(range(256)) * 20, "control bytes"),
        (codecs.BOM_UTF16_LE + "text\n很快".encode("utf-16-le")[:-1], r"row 0 \(line 2\): holds a byte"),
        ("\ufefftext\n".encode("utf-16-be") + b"\xd8\0\0a", "stops being UTF-16"),
        ("评论".encode()[:-1] + ",label\n很快，好吃,1\n".encode(), "name of column 1 holds a broken character"),
        (b"\xd0\xcf\x11\xe0" + b"\0" * 99, "an old Excel"),
    ],
)
def test_what_is_not_text_is_told(write: Write, content: bytes, message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        read(write("a.csv", content))
    assert "a.csv" in caught.value.message
