"""JSON Lines and JSON documents, read strictly."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from supertune.data import read
from supertune.errors import UserError

Write = Callable[[str, "str | bytes"], Path]


def refusal(path: Path, **options: Any) -> str:
    with pytest.raises(UserError) as caught:
        read(path, **options)
    return caught.value.message


# ---------------------------------------------------------------- lines


def test_blank_lines_byte_order_mark_and_missing_keys(write: Write, storage: str) -> None:
    content = '\ufeff{"text": "你好"}\n\n  \r\n{"label": 1, "text": "b"}\r\n{}\n'
    table = read(write("a.jsonl", content))
    assert list(table.rows()) == [
        {"text": "你好", "label": None},
        {"text": "b", "label": 1},
        {"text": None, "label": None},
    ]
    assert table.row_ids.tolist() == [0, 1, 2]


def test_line_separators_inside_text_do_not_end_a_line(write: Write) -> None:
    assert read(write("a.jsonl", '{"text": "a\u2028b\x85c"}\n')).column("text") == ["a\u2028b\x85c"]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('{"text": "a"', "is not valid JSON: expecting ',' delimiter where it ends"),
        ('{"text": "a"} {"text": "b"}', "after the end of the JSON value"),
        ('{"text": "a"},', "has ',' after the end"),
        ('{"text": NaN}', "NaN, which is not JSON"),
        ('{"text": -Infinity}', "-Infinity, which is not JSON"),
        ('{"nested": [NaN]}', "NaN"),
        ('{"text": 1e999}', "the number in 'text' is too large"),
        ('{"text": "a", "text": "b"}', "has the key 'text' twice"),
        ('{"text": "a", "x": {"k": 1, "k": 2}}', "has the key 'k' twice"),
        ('["a", "b"]', "is a list, not an object"),
        ('"a"', "is text, not an object"),
        ("null", "is null, not an object"),
        ("true", "is true or false, not an object"),
        ('{"text": "\\ud83d"}', "half of a surrogate pair"),
        ('{"\\ud83d": "x"}', "half of a surrogate pair"),
        ('{"x": ["\\ud83d"]}', "half of a surrogate pair"),
        ('{"id": 123456789012345678901234567890}', "does not fit 64 bits"),
        ("{'text': 'a'}", "is not valid JSON"),
        ("[" * 100_000, "nested too deeply"),
        ('{"id": ' + "9" * 5_000 + "}", "thousands of digits"),
    ],
)
def test_bad_lines_are_named(write: Write, line: str, reason: str) -> None:
    good = '{"other": "good"}\n'
    path = write("a.jsonl", good + line + "\n" + good)
    told = refusal(path)
    assert f"row 1 (line 2): {reason}" in told or (reason in told and "row 1 (line 2)" in told)
    table = read(path, on_bad_row="skip")
    assert table.column("other") == ["good", "good"]
    assert table.row_ids.tolist() == [0, 2]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (['{"label": "a"}', '{"label": 1}'], 'mixes text and integers: row 0 (line 1) is "a" but row 1 (line 2) is 1'),
        (['{"label": true}', '{"label": 1}'], "mixes true/false and integers"),
        (['{"label": {}}', '{"label": "x"}'], "mixes lists or objects and text"),
        (['{"label": null}', '{"label": 1.5}', '{"label": "x"}'], "mixes numbers and text"),
    ],
)
def test_mixed_types_name_both_rows(write: Write, rows: list[str], message: str) -> None:
    told = refusal(write("a.jsonl", "\n".join(rows)), on_bad_row="skip")
    assert message in told
    assert "column 'label'" in told


def test_mixed_types_far_apart_name_both_rows(write: Write, storage: str) -> None:
    lines = ['{"label": 1}'] * 20_000 + ['{"label": "x"}']
    assert 'row 0 (line 1) is 1 but row 20000 (line 20001) is "x"' in refusal(write("a.jsonl", "\n".join(lines)))


def test_large_integers_do_not_lose_digits_beside_fractions(write: Write) -> None:
    path = write("a.jsonl", '{"x": 9007199254740993}\n{"x": 0.5}\n')
    assert "too large to be exact" in refusal(path)
    lines = ['{"x": 9007199254740993}'] + ['{"x": null}'] * 9000 + ['{"x": 0.5}']
    assert "too large to be exact" in refusal(write("b.jsonl", "\n".join(lines)))


@pytest.mark.parametrize("content", ["\n\n", " "])
def test_no_rows(write: Write, content: str) -> None:
    assert "no rows" in refusal(write("a.jsonl", content))


def test_empty_file(write: Write) -> None:
    assert "is empty" in refusal(write("a.jsonl", ""))


def test_objects_without_keys(write: Write) -> None:
    assert "without any keys" in refusal(write("a.jsonl", "{}\n{}\n"))


# ---------------------------------------------------------------- documents

ROWS = [{"text": '你好 {["\\', "label": 1}, {"text": "b", "label": None}, {"text": None, "label": 3}]


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize(
    "document",
    [
        ROWS,
        {"text": [row["text"] for row in ROWS], "label": [row["label"] for row in ROWS]},
        {"data": ROWS},
        {"version": "1.0", "data": ROWS},
        {"rows": ROWS},
    ],
    ids=["list", "columns", "data", "data and version", "single key"],
)
def test_shapes(write: Write, storage: str, document: object, indent: int | None) -> None:
    assert list(read(write("a.json", json.dumps(document, ensure_ascii=False, indent=indent))).rows()) == ROWS


def test_lists_longer_than_a_block_are_read_item_by_item(write: Write) -> None:
    rows = [{"text": "长" * (row % 50), "label": row} for row in range(20_000)]
    rows.insert(7_000, {"text": "x" * 3_000_000, "label": -1})
    table = read(write("a.json", json.dumps(rows, ensure_ascii=False, indent=1)))
    assert list(table.rows()) == rows


def test_json_lines_under_the_name_of_json(write: Write) -> None:
    table = read(write("a.json", '{"text": "a"}\n{"text": "b"}\n'))
    assert table.column("text") == ["a", "b"]
    assert "JSON Lines" in table.notes[0]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[]", "no rows"),
        ('{"data": []}', "no rows"),
        ('[{"text": "a"}', "line 1: the list is not closed"),
        ('[{"text": "a"},\n{"text": "b"}\n{"text": "c"}]', "line 3: a comma or ] is missing"),
        ('[{"text": "a"},\n{"text": "b" "c"}]', "line 2: is not valid JSON"),
        ('[{"text": "a"},\n{"text": "b', "line 2: is not valid JSON"),
        ('[{"text": "a"},]', "is not valid JSON"),
        ('[{"text": "a"}] x', "something follows the end"),
        ('{"text": "a"', "is not valid JSON"),
        ('{"text": "a", "label": "b"}', "one object, not a table"),
        ('{"text": ["a"], "label": [1, 2]}', "'text' has 1, 'label' has 2"),
        ("just words", "begins with neither"),
        ("  ", "begins with neither"),
        ('[{"text": "a"}, 5]', "row 1 (line 1): is not an object"),
        ('[{"text": "a"},\n\n{"text": NaN}]', "row 1 (line 3): holds NaN"),
        ('[{"a": 1, "a": 2}]', "row 0 (line 1): has the key 'a' twice"),
    ],
)
def test_bad_documents(write: Write, content: str, message: str) -> None:
    told = refusal(write("a.json", content))
    assert message in told
    assert "a.json" in told


def test_bad_items_of_a_list_can_be_skipped(write: Write) -> None:
    table = read(write("a.json", '[{"text": "a"}, 5, {"text": NaN}, {"text": "b"}]'), on_bad_row="skip")
    assert table.column("text") == ["a", "b"]
    assert table.row_ids.tolist() == [0, 3]
