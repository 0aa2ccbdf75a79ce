from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from supertune import models
from tiny_models import write_tiny_model


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    return write_tiny_model(tmp_path / "tiny")


@pytest.fixture(scope="session")
def e5_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A cache into which e5-multilingual was imported once."""
    cache = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SUPERTUNE_CACHE", str(cache))
        models.resolve("e5-multilingual")
    yield cache
    shutil.rmtree(cache)


@pytest.fixture
def e5(e5_cache: Path, monkeypatch: pytest.MonkeyPatch) -> models.ModelSource:
    monkeypatch.setenv("SUPERTUNE_CACHE", str(e5_cache))
    return models.resolve("e5-multilingual")
