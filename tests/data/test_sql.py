"""Rows of databases: what comes out is what was put in, nothing is changed there, and passwords stay unseen."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import supertune
from supertune.config import Config, dump_config
from supertune.console import Console
from supertune.data import read, read_splits
from supertune.data.sources.sql_query import is_ordered
from supertune.data.storage import FileStorage
from supertune.errors import UserError
from supertune.recipes.rows import read_given


def database(folder: Path, *statements: str, rows: int = 0) -> str:
    with sqlite3.connect(folder / "rows.db") as connection:
        for statement in statements:
            connection.execute(statement)
        if rows:
            connection.execute("create table reviews (id integer primary key, text text, stars integer)")
            values = [(row, f"第 {row} 条 review", row % 5) for row in range(rows)]
            connection.executemany("insert into reviews values (?, ?, ?)", values[::-1])
    connection.close()
    return f"sqlite:///{folder / 'rows.db'}"


def refusal(address: str, **options: Any) -> str:
    with pytest.raises(UserError) as caught:
        read(address, **options)
    return caught.value.message


def test_a_table_comes_in_the_order_of_its_key(tmp_path: Path, storage: str) -> None:
    address = database(tmp_path, rows=20_000)
    table = read(address)
    assert table.column("id") == list(range(20_000))
    assert table.row(7) == {"id": 7, "text": "第 7 条 review", "stars": 2}
    assert table.row_ids.tolist() == list(range(20_000))
    assert table.notes == ("read the table 'reviews', the only one",)
    assert isinstance(table.storage, FileStorage) == (storage == "file")
    assert table.lineage[0].parameters["query"] == "SELECT * FROM reviews ORDER BY id"


def test_what_was_read_before_is_not_taken_for_what_there_is_now(tmp_path: Path, storage: str) -> None:
    address = database(tmp_path, rows=3)
    assert len(read(address)) == 3
    database(tmp_path, "delete from reviews where id = 1")
    assert read(address).column("id") == [0, 2]


def test_a_query_without_an_order_is_told(tmp_path: Path) -> None:
    address = database(tmp_path, rows=30)
    query = "select text, stars as label from reviews where text like '%1%' and text <> 'x:y'"
    table = read(address, query=query)
    assert table.column_names == ("text", "label")
    assert len(table) == 12
    assert "no ORDER BY" in table.notes[0]
    assert read(address, query=f"{query} order by id").notes == ()
    assert table.lineage[0].parameters == {"source": address, "query": query}


@pytest.mark.parametrize(
    ("query", "ordered"),
    [
        ("select a from t order by a", True),
        ("SELECT a FROM t ORDER\n  BY a LIMIT 3", True),
        ("select a from (select a from t order by a) x", False),
        ("select a, rank() over (partition by b order by c) from t", False),
        ("select 'order by' from t -- order by a", False),
        ('select "order by" from t /* order by a */', False),
        ("select $$it''s ( order by $$ from t", False),
    ],
)
def test_which_order_is_that_of_the_rows(query: str, ordered: bool) -> None:
    assert is_ordered(query) == ordered


def test_values_are_what_they_were(tmp_path: Path) -> None:
    address = database(
        tmp_path,
        "create table t (id integer primary key, word text, number real, whole integer, photo blob, empty text)",
        "insert into t values (1, '好', 0.5, 9007199254740993, x'ff00', null)",
        "insert into t values (2, null, 2, null, null, null)",
    )
    table = read(address)
    assert list(table.rows()) == [
        {"id": 1, "word": "好", "number": 0.5, "whole": 9007199254740993, "empty": None},
        {"id": 2, "word": None, "number": 2.0, "whole": None, "empty": None},
    ]
    assert "column 'photo' holds bytes" in table.notes[1]
    assert "mixes" in refusal(address, query="select word from t union all select 3")
    assert "holds bytes in 'word'" in refusal(address, query="select word from t union all select x'00' order by 1")
    assert "without any keys" in refusal(address, query="select x'00'")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"query": "select absent from reviews"}, r"the database refused: no such column: absent"),
        ({"query": "selec"}, r"syntax error"),
        ({"query": "delete from reviews"}, r"readonly|query_only|attempt to write"),
        ({"query": "select id, id from reviews"}, r"two columns are named 'id'"),
        ({"query": "select * from reviews where id < 0"}, r"holds no rows"),
        ({"table": "review"}, r"did you mean 'reviews'\?"),
        ({"table": "x", "query": "y"}, r"both data.query and data.table"),
        ({"sheet": "one"}, r"has no sheets"),
    ],
)
def test_what_cannot_be_asked(tmp_path: Path, options: dict[str, str], message: str) -> None:
    address = database(tmp_path, rows=5)
    assert re.search(message, refusal(address, **options))
    assert len(read(address)) == 5


def test_what_cannot_be_reached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "no such file" in refusal(f"sqlite:///{tmp_path}/no.db")
    assert not (tmp_path / "no.db").exists()
    (tmp_path / "text.db").write_text("no database at all, but long enough to be read as the head of one" * 20)
    assert "not a database" in refusal(f"sqlite:///{tmp_path}/text.db")
    assert "knows no database 'nosuch'" in refusal("nosuch://h/db")
    assert "holds 0 tables" in refusal(database(tmp_path, "create table t (a)", "drop table t"))
    two = database(tmp_path, "create table a (x)", "create table b (x)")
    assert "holds 2 tables: a, b" in refusal(two)
    assert "give it as sqlite:///" in refusal(str(tmp_path / "rows.db"))
    assert "only a database has a query" in refusal("rows.csv", query="select 1")
    monkeypatch.setenv("PASSWORD", "hush-hush")
    said = refusal("postgresql+pg8000://u:${PASSWORD}@127.0.0.1:1/db")
    assert "cannot be reached" in said
    assert "hush" not in said
    monkeypatch.setenv("DATABASE_URL", "mysql+nosuch://u:hush-hush@127.0.0.1:1/db")
    said = refusal("${DATABASE_URL}")
    assert "${DATABASE_URL}: SQLAlchemy knows no database 'mysql+nosuch'" in said
    assert "hush" not in said
    monkeypatch.setenv("DATABASE_URL", "hush-hush")
    assert "hush" not in refusal("${DATABASE_URL}")


def test_a_password_never_gets_into_a_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    for key in ("data.source", "data.test"):
        with pytest.raises(UserError) as caught:
            Config().with_values({key: "postgresql://u:hush@h/db"})
        assert "hush" not in caught.value.message
        assert key in caught.value.message
    assert "hush" not in refusal("postgresql://u:hush@h/db")
    config = Config().with_values({"data.source": "postgresql://u:${X}@h/db", "data.query": "select 1"})
    assert "u:${X}@h/db" in dump_config(config)


def test_splits_by_queries(tmp_path: Path) -> None:
    address = database(tmp_path, rows=50)
    config = Config().with_values(
        {
            "data.source": address,
            "data.query": "select text, stars from reviews where id < 40 order by id",
            "data.test_query": "select text, stars from reviews where id >= 40 order by id",
        }
    )
    tables = read_given(config, None, Console(quiet=True))
    assert {split: len(table) for split, table in tables.items()} == {"train": 40, "test": 10}
    assert list(read_splits(address)) == ["all"]
    assert supertune.read(address, table="reviews").column("id")[-1] == 49


@pytest.fixture
def postgres(tmp_path: Path) -> Iterator[str]:
    """The address of a PostgreSQL server that is there, or of one started for the test."""
    if named := os.environ.get("SUPERTUNE_TEST_POSTGRES"):
        yield named
        return
    initdb, server = shutil.which("initdb"), shutil.which("pg_ctl")
    if initdb is None or server is None:
        pytest.skip("no PostgreSQL server: set SUPERTUNE_TEST_POSTGRES to an address, or install one")
    if os.getuid() == 0:
        pytest.skip("PostgreSQL does not run as root: set SUPERTUNE_TEST_POSTGRES to the address of a server")
    folder, port = tmp_path / "server", "54329"
    subprocess.run([initdb, "-D", folder, "-U", "tester", "--auth=trust"], check=True, capture_output=True)
    options = f"-p {port} -k {tmp_path} -c listen_addresses=127.0.0.1"
    start = [server, "-D", folder, "-l", tmp_path / "log", "-o", options, "-w", "start"]
    subprocess.run(start, check=True, capture_output=True)
    yield f"postgresql+pg8000://tester@127.0.0.1:{port}/postgres"
    subprocess.run([server, "-D", folder, "-m", "immediate", "stop"], check=True, capture_output=True)


@pytest.mark.slow
def test_postgresql(postgres: str) -> None:
    query = """
        select i as id, 'row ' || i as text, (i / 4.0)::numeric(10, 2) as price, i::numeric as whole,
               0.1234567890123456789 as long, date '2024-02-29' as day, timestamptz '2024-01-02 03:04:05+00' as at,
               interval '1 hour' as took, i % 2 = 0 as even, array[i, i + 1] as list, '{"a": [1, null]}'::jsonb as doc,
               'nan'::float8 as nan, 'nan'::numeric as nothing, '\\xff'::bytea as photo,
               'f81d4fae-7dec-11d0-a765-00a0c91e6bf6'::uuid as key
        from generate_series(1, 20000) i order by i"""
    table = read(postgres, query=query)
    assert len(table) == 20_000
    row = table.row(2)
    assert row.pop("at").startswith("2024-01-02T03:04:05")
    assert row == {
        "id": 3,
        "text": "row 3",
        "price": 0.75,
        "whole": 3,
        "long": 0.12345678901234568,
        "day": "2024-02-29",
        "took": "1:00:00",
        "even": False,
        "list": [3, 4],
        "doc": {"a": [1, None]},
        "nan": None,
        "nothing": None,
        "key": "f81d4fae-7dec-11d0-a765-00a0c91e6bf6",
    }
    assert "column 'photo' holds bytes" in table.notes[0]
    assert "20,000 decimals" in table.notes[1]
    import pg8000.native

    parts = re.fullmatch(r"[^:]+://(\w+)@([^:]+):(\d+)/(\w+)", postgres)
    assert parts is not None
    with pg8000.native.Connection(parts[1], host=parts[2], port=int(parts[3]), database=parts[4]) as connection:
        connection.run("create sequence if not exists s")
    for statement in ("create table t (x int)", "delete from pg_catalog.pg_class"):
        assert "the database refused" in refusal(postgres, query=statement)
    assert "cannot execute nextval() in a read-only transaction" in refusal(postgres, query="select nextval('s')")
    assert "does not exist" in refusal(postgres, query="select * from nowhere")
