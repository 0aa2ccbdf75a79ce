"""Addresses of databases are told from other names, and no password in them is ever shown."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from supertune.addresses import from_folder, is_database, masked, refuse_written_password, with_environment
from supertune.errors import UserError


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        ("sqlite:///rows.db", True),
        ("postgresql+psycopg://u@h/db", True),
        ("${DATABASE_URL}", True),
        ("https://example.com/rows.csv", False),
        ("s3://bucket/rows.csv", False),
        ("rows.csv", False),
        ("owner/name", False),
        (None, False),
    ],
)
def test_what_is_the_address_of_a_database(name: object, is_one: bool) -> None:
    assert is_database(name) == is_one


@settings(max_examples=30)
@given(st.text(st.characters(codec="ascii", exclude_characters="$*@", categories=["L", "N", "P", "S"]), min_size=5))
def test_a_written_password_is_refused_and_not_shown(password: str) -> None:
    for address in (
        f"postgresql://reader:{password}@db.example/shop",
        f"postgresql://reader:a@{password}@db.example/shop",
    ):
        with pytest.raises(UserError) as caught:
            refuse_written_password(address, "data.source")
        told = "the address postgresql://reader:***@db.example/shop holds a password, which would be written down"
        assert caught.value.message.startswith(f"data.source: {told}")


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("postgresql://u:${DB_PASSWORD}@h/db", "postgresql://u:${DB_PASSWORD}@h/db"),
        ("postgresql://u@h/db?passfile=/home/u/.pgpass", "postgresql://u@h/db?passfile=/home/u/.pgpass"),
        ("postgresql://h/db?user=u&password=hush&x=1", "postgresql://h/db?user=u&password=***&x=1"),
        ("mssql+pyodbc://?odbc_connect=DRIVER%3DX%3BUID%3Du%3BPWD%3Dhush%3BX=1", "odbc_connect"),
        ("sqlite:///C:/rows.db", "sqlite:///C:/rows.db"),
    ],
)
def test_passwords_in_settings_are_hidden_too(address: str, shown: str) -> None:
    assert shown in masked(address)
    assert "hush" not in masked(address)
    assert masked(masked(address)) == masked(address)


def test_environment_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DB_PASSWORD", "p@ss/word")
    assert with_environment("x${DB_PASSWORD}y", "here") == ("xp@ss/wordy", ("p@ss/word",))
    monkeypatch.delenv("DB_PASSWORD")
    with pytest.raises(UserError, match="DB_PASSWORD is not set"):
        with_environment("${DB_PASSWORD}", "here")


def test_files_named_from_a_folder_are_found_from_anywhere(tmp_path: Path) -> None:
    (tmp_path / "rows.db").touch()
    assert from_folder("sqlite:///rows.db?timeout=5", tmp_path) == f"sqlite:///{tmp_path}/rows.db?timeout=5"
    for unchanged in ("sqlite:///no.db", f"sqlite:///{tmp_path}/rows.db", "sqlite://", "postgresql:///rows.db"):
        assert from_folder(unchanged, tmp_path) == unchanged
