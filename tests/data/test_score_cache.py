"""Scores that were kept: found again to the last bit, and asked for anew where anything is wrong with them."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from supertune.data import ScoreCache
from supertune.data import score_cache as module


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def cache(said: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ScoreCache:
    monkeypatch.setenv("SUPERTUNE_CACHE", str(tmp_path / "cache"))
    return ScoreCache(said.append)


def test_what_was_kept_is_found_to_the_last_bit(cache: ScoreCache, said: list[str]) -> None:
    scores = np.random.default_rng(0).normal(size=100).astype(np.float32)
    assert cache.find("ab", 100) is None
    cache.keep("ab", scores)
    found = cache.find("ab", 100)
    assert found is not None
    assert found.tobytes() == scores.tobytes()
    assert cache.find("cd", 100) is None
    assert said == []


def test_what_is_damaged_is_told_of_and_not_used(cache: ScoreCache, said: list[str], tmp_path: Path) -> None:
    cache.keep("ab", np.ones(10, np.float32))
    file = tmp_path / "cache" / "scores" / "ab.f32"
    whole = file.read_bytes()
    for content in (whole[:-1], b"", whole[:-1] + bytes([whole[-1] ^ 1])):
        file.write_bytes(content)
        assert cache.find("ab", 10) is None
    file.write_bytes(whole)
    assert cache.find("ab", 11) is None, "of another number of pairs"
    assert len(said) == 4
    assert all("ab.f32 cannot be used (it is damaged)" in each for each in said)
    assert cache.find("ab", 10) is not None


def test_a_place_that_cannot_be_written_is_told_of_once(cache: ScoreCache, said: list[str], tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where a folder should be")
    for key in ("ab", "cd"):
        cache.keep(key, np.ones(3, np.float32))
        assert cache.find(key, 3) is None
    assert len(said) == 1
    assert "the next run asks the teacher again" in said[0]


def test_what_was_used_longest_ago_makes_room(
    cache: ScoreCache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SCORE_CACHE_BYTES", 100)
    for age, key in enumerate(["new", "old", "older"]):
        cache.keep(key, np.ones(4, np.float32))
        os.utime(tmp_path / "cache" / "scores" / f"{key}.f32", (1000 - age, 1000 - age))
    cache.tidy()
    assert [cache.find(key, 4) is not None for key in ("new", "old", "older")] == [True, True, False]
