"""What the tests of the data room share: a cache of their own, and both storages."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from supertune.data.sources import spill


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache folder for each test."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("SUPERTUNE_CACHE", str(folder))
    return folder


@pytest.fixture(params=["memory", "file"])
def storage(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Runs the test twice: with rows kept in memory, and with every table read from a file spilled."""
    if request.param == "file":
        monkeypatch.setattr(spill, "SPILL_BYTES", 0)
    return str(request.param)


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, str | bytes], Path]:
    """Writes a file into the test's folder; text as UTF-8, line ends as given."""

    def write_file(name: str, content: str | bytes) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write_file
