"""A hostile site for each test."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hostile_site import Site, serving


@pytest.fixture
def site() -> Iterator[Site]:
    with serving() as made:
        yield made


@pytest.fixture
def rows(tmp_path: Path) -> Callable[[str], list[dict[str, Any]]]:
    """The rows of a file of the crawl in ``out``."""

    def read(name: str) -> list[dict[str, Any]]:
        lines = (tmp_path / "out" / name).read_text(encoding="utf-8").splitlines()
        return [json.loads(line) for line in lines]

    return read


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


@pytest.fixture
def reasons(rows: Callable[[str], list[dict[str, Any]]]) -> Callable[[], dict[str, str]]:
    """URL without scheme and host → why it is no page."""

    def read() -> dict[str, str]:
        return {row["url"].partition("//")[2].partition("/")[2]: row["reason"] for row in rows("skipped.jsonl")}

    return read
