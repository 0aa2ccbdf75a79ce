"""Saving in the background: training does not wait, nothing it does afterwards is saved, and no failure ends it."""

from __future__ import annotations

import _thread
import errno
import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch
from checkpoint_samples import names, state

from supertune.train.checkpoints.folder import list_checkpoints, newest_good, read_checkpoint
from supertune.train.checkpoints.state import TrainingState
from supertune.train.checkpoints.writer import CheckpointWriter, NotWritten, Outcome, Written


@pytest.fixture
def slow_disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """A disk that answers no sooner than the event is set."""
    answer = threading.Event()
    fsync = os.fsync

    def waiting(descriptor: int) -> None:
        assert answer.wait(60)
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", waiting)
    yield answer
    answer.set()


def settled(writer: CheckpointWriter) -> list[Outcome]:
    """The outcomes of the save that is being written."""
    for _ in range(6000):
        if told := writer.poll():
            return told
        time.sleep(0.005)
    raise AssertionError("nothing came of the save")


def test_what_is_saved_is_the_state_at_that_moment(tmp_path: Path, slow_disk: threading.Event) -> None:
    weights = torch.zeros(1000, 3)
    values = {"losses": [1.0]}
    with CheckpointWriter(tmp_path, 2) as writer:
        assert writer.save(1, TrainingState({"weights": weights, "turned": weights.T}, values))
        weights.fill_(9)
        values["losses"].append(2.0)
        assert writer.poll() == []
        slow_disk.set()
    found, _ = newest_good(tmp_path)
    assert found
    assert not found.state.tensors["weights"].any()
    assert not found.state.tensors["turned"].any()
    assert found.state.values == {"losses": [1.0]}


def test_a_save_while_writing_is_left_out_or_waits(tmp_path: Path, slow_disk: threading.Event) -> None:
    with CheckpointWriter(tmp_path, 5) as writer:
        assert writer.save(1, state(1))
        assert not writer.save(2, state(2))
        assert list_checkpoints(tmp_path) == []
        threading.Timer(0.1, slow_disk.set).start()
        assert writer.save(3, state(3), wait=True)
        assert [path.name for path in list_checkpoints(tmp_path)][-1] == "step-00000001"
        told = writer.close()
    assert [(type(outcome), outcome.step) for outcome in told] == [(Written, 1), (Written, 3)]
    assert [path.name for path in list_checkpoints(tmp_path)] == ["step-00000003", "step-00000001"]


def test_states_of_changing_size_in_one_memory(tmp_path: Path) -> None:
    sizes = (5, 500, 50, 0, 5000)
    with CheckpointWriter(tmp_path, 9) as writer:
        for step, size in enumerate(sizes):
            content = torch.full((size,), step, dtype=torch.int64)
            assert writer.save(step, TrainingState({"x": content, "y": content.bool()}, {}), wait=True)
    for step in reversed(range(len(sizes))):
        found, problems = newest_good(tmp_path)
        assert problems == []
        assert found
        assert found.step == step
        assert torch.equal(found.state.tensors["x"], torch.full((sizes[step],), step))
        shutil.rmtree(found.path)


def test_only_the_newest_are_kept(tmp_path: Path) -> None:
    with CheckpointWriter(tmp_path, 2) as writer:
        for step in range(6):
            writer.save(step, state(step), wait=True)
    assert names(tmp_path) == ["step-00000004", "step-00000005"]
    with pytest.raises(ValueError, match="0 checkpoints"):
        CheckpointWriter(tmp_path, 0)


def test_what_cannot_be_saved_is_told_at_once(tmp_path: Path) -> None:
    with CheckpointWriter(tmp_path / "checkpoints", 2) as writer:
        with pytest.raises(TypeError, match="x: a sparse tensor"):
            writer.save(1, TrainingState({"x": torch.eye(2).to_sparse()}, {}))
        assert writer.save(2, state(2))
        (outcome,) = writer.close()
    assert isinstance(outcome, Written)
    assert outcome.path.name == "step-00000002"


def test_leftovers_of_the_dead_are_removed_and_of_the_living_are_not(tmp_path: Path) -> None:
    dead = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, text=True
    ).stdout
    for name in (f".step-00000001.x8f_2a1b.{dead.strip()}.partial", f".step-00000001.x8f_2a1b.{os.getpid()}.partial"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "tensors.safetensors").write_bytes(b"half")
    living = tmp_path / f".step-00000001.x8f_2a1b.{os.getppid()}.partial"
    living.mkdir()
    with CheckpointWriter(tmp_path, 2):
        assert names(tmp_path) == [living.name]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 KB."""
    place = tmp_path / "disk"
    place.mkdir()
    if os.geteuid() != 0 or not shutil.which("mount"):
        pytest.skip("needs root to mount a small file system")
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", place], capture_output=True).returncode:
        pytest.skip("this machine does not allow mounting")
    yield place
    subprocess.run(["umount", "-l", place], check=True)


def test_a_full_disk_does_not_end_training(small_disk: Path) -> None:
    folder = small_disk / "checkpoints"
    large = TrainingState({"x": torch.randn(10_000)}, {})
    with CheckpointWriter(folder, 2) as writer:
        for step in (1, 2):
            writer.save(step, large)
            (outcome,) = settled(writer)
            assert isinstance(outcome, Written)
        (small_disk / "filler").write_bytes(bytes(150_000))
        for step in (3, 4):
            assert writer.save(step, large)
            (outcome,) = settled(writer)
            assert isinstance(outcome, NotWritten)
            assert (outcome.step, outcome.error.where) == (step, str(folder / f"step-0000000{step}"))
            assert "no space left" in outcome.error.what
            assert names(folder) == ["step-00000001", "step-00000002"]
            found, problems = newest_good(folder)
            assert found
            assert (found.step, problems) == (2, [])
        (small_disk / "filler").unlink()
        writer.save(5, large)
        assert [type(outcome) for outcome in writer.close()] == [Written]
    assert names(folder) == ["step-00000002", "step-00000005"]


@pytest.mark.parametrize("failing", ["fsync", "rename"])
def test_a_failing_disk_does_not_end_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with CheckpointWriter(tmp_path, 2) as writer:
        writer.save(1, state(1))
        settled(writer)
        with monkeypatch.context() as patch:
            patch.setattr(os if failing == "fsync" else Path, "fsync" if failing == "fsync" else "replace", fail)
            writer.save(2, state(2))
            (outcome,) = settled(writer)
        assert isinstance(outcome, NotWritten)
        assert outcome.error.message == f"{tmp_path}: cannot be used: input/output error\n  → check the disk"
        writer.save(3, state(3))
    assert names(tmp_path) == ["step-00000001", "step-00000003"]


def test_old_checkpoints_that_cannot_be_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    with CheckpointWriter(tmp_path, 1) as writer:
        writer.save(1, state(1))
        settled(writer)
        monkeypatch.setattr(shutil, "rmtree", fail)
        writer.save(2, state(2))
        written, failed = settled(writer)
        monkeypatch.undo()
    assert isinstance(written, Written)
    assert isinstance(failed, NotWritten)
    assert "permission denied" in failed.error.what
    found, problems = newest_good(tmp_path)
    assert found
    assert (found.step, problems) == (2, [])


def test_interrupts_at_random_moments_leave_whole_checkpoints(tmp_path: Path) -> None:
    weights = torch.zeros(2000)
    generator = random.Random(0)
    step = 0
    with CheckpointWriter(tmp_path, 3) as writer:
        for _ in range(25):
            stop = threading.Timer(generator.uniform(0, 0.01), _thread.interrupt_main)
            try:
                stop.start()
                while True:
                    step += 1
                    weights.fill_(step)
                    writer.save(step, TrainingState({"x": weights, "y": weights + 0.5}, {"step": step}))
            except KeyboardInterrupt:
                stop.join()
        writer.save(step + 1, TrainingState({"x": weights.fill_(-1)}, {}), wait=True)
    found, problems = newest_good(tmp_path)
    assert found
    assert (found.step, problems) == (step + 1, [])
    while found is not None:
        shutil.rmtree(found.path)
        found, problems = newest_good(tmp_path)
        assert problems == []
        if found:
            assert found.state.values == {"step": found.step}
            assert set(found.state.tensors["x"].tolist()) == {found.step}
            assert set(found.state.tensors["y"].tolist()) == {found.step + 0.5}


def test_an_interrupt_just_after_writing_began(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody knows of that write any more; the next save must not change what it is writing."""
    submit, make, answer = ThreadPoolExecutor.submit, tempfile.mkdtemp, threading.Event()

    def interrupted(*arguments: Any) -> None:
        submit(*arguments)
        raise KeyboardInterrupt

    def waiting(**options: Any) -> str:
        assert answer.wait(60)
        return make(**options)

    monkeypatch.setattr(tempfile, "mkdtemp", waiting)
    with CheckpointWriter(tmp_path, 2) as writer:
        monkeypatch.setattr(ThreadPoolExecutor, "submit", interrupted)
        with pytest.raises(KeyboardInterrupt):
            writer.save(1, state(1))
        monkeypatch.setattr(ThreadPoolExecutor, "submit", submit)
        assert writer.save(2, state(2))
        answer.set()
    for path, step in zip(list_checkpoints(tmp_path), (2, 1), strict=True):
        assert torch.equal(read_checkpoint(path).state.tensors["a"], torch.arange(5.0) + step)


ENDING = """
import os, pathlib, sys, time
fsync = os.fsync
os.fsync = lambda descriptor: (time.sleep(0.03), fsync(descriptor))
import torch
from supertune.train.checkpoints.writer import CheckpointWriter
from supertune.train.checkpoints.state import TrainingState
writer = CheckpointWriter(pathlib.Path(sys.argv[1]), 2)
for step in (1, 2):
    writer.save(step, TrainingState({"x": torch.full((1000,), step)}, {}), wait=True)
"""


@pytest.mark.parametrize(
    ("ending", "returned", "step"),
    [("raise SystemExit(2)", 2, 2), ("import signal; signal.raise_signal(9)", -9, 1)],
    ids=["exits", "is killed"],
)
def test_a_process_that_ends_while_writing(tmp_path: Path, ending: str, returned: int, step: int) -> None:
    begun = time.monotonic()
    done = subprocess.run([sys.executable, "-c", ENDING + ending, tmp_path], capture_output=True, text=True)
    assert done.returncode == returned, done.stderr
    assert time.monotonic() - begun < 60
    found, problems = newest_good(tmp_path)
    assert found
    assert (found.step, problems) == (step, [])
    assert torch.equal(found.state.tensors["x"], torch.full((1000,), step))
