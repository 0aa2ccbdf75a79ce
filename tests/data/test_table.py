"""A table answers the same whether its rows are in memory or in a file, and is never changed."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from supertune.data import Table, read
from supertune.data.sources import spill
from supertune.data.storage import FileStorage, MemoryStorage
from supertune.errors import UserError

Write = Callable[[str, "str | bytes"], Path]

ROWS: list[dict[str, Any]] = [
    {"text": "很快，好吃 🍜", "label": 1, "score": 0.5, "ok": True, "tags": ["a", {"b": None}]},
    {"text": "tab\tand\nnewline", "label": 0, "score": 2, "ok": False, "tags": None},
    {"text": None, "label": None, "score": None, "ok": None, "tags": {}},
    {"text": "", "label": 3, "score": 1e300, "ok": True, "tags": [[1, 1.5], "1"]},
]


def many(count: int = 20_000) -> list[dict[str, Any]]:
    return [{"text": f"第 {row} 行 row", "label": row % 3} for row in range(count)]


def saved(write: Write, rows: list[dict[str, Any]], name: str = "rows.jsonl") -> Path:
    return write(name, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


def test_values_keep_their_json_type(write: Write, storage: str) -> None:
    table = read(saved(write, ROWS))
    assert isinstance(table.storage, MemoryStorage if storage == "memory" else FileStorage)
    assert list(table.rows()) == ROWS
    assert [type(value) for value in table.column("label")] == [int, int, type(None), int]
    assert [type(value) for value in table.column("ok")] == [bool, bool, type(None), bool]
    assert table.row(0) == ROWS[0]
    assert table.row(-1) == ROWS[-1]
    with pytest.raises(IndexError):
        table.row(4)


def test_text_digits_stay_text() -> None:
    assert Table.from_rows([{"label": "1"}, {"label": "02"}]).column("label") == ["1", "02"]


def test_memory_and_file_have_one_fingerprint(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    path = saved(write, [*ROWS, *many()])
    in_memory = read(path)
    monkeypatch.setattr(spill, "SPILL_BYTES", 0)
    in_file = read(path)
    assert type(in_memory.storage) is not type(in_file.storage)
    assert in_memory.fingerprint == in_file.fingerprint
    assert list(in_memory.rows()) == list(in_file.rows())


@pytest.mark.parametrize(
    "changed",
    [
        [{"text": "a", "label": 1}, {"text": "b", "label": 3}],
        [{"text": "a", "label": "1"}, {"text": "b", "label": "2"}],
        [{"text": "a", "label": 1.0}, {"text": "b", "label": 2.0}],
        [{"text": "b", "label": 2}, {"text": "a", "label": 1}],
        [{"text": "a", "class": 1}, {"text": "b", "class": 2}],
        [{"text": "a", "label": 1}],
        [{"text": "ab", "label": 1}, {"text": "", "label": 2}],
    ],
)
def test_fingerprint_tells_every_difference(changed: list[dict[str, Any]]) -> None:
    rows = [{"text": "a", "label": 1}, {"text": "b", "label": 2}]
    assert Table.from_rows(rows).fingerprint == Table.from_rows(list(rows)).fingerprint
    assert Table.from_rows(rows).fingerprint != Table.from_rows(changed).fingerprint


def test_fingerprint_does_not_depend_on_how_arrow_stores_text() -> None:
    texts = ["a", "b", "a"]
    tables = [pa.table({"text": array}) for array in (pa.array(texts), pa.array(texts, pa.large_string()))]
    tables.append(pa.table({"text": pa.array(texts).dictionary_encode()}))
    tables.append(pa.concat_tables([tables[0].slice(0, 1), tables[0].slice(1)]))
    assert len({Table.from_arrow(table, source="t").fingerprint for table in tables}) == 1


def test_select_copies_nothing_and_keeps_row_ids(write: Write, storage: str) -> None:
    rows = many()
    table = read(saved(write, rows))
    chosen = table.select([19_999, 5, 5, 12_000], step="sample", parameters={"seed": 1}, reason="because")
    again = chosen.select([3, 0], step="again")
    assert chosen.row_ids.tolist() == [19_999, 5, 5, 12_000]
    assert [row["text"] for row in chosen.rows()] == [rows[i]["text"] for i in (19_999, 5, 5, 12_000)]
    assert again.row_ids.tolist() == [12_000, 19_999]
    assert again.row(1) == rows[19_999]
    assert again.storage is table.storage
    assert [(step.name, step.rows_in, step.rows_out) for step in again.lineage] == [
        ("read", 20_000, 20_000),
        ("sample", 20_000, 4),
        ("again", 4, 2),
    ]
    assert again.lineage[1].reason == "because"
    assert len(table) == 20_000
    assert list(table.select([], step="none").rows()) == []
    with pytest.raises(IndexError):
        table.select([20_000], step="beyond")
    with pytest.raises(IndexError):
        table.select([-1], step="before")


@given(data=st.data(), size=st.integers(1, 40))
@settings(max_examples=40, deadline=None)
def test_batches_are_the_rows_in_order(
    data: st.DataObject, size: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    rows = many(100)
    path = tmp_path_factory.mktemp("ipc") / "rows.arrow"
    whole = pa.Table.from_pylist(rows)
    with pa.ipc.new_file(str(path), whole.schema) as writer:
        writer.write_table(whole, max_chunksize=7)
    in_file = Table(FileStorage(path, (7,) * 14 + (2,)), Table.from_rows(rows).origin)
    indices = data.draw(st.lists(st.integers(0, 99), max_size=60))
    selected = in_file.select(indices, step="x")
    assert [value for batch in in_file.batches(size) for value in batch["text"]] == [row["text"] for row in rows]
    batches = list(selected.batches(size))
    assert [value for batch in batches for value in batch["text"]] == [rows[i]["text"] for i in indices]
    assert all(len(batch["text"]) == size for batch in batches[:-1])
    assert selected.fingerprint == Table.from_rows(rows).select(indices, step="x").fingerprint


def test_texts_join_the_columns() -> None:
    table = Table.from_rows(
        [{"title": "标题", "body": "正文"}, {"title": None, "body": "only"}, {"title": "  ", "body": None}]
    )
    assert list(table.texts(("title", "body"))) == ["标题\n正文", "only", ""]


def test_row_ids_cannot_be_changed() -> None:
    table = Table.from_arrow(pa.table({"text": ["a", "b"]}), source="t", row_ids=np.array([7, 9]))
    assert table.select([1], step="x").row_ids.tolist() == [9]
    with pytest.raises(ValueError, match="read-only"):
        table.row_ids[0] = 1


def test_a_table_can_be_sent_to_another_process(write: Write, storage: str) -> None:
    table = read(saved(write, many(100))).select([3, 1], step="x")
    assert list(pickle.loads(pickle.dumps(table)).rows()) == list(table.rows())


def test_unknown_column_is_told_with_the_ones_there_are() -> None:
    with pytest.raises(UserError, match=r"no column 'txt'.*'text'"):
        Table.from_rows([{"text": "a"}]).column("txt")


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"label": 1}, {"label": "1"}], r"column 'label': mixes integers and text: row 0 is 1 but row 1 is \"1\""),
        ([{"label": True}, {"label": 0}], "mixes true/false and integers"),
        ([{"label": "a"}, {"label": ["a"]}], "mixes text and lists or objects"),
        ([{"label": b"a"}], "type bytes"),
        ([{1: "a"}], "column name 1 is not text"),
        ([{" ": "a"}], "column 1 has no name"),
    ],
)
def test_what_no_column_can_hold_is_refused(rows: list[dict[Any, Any]], message: str) -> None:
    with pytest.raises(UserError, match=message):
        Table.from_rows(rows)
