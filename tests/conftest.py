"""What all tests share: repeatable Hypothesis, a cache of their own, one thread, and a tiny encoder."""

from __future__ import annotations

import gc
import os
import sys
from pathlib import Path

import hypothesis
import pytest

from tiny_decoders import write_tiny_decoder
from tiny_models import write_tiny_encoder

# Before torch is imported by whoever needs it: importing it here would cost every test run two seconds.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# Threads that wait without spinning: on a busy machine the spinning takes most of the time.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

hypothesis.settings.register_profile("supertune", derandomize=True, deadline=None)
hypothesis.settings.load_profile("supertune")


def pytest_sessionfinish() -> None:
    if warm := sys.modules.get("warm_processes"):
        warm.stop_shared()


_MANY = 200
_imported = [0]


@pytest.fixture(autouse=True)
def _few_objects_to_look_through() -> None:
    """What torch, transformers and the tests themselves consist of is never garbage.

    A run collects garbage three times, which takes half a second for a million objects; there are hundreds of runs.
    """
    if len(sys.modules) > _imported[-1] + _MANY:
        _imported.append(len(sys.modules))
        gc.collect()
        gc.freeze()


@pytest.fixture(scope="session")
def session_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("supertune-cache")


@pytest.fixture(autouse=True)
def _surroundings(session_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the user's cache is read or written, and results repeat whatever the machine."""
    monkeypatch.setenv("SUPERTUNE_CACHE", str(session_cache))
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(1)


@pytest.fixture(scope="session")
def tiny_encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that plain transformers opens: BERT, 2 layers × 32, WordPiece, English and Chinese. Read only."""
    return write_tiny_encoder(tmp_path_factory.mktemp("models") / "tiny-encoder")


@pytest.fixture(scope="session")
def tiny_decoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that plain transformers opens: Llama, 2 layers × 64, bytes and words, no chat template. Read only."""
    return write_tiny_decoder(tmp_path_factory.mktemp("models") / "tiny-decoder")
