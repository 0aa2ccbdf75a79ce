"""Everything that is not delimited text or JSON, and finding out what a source is."""

from __future__ import annotations

import datetime
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import openpyxl
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from supertune.data import Table, read, read_splits
from supertune.data.storage import FileStorage
from supertune.errors import MissingExtraError, UserError

Write = Callable[[str, "str | bytes"], Path]


def refusal(source: Any, **options: Any) -> str:
    with pytest.raises(UserError) as caught:
        read(source, **options)
    return caught.value.message


# ---------------------------------------------------------------- Parquet


def test_parquet_keeps_types(tmp_path: Path, storage: str) -> None:
    rows = [
        {"text": "你好", "label": 1, "score": 0.5, "tags": ["a"], "day": datetime.date(2024, 1, 2)},
        {"text": None, "label": None, "score": 2.0, "tags": [], "day": None},
    ]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "a.parquet")
    table = read(tmp_path / "a.parquet")
    assert list(table.rows()) == rows
    assert isinstance(table.storage, FileStorage) == (storage == "file")


def test_parquet_of_many_row_groups_and_categories(tmp_path: Path, storage: str) -> None:
    values = pa.array([f"类{row % 3}" for row in range(30_000)]).dictionary_encode()
    pq.write_table(pa.table({"label": values}), tmp_path / "a.parquet", row_group_size=7_000)
    assert read(tmp_path / "a.parquet").column("label") == values.to_pylist()


def test_bad_parquet(tmp_path: Path, write: Write) -> None:
    assert "not a readable Parquet file" in refusal(write("a.parquet", b"PAR1 no"))
    assert "is empty" in refusal(write("b.parquet", b""))
    pq.write_table(pa.table({"text": pa.array([], pa.string())}), tmp_path / "c.parquet")
    assert "no rows" in refusal(tmp_path / "c.parquet")
    pq.write_table(pa.table({"text": ["x" * 1000] * 5000}), tmp_path / "d.parquet", compression="none")
    content = (tmp_path / "d.parquet").read_bytes()
    assert "Parquet" in refusal(write("e.parquet", content[:200]))


# ---------------------------------------------------------------- Excel


def workbook(path: Path, **sheets: list[list[Any]]) -> Path:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    book.save(path)
    book.close()
    return path


def test_excel(tmp_path: Path, storage: str) -> None:
    rows = [["text", "label", "score", "ok"], ["你好 🍜", 1, 0.5, True], [" two\nlines ", None, 2, False]]
    table = read(workbook(tmp_path / "a.xlsx", One=rows))
    assert list(table.rows()) == [
        {"text": "你好 🍜", "label": 1, "score": 0.5, "ok": True},
        {"text": " two\nlines ", "label": None, "score": 2.0, "ok": False},
    ]
    assert type(table.row(0)["label"]) is int
    assert table.notes == ()


def test_excel_sheets(tmp_path: Path) -> None:
    path = workbook(tmp_path / "a.xlsx", 数据=[["text"], ["a"]], Other=[["text"], ["b"]], Empty=[])
    table = read(path)
    assert table.column("text") == ["a"]
    assert "read the sheet '数据'; not read: 'Other', 'Empty'" in table.notes[0]
    assert read(path, sheet="Other").column("text") == ["b"]
    assert "name one of '数据', 'Other', 'Empty'" in refusal(path, sheet="other")
    assert "'Empty' is empty" in refusal(path, sheet="Empty")


def test_excel_gaps(tmp_path: Path) -> None:
    rows: list[list[Any]] = [[], ["text", None, "label"], ["a", None, 1], [], [None, None, 2]]
    table = read(workbook(tmp_path / "a.xlsx", One=rows))
    assert list(table.rows()) == [{"text": "a", "label": 1}, {"text": None, "label": 2}]
    rows[2][1] = "nameless"
    assert "has no name" in refusal(workbook(tmp_path / "b.xlsx", One=rows))


def test_excel_numbers_among_text_and_dates(tmp_path: Path) -> None:
    rows = [["text", "day"], ["好", datetime.datetime(2024, 1, 2, 3, 4)], [666, None], [1.5, None]]
    table = read(workbook(tmp_path / "a.xlsx", One=rows))
    assert table.column("text") == ["好", "666", "1.5"]
    assert table.column("day") == ["2024-01-02T03:04:00", None, None]
    assert "2 numbers among text read as text, the first in row 1" in table.notes[0]


def test_bad_excel(write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "not a readable Excel workbook" in refusal(write("a.xlsx", "text,label\na,1\n"))
    path = workbook(tmp_path / "b.xlsx", One=[["text", "label"]])
    assert "header but no rows" in refusal(path)
    monkeypatch.setitem(__import__("sys").modules, "python_calamine", None)
    with pytest.raises(MissingExtraError, match=r"supertune\[excel\]"):
        read(path)


def test_sheet_of_a_file_without_sheets(write: Write) -> None:
    assert "has no sheets" in refusal(write("a.csv", "text\na\n"), sheet="One")


# ---------------------------------------------------------------- folders


def test_folder_of_text_files(write: Write, tmp_path: Path, storage: str) -> None:
    write("d/好评/1.txt", "很好吃\r\n下次还来\n")
    write("d/好评/.hidden.txt", "no")
    write("d/差评/2.TXT", "很慢，没有送水没有送水".encode("gb18030"))
    write("d/差评/3.txt", "")
    write("d/readme.md", "about")
    write("d/.git/x.txt", "no")
    table = read(tmp_path / "d")
    assert list(table.rows()) == [
        {"text": "很好吃\n下次还来", "label": "好评", "file": "好评/1.txt"},
        {"text": "很慢，没有送水没有送水", "label": "差评", "file": "差评/2.TXT"},
        {"text": "", "label": "差评", "file": "差评/3.txt"},
    ]
    assert any("1 of 3 files are not UTF-8" in note for note in table.notes)
    assert any("1 other file in the folder left out" in note for note in table.notes)
    assert list(read_splits(tmp_path / "d")) == ["all"]


def test_folder_with_a_file_that_is_not_text(write: Write, tmp_path: Path) -> None:
    write("d/a/1.txt", "fine")
    write("d/a/2.txt", b"\x89PNG\r\n")
    assert "a/2.txt is a PNG picture" in refusal(tmp_path / "d")
    assert read(tmp_path / "d", on_bad_row="skip").column("text") == ["fine"]


def test_folder_without_texts(write: Write, tmp_path: Path) -> None:
    write("d/reviews.csv", "text\na\n")
    told = refusal(tmp_path / "d")
    assert "no text files by class" in told
    assert "reviews.csv" in told


@pytest.mark.parametrize("name", ["validation", "dev", "valid", "val"])
def test_folder_of_split_files(write: Write, tmp_path: Path, name: str) -> None:
    write("d/train.csv", "text,label\na,1\nb,0\n")
    write(f"d/{name}.jsonl", '{"text": "c", "label": 1}\n')
    write("d/test.tsv", "text\tlabel\nd\t0\n")
    write("d/notes.csv", "x,y\n1,2\n")
    splits = read_splits(tmp_path / "d")
    assert {split: table.column("text") for split, table in splits.items()} == {
        "train": ["a", "b"],
        "validation": ["c"],
        "test": ["d"],
    }
    assert splits["train"].source.endswith("train.csv")
    assert "holds several splits" in refusal(tmp_path / "d")
    write("d/train.json", "[]")
    with pytest.raises(UserError, match=r"'train.csv' and 'train.json' claim to be the train split"):
        read_splits(tmp_path / "d")


def test_a_folder_with_a_training_file_only_is_that_file(write: Write, tmp_path: Path) -> None:
    write("d/train.csv", "text,label\na,1\n")
    assert read(tmp_path / "d").source.endswith("train.csv")
    assert list(read_splits(tmp_path / "d")) == ["all"]


def test_folder_of_split_folders(write: Write, tmp_path: Path) -> None:
    for split in ("train", "test"):
        for label in ("pos", "neg"):
            write(f"d/{split}/{label}/1.txt", f"{split} {label}")
    splits = read_splits(tmp_path / "d")
    assert {name: table.column("text") for name, table in splits.items()} == {
        "train": ["train neg", "train pos"],
        "test": ["test neg", "test pos"],
    }


def test_classes_called_train_and_test_are_classes(write: Write, tmp_path: Path) -> None:
    write("d/train/1.txt", "a")
    write("d/test/1.txt", "b")
    assert read(tmp_path / "d").column("label") == ["test", "train"]


def test_folder_of_pages_by_class(write: Write, tmp_path: Path, storage: str) -> None:
    page = "<html><head><meta charset=gb2312><title>镕</title></head><body><nav>首页</nav><p>很好吃</body></html>"
    write("d/好评/1.html", page.encode("gb18030"))
    write("d/好评/2.txt", "也好")
    write("d/差评/3.htm", "<title></title><script>x()</script>")
    table = read(tmp_path / "d")
    assert list(table.rows()) == [
        {"title": "镕", "text": "很好吃", "label": "好评", "file": "好评/1.html"},
        {"title": None, "text": "也好", "label": "好评", "file": "好评/2.txt"},
        {"title": None, "text": "", "label": "差评", "file": "差评/3.htm"},
    ]
    assert table.notes == ("1 of 3 files are not UTF-8", "1 page without any text")
    write("d/差评/4.html", ("<p>" + "很好吃" * 20).encode() + b"\xff")
    assert "差评/4.html holds bytes that its encoding does not know" in refusal(tmp_path / "d")
    assert len(read(tmp_path / "d", on_bad_row="skip")) == 3


def test_folder_of_texts_without_classes(write: Write, tmp_path: Path) -> None:
    write("d/b.txt", "second")
    write("d/a.html", "<h1>Head</h1><p>first</p>")
    write("d/picture.png", b"\x89PNG\r\n")
    table = read(tmp_path / "d")
    assert table.column("text") == ["first", "second"]
    assert table.column_names == ("title", "text", "file")
    assert "2 texts without labels" in table.notes[0]
    write("d/rows.csv", "text\na\n")
    assert "no text files by class" in refusal(tmp_path / "d")


def test_pages_need_the_extra(write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write("d/a/1.html", "<p>text")
    monkeypatch.setitem(sys.modules, "trafilatura", None)
    with pytest.raises(MissingExtraError, match=r"supertune\[web\]"):
        read(tmp_path / "d", on_bad_row="skip")


# ---------------------------------------------------------------- Python objects


def test_lists_and_dicts() -> None:
    rows = [{"text": "a", "label": 1}, {"text": None, "label": 2}]
    assert list(read(rows).rows()) == rows
    assert list(read({"text": ["a", None], "label": np.array([1, 2])}).rows()) == rows
    assert read([{"x": np.int64(3), "y": (1, 2), "z": float("nan")}]).row(0) == {"x": 3, "y": [1, 2], "z": None}
    assert read_splits(rows)["all"].column("label") == [1, 2]


def test_data_frames() -> None:
    frame = pd.DataFrame(
        {
            "text": ["你好", None],
            "label": pd.Categorical(["a", "b"]),
            "count": [1, np.nan],
            "score": [0.5, np.nan],
            "object": pd.Series(["x", np.nan], dtype=object),
        }
    )
    frame.index = pd.Index([7, 9])
    table = read(frame)
    assert list(table.rows()) == [
        {"text": "你好", "label": "a", "count": 1, "score": 0.5, "object": "x"},
        {"text": None, "label": "b", "count": None, "score": None, "object": None},
    ]
    assert type(table.row(0)["count"]) is int
    assert "'count'" in table.notes[0]
    assert table.row_ids.tolist() == [0, 1]


def test_arrow_tables_and_whatever_speaks_arrow() -> None:
    class Speaker:
        """As a polars DataFrame presents itself."""

        def __arrow_c_stream__(self, requested_schema: object = None) -> object:
            return pa.table({"text": ["a"]}).__arrow_c_stream__(requested_schema)

    assert read(pa.table({"text": ["a"]})).column("text") == ["a"]
    assert read(Speaker()).column("text") == ["a"]


def test_hub_datasets_in_memory(storage: str) -> None:
    features = datasets.Features({"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["差", "好"])})
    dataset = datasets.Dataset.from_dict({"text": ["a", "b", "c"], "label": [1, 0, -1]}, features=features)
    table = read(dataset)
    assert table.column("label") == ["好", "差", None]
    assert "class numbers are read as their names (差, 好)" in table.notes[0]
    assert read(dataset.select([2, 0])).column("text") == ["c", "a"]
    both = datasets.DatasetDict({"train": dataset, "dev": dataset.select([0])})
    assert {name: len(part) for name, part in read_splits(both).items()} == {"train": 3, "validation": 1}
    assert "several tables" in refusal(both)


def test_class_labels_that_are_numbers_stay_numbers() -> None:
    features = datasets.Features({"label": datasets.ClassLabel(names=["0", "1"])})
    assert read(datasets.Dataset.from_dict({"label": [1, 0]}, features=features)).column("label") == [1, 0]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ([], "no rows"),
        ({}, "no rows"),
        ({"text": []}, "no rows"),
        ({"text": "abc"}, "holds a str, not a list"),
        ({"text": ["a"], "label": [1, 2]}, "differ in length"),
        ([{"label": 1}, {"label": "a"}], "mixes integers and text"),
        (pd.DataFrame({"label": [1, "a"]}), "mixes integers and text"),
        (pd.DataFrame({0: ["a"]}), "column name 0 is not text"),
        (pd.DataFrame({"text": pd.Series([], dtype=object)}), "no rows"),
        ([{"text": "\ud800"}], "cannot be stored"),
        ([{"id": 2**70}], "cannot be stored"),
        (["a", "b"], "cannot read rows from a list"),
        (42, "cannot read rows from a int"),
        (None, "cannot read rows from a NoneType"),
    ],
)
def test_bad_objects(source: Any, message: str) -> None:
    assert message in refusal(source)


# ---------------------------------------------------------------- finding the source


def test_no_such_file_suggests_a_close_one(write: Write, tmp_path: Path) -> None:
    write("reviews.csv", "text\na\n")
    assert "did you mean" in refusal(str(tmp_path / "review.csv"))
    assert "reviews.csv" in refusal(str(tmp_path / "review.csv"))
    assert "no such file" in refusal(tmp_path / "nothing-like-it")
    assert "there is no folder" in refusal(str(tmp_path / "gone" / "a.csv"))


@pytest.mark.parametrize("source", ["data.csv", "./data", "../data", "a/b/c", "data.jsonl.gz", "~/nothing-here"])
def test_what_looks_like_a_path_is_never_asked_of_the_hub(source: str) -> None:
    assert "no such file" in refusal(source)


@pytest.mark.parametrize(
    ("source", "message"), [("https://x.org/a.csv", "is an address"), ("", "not a path"), ("a\0b", "not a path")]
)
def test_strings_that_name_nothing(source: str, message: str) -> None:
    assert message in refusal(source)


def test_unknown_extensions_are_read_only_without_doubt(write: Write, tmp_path: Path) -> None:
    lines = '{"text": "a"}\n'
    assert read(write("a.data", lines)).column("text") == ["a"]
    assert "read as jsonl" in read(tmp_path / "a.data").notes[0]
    assert read(write("noextension", '[{"text": "a"}]')).column("text") == ["a"]
    pq.write_table(pa.table({"text": ["a"]}), tmp_path / "a.pq")
    assert read(tmp_path / "a.pq").column("text") == ["a"]
    assert "'.dat' is not known" in refusal(write("a.dat", "text,label\na,1\n"))
    assert ", .csv, " in refusal(tmp_path / "a.dat")
    assert "holds JSON Lines, not CSV" in refusal(write("a.csv", lines))


def test_not_a_regular_file() -> None:
    assert "neither a file nor a folder" in refusal("/dev/null")


@contextmanager
def another_user() -> Iterator[None]:
    """Root may read everything; be nobody for a while."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_no_permission(write: Write, tmp_path: Path) -> None:
    path = write("a.csv", "text\na\n")
    folder = tmp_path / "closed"
    folder.mkdir()
    path.chmod(0)
    folder.chmod(0)
    with another_user():
        assert "permission denied" in refusal(path)
        assert "permission denied" in refusal(folder)


def test_on_bad_row_is_one_of_two(write: Write) -> None:
    assert "choose 'refuse' or 'skip'" in refusal(write("a.csv", "text\na\n"), on_bad_row="ignore")


def test_a_file_that_grows_while_it_is_read(write: Write) -> None:
    path = write("a.csv", "text\n" + "a line\n" * 20_000)

    def grow(rows: int, part: float | None) -> None:
        with path.open("a") as stream:
            stream.write("more\n")

    assert "changed while it was being read" in refusal(path, progress=grow)


# ---------------------------------------------------------------- the hub


@pytest.mark.parametrize("name", ["imdb", "owner/name"])
def test_without_a_hub_the_answer_comes_at_once(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{closed.getsockname()[1]}")
        monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
        told = refusal(name)
    assert name in told
    assert "hub cannot be reached" in told
    assert "to_parquet" in told


def test_a_hub_that_never_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    from supertune.data.sources import hub

    monkeypatch.setattr(hub, "_SECONDS", 0.2)
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{silent.getsockname()[1]}")
        assert "hub cannot be reached" in refusal("owner/name")
        time.sleep(0.3)


@pytest.mark.parametrize(("status", "message"), [(404, "cannot give this dataset"), (503, "HTTP status 503")])
def test_a_hub_that_refuses(status: int, message: str) -> None:
    """In a process of its own, because the hub's library reads its address once."""
    program = f"""
import http.server, os, threading
class Refusal(http.server.BaseHTTPRequestHandler):
    def do_HEAD(self):
        self.send_response({status})
        self.end_headers()
    do_GET = do_POST = do_HEAD
    log_message = lambda *_: None
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Refusal)
threading.Thread(target=server.serve_forever, daemon=True).start()
os.environ["HF_ENDPOINT"] = f"http://127.0.0.1:{{server.server_port}}"
from supertune.data import read
from supertune.errors import UserError
try:
    read("owner/name")
except UserError as error:
    print(error.message)
"""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, env=environment)
    assert message in done.stdout, done.stderr


def test_offline_is_obeyed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert "HF_HUB_OFFLINE is set" in refusal("imdb")


def test_the_table_is_what_read_returns(write: Write) -> None:
    table = read(str(write("a.csv", "text,label\na,1\n")))
    assert isinstance(table, Table)
    assert table.source.endswith("a.csv")
    assert [step.name for step in table.lineage] == ["read"]
