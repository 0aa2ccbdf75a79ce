"""What tests of teachers share; read only."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

# What they are made of is imported where it is used: test modules are to be collected first.


@pytest.fixture(scope="session")
def teacher(tmp_path_factory: pytest.TempPathFactory, tiny_encoder: Path) -> Path:
    """The folder of a cross-encoder that disagrees with most of the rows of `grouped`."""
    from taught_samples import write_teacher

    return write_teacher(tiny_encoder, tmp_path_factory.mktemp("teacher") / "cross-encoder")


@pytest.fixture(scope="session")
def workshop(tmp_path_factory: pytest.TempPathFactory, tiny_encoder: Path) -> Path:
    """A folder with rows, a run of ``rerank`` in ``order``, and a run that it taught in ``taught``."""
    from taught_samples import SMALL, command
    from test_retrieval_runs import pairs

    import supertune

    folder = tmp_path_factory.mktemp("workshop")
    lines = [json.dumps(row, ensure_ascii=False) for row in pairs(60)]
    (folder / "rows.jsonl").write_text("\n".join(lines), encoding="utf-8")
    settings = {**SMALL, "model.max_length": 24, "task.negatives_per_row": 2}
    supertune.fit(pairs(60), task="rerank", model=str(tiny_encoder), out=folder / "order", settings=settings)
    done = command(folder, tiny_encoder, "taught")
    assert done.returncode == 0, done.stderr
    (folder / "said.txt").write_text(done.stderr, encoding="utf-8")
    return folder
