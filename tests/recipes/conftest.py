"""What tests of teachers share; read only."""

from __future__ import annotations

import json
from collections.abc import Callable
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


@pytest.fixture(scope="session")
def chat_writer(tmp_path_factory: pytest.TempPathFactory, tiny_decoder: Path) -> Path:
    """A run of ``chat`` that answers the rows it learned from exactly; these are in ``learned.jsonl`` beside it."""
    import supertune
    from tiny_decoders import TINY, face_rows

    folder = tmp_path_factory.mktemp("writer")
    rows = face_rows("chat", 40)
    settings = {**TINY, "train.epochs": 60, "evaluate.generate": 3, "evaluate.baselines": False}
    run = supertune.fit(
        rows, task="chat", model=str(tiny_decoder), strategy="full", out=folder / "run", settings=settings
    )
    held = [*run.path.glob("predictions/*.jsonl")]
    kept = {json.loads(line)["row"] for file in held for line in file.read_text(encoding="utf-8").splitlines()}
    learned = [json.dumps(row, ensure_ascii=False) for number, row in enumerate(rows) if number not in kept]
    (folder / "learned.jsonl").write_text("\n".join(learned) + "\n", encoding="utf-8")
    return run.path


@pytest.fixture(scope="session")
def brief_writers(tmp_path_factory: pytest.TempPathFactory, tiny_decoder: Path) -> Callable[[str], Path]:
    """Runs of the other tasks that write, by the task: hardly trained, each made when first asked for."""
    import supertune
    from tiny_decoders import TINY, face_rows

    folder = tmp_path_factory.mktemp("writers")

    def run_of(face: str) -> Path:
        if not (folder / face).exists():
            settings = {**TINY, "train.epochs": 1, "evaluate.generate": 2, "evaluate.baselines": False}
            supertune.fit(face_rows(face, 20), task=face, model=str(tiny_decoder), out=folder / face, settings=settings)
        return folder / face

    return run_of
