"""Nothing is lost: runs that were killed, stopped, damaged or out of space come to what an undisturbed run comes to."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import chain, repeat
from pathlib import Path
from typing import Any

import pytest
import yaml
from soak_loop import Death, soak
from soak_runs import BF16, EVERY, Workshop, events, last_step, result, saved_step, wait_for_step

import supertune
from supertune.errors import UserError
from supertune.runs import open_run
from supertune.train.checkpoints.folder import list_checkpoints
from warm_processes import Process, WarmProcesses

STEPS = 60
KILLED_AT = 40
"""The step of the newest checkpoint of ``killed``, whose process died just after it had written it."""


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workshop]:
    folder = tmp_path_factory.mktemp("resume")
    with WarmProcesses(folder) as processes:
        yield Workshop.make(folder, processes)


@pytest.fixture(scope="module")
def reference(workshop: Workshop) -> Path:
    run = workshop.folder / "reference"
    assert workshop.train(run).wait().code == 0
    return run


@pytest.fixture(scope="module")
def killed(workshop: Workshop) -> Path:
    """A run that was killed by signal 9 after its eleventh checkpoint; copy it."""
    run = workshop.folder / "killed"
    assert workshop.train(run, fault="checkpoint:before-prune:11").wait().code == -signal.SIGKILL
    assert saved_step(run / "checkpoints") == KILLED_AT
    return run


@pytest.fixture
def copy(killed: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(killed, tmp_path / "run"))


def resumed(run: Path) -> list[int]:
    return [row["step"] for row in events(run, "resumed")]


def status(run: Path) -> str:
    return open_run(run).status


def steps_after(run: Path, event: str) -> list[int]:
    """The steps that were taken after the last event of that name."""
    rows = events(run)
    begin = max(number for number, row in enumerate(rows) if row["event"] == event)
    return [row["step"] for row in rows[begin:] if row["event"] == "step"]


def wait_for(path: Path, process: Process) -> None:
    """Wait until a file or folder is there."""
    deadline = time.monotonic() + 200
    while not path.exists():
        assert time.monotonic() < deadline
        assert not process.ends_within(0.002), process.wait().said


def kill(process: Process) -> None:
    process.send(signal.SIGKILL)
    assert process.wait().code == -signal.SIGKILL


def test_three_kills_in_a_row_one_of_them_inside_saving(workshop: Workshop, reference: Path) -> None:
    deaths = chain(
        [Death(fault="checkpoint:mid-tensors:4"), Death(after=1.0)],
        repeat(Death(fault="checkpoint:before-rename:3")),
    )
    tally = soak(workshop, reference, 3, lambda _: next(deaths), lambda _: None)
    assert (tally.kills, tally.wrong) == (3, [])
    assert max(tally.lost) < 2 * EVERY


@pytest.mark.slow
def test_in_16_bits_too(workshop: Workshop, tmp_path: Path) -> None:
    workshop = Workshop(workshop.folder, workshop.processes, BF16)
    assert workshop.train(tmp_path / "reference").wait().code == 0
    run = tmp_path / "run"
    assert workshop.train(run, fault="checkpoint:after-tensors:9").wait().code == -signal.SIGKILL
    workshop.finish(run)
    assert resumed(run) == [30]
    assert result(run) == result(tmp_path / "reference")


def test_what_was_measured_is_not_measured_again(workshop: Workshop, tmp_path: Path) -> None:
    run, automatic = tmp_path / "run", ("train.precision=auto", "train.attention=auto", "train.embeddings=auto")
    process = workshop.train(run, *automatic, fault="checkpoint:before-rename:2")
    assert "attention" in process.wait().said
    written = yaml.safe_load((run / "config.yaml").read_text(encoding="utf-8"))
    assert written["train"]["precision"] in ("bf16", "fp32")
    assert written["train"]["attention"] in ("matmul", "sdpa")
    assert "auto" not in {written["train"][key] for key in ("embeddings", "epochs", "learning_rate", "device")}
    assert written["train"]["threads"] == 1
    (tmp_path / "again.yaml").write_text((run / "config.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    said = workshop.finish(run).said
    assert "here" not in said.partition("Training")[0]
    assert "attention" not in said
    again = workshop.processes.run("train", "again.yaml", "--out", "again", cwd=tmp_path)
    assert again.code == 0
    assert result(run) == result(tmp_path / "again")


@pytest.mark.parametrize("file", ["tensors.safetensors", "state.json", "complete.json"])
def test_a_damaged_checkpoint_is_named_and_the_one_before_is_used(
    workshop: Workshop, reference: Path, copy: Path, file: str
) -> None:
    newest, before, *_ = list_checkpoints(copy / "checkpoints")
    path = newest / file
    content = bytearray(path.read_bytes())
    if file == "tensors.safetensors":
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
    elif file == "state.json":
        path.write_bytes(content[: len(content) // 2])
    else:
        path.unlink()
    said = workshop.finish(copy).said
    assert f"warning: {newest.name}/{file}: " in said
    assert {"t": "was changed", "s": "was cut short", "c": "is missing"}[file[0]] in said
    assert resumed(copy) == [int(before.name.removeprefix("step-"))] == [36]
    assert result(copy) == result(reference)


def test_without_a_whole_checkpoint_training_begins_again(workshop: Workshop, reference: Path, copy: Path) -> None:
    for checkpoint in list_checkpoints(copy / "checkpoints"):
        os.truncate(checkpoint / "tensors.safetensors", 1000)
    said = workshop.finish(copy).said
    assert said.count("was cut short") == 3
    assert "no whole checkpoint is left: training begins again" in said
    assert resumed(copy) == []
    assert result(copy) == result(reference)


def test_a_run_that_is_done_stays_as_it_is(workshop: Workshop, reference: Path, copy: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(reference, tmp_path / "done"))
    # Killed between the last line of the manifest and the removal of the checkpoints.
    shutil.copytree(copy / "checkpoints", run / "checkpoints")
    done = workshop.finish(run, "--json")
    assert "has finished already" in done.said
    assert json.loads(done.printed) == {
        "run": str(run),
        "status": "done",
        "metrics": json.loads((reference / "metrics.json").read_text(encoding="utf-8")),
    }
    assert open_run(run).verify() == []
    assert not (run / "checkpoints").exists()
    assert supertune.resume(run).metrics == supertune.load_run(reference).metrics


def test_of_a_run_there_is_not(workshop: Workshop, tmp_path: Path) -> None:
    done = workshop.resume(tmp_path / "nowhere").wait()
    assert done.code == 2
    assert "nowhere" in done.said


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_saves_what_was_done_and_a_running_run_is_left_alone(
    workshop: Workshop, reference: Path, tmp_path: Path, number: signal.Signals
) -> None:
    run = tmp_path / "run"
    process = workshop.train(run, "train.checkpoint_every=auto")
    wait_for_step(run, 15, process)
    process.send(signal.SIGSTOP)
    other = workshop.resume(run).wait()
    assert other.code == 2
    assert "is still running" in other.said
    process.send(number)
    process.send(signal.SIGCONT)
    done = process.wait()
    assert done.code == 130, done.said
    assert f"supertune resume {run}" in done.said.splitlines()[-1]
    assert "Traceback" not in done.said
    assert status(run) == "interrupted"
    step = last_step(run)
    assert 15 <= step < STEPS
    workshop.finish(run)
    assert resumed(run) == [step]
    assert result(run) == result(reference)


@pytest.mark.slow
def test_killed_before_the_first_step_and_gone_on_with_elsewhere(
    workshop: Workshop, reference: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    process = workshop.train(run)
    wait_for(run / "manifest.json", process)
    kill(process)
    assert events(run) == []
    command = [sys.executable, "-c", "from supertune.cli import main; main()", "resume", "run", "--json"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    metrics = json.loads((reference / "metrics.json").read_text(encoding="utf-8"))
    assert json.loads(done.stdout) == {"run": "run", "status": "done", "metrics": metrics}
    assert result(run) == result(reference)


def test_killed_while_measuring(workshop: Workshop, reference: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    process = workshop.train(run)
    wait_for(run / "model", process)
    kill(process)
    assert status(run) == "interrupted"
    workshop.finish(run)
    assert resumed(run) == [STEPS]
    assert steps_after(run, "resumed") == []
    assert result(run) == result(reference)


@pytest.mark.slow
def test_killed_when_patience_had_come_to_its_end(workshop: Workshop, tmp_path: Path) -> None:
    settings = ("train.seed=1", "train.patience=1")
    assert workshop.train(tmp_path / "reference", *settings).wait().code == 0
    (stopped,) = events(tmp_path / "reference", "stop")
    assert stopped["step"] < STEPS
    run = tmp_path / "run"
    process = workshop.train(run, *settings)
    wait_for(run / "model", process)
    kill(process)
    workshop.finish(run)
    assert resumed(run) == [stopped["step"]]
    assert steps_after(run, "resumed") == []
    assert result(run) == result(tmp_path / "reference")


@pytest.mark.slow
def test_killed_in_the_second_of_two_seeds(workshop: Workshop, tmp_path: Path) -> None:
    settings = ("train.seeds=2", "train.seed=3", "train.epochs=3", "train.restarts=0")
    assert workshop.train(tmp_path / "reference", *settings).wait().code == 0
    run = tmp_path / "run"
    process = workshop.train(run, *settings, fault="checkpoint:before-marker:15")
    assert process.wait().code == -signal.SIGKILL
    workshop.finish(run)
    first, second = events(run, "resumed")
    assert (first["seed"], first["step"]) == (3, 36)
    assert (second["seed"], second["step"] > 0) == (4, True)
    assert steps_after(run, "resumed")[0] == second["step"] + 1
    assert result(run) == result(tmp_path / "reference")
    reports = [open_run(path).manifest["validation_of_seeds"] for path in (run, tmp_path / "reference")]
    assert reports[0] == reports[1]


def edit_config(run: Path, key: str, value: Any) -> None:
    path = run / "config.yaml"
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    section, _, name = key.partition(".")
    content[section][name] = value
    path.write_text(yaml.safe_dump(content), encoding="utf-8")


def test_other_rows_are_refused_and_nothing_is_lost(
    workshop: Workshop, reference: Path, copy: Path, tmp_path: Path
) -> None:
    rows, text = tmp_path / "mine.csv", (workshop.folder / "rows.csv").read_text(encoding="utf-8")
    edit_config(copy, "data.source", str(rows))
    rows.write_text(text.replace(",praise\n", ",blame\n", 1), encoding="utf-8")
    done = workshop.resume(copy).wait()
    assert done.code == 2
    assert f"{rows}: the " in done.said
    assert "rows have changed since the run began" in done.said
    rows.write_text(text, encoding="utf-8")
    workshop.finish(copy)
    assert resumed(copy) == [KILLED_AT]
    assert result(copy) == result(reference)


def test_another_model_or_plan_is_refused(workshop: Workshop, copy: Path, tmp_path: Path) -> None:
    from safetensors.numpy import load_file, save_file

    model = Path(shutil.copytree(workshop.folder / "tiny", tmp_path / "other"))
    state = load_file(model / "model.safetensors")
    save_file({name: value + 1 for name, value in state.items()}, model / "model.safetensors", {"format": "pt"})
    edit_config(copy, "model.name", str(model))
    done = workshop.resume(copy).wait()
    assert done.code == 2
    assert f"{model}: the weights of the model have changed" in done.said
    edit_config(copy, "model.name", str(workshop.folder / "tiny"))
    edit_config(copy, "train.batch_size", 8)
    done = workshop.resume(copy).wait()
    assert done.code == 2
    assert "was saved by a training of other epochs, batches, seed or rows" in done.said
    assert saved_step(copy / "checkpoints") == KILLED_AT


def test_rows_that_were_in_memory_are_asked_for(workshop: Workshop, reference: Path, copy: Path) -> None:
    edit_config(copy, "data.source", None)
    done = workshop.resume(copy).wait()
    assert done.code == 2
    assert "supertune.resume(" in done.said
    with pytest.raises(UserError, match="in memory"):
        supertune.resume(copy)
    rows = list(supertune.read(workshop.folder / "rows.csv").rows())
    assert supertune.resume(copy, rows).status == "done"
    assert result(copy) == result(reference)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 8 MB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(disk)]
    if os.geteuid() != 0 or not shutil.which("mount") or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("needs root, and a machine that allows mounting")
    yield disk
    subprocess.run(["umount", "-l", disk], check=True)


def fill(disk: Path) -> None:
    with (disk / "filler").open("wb", buffering=0) as stream:
        try:
            while stream.write(b"x" * 1024):
                pass
        except OSError:
            return


def test_a_disk_that_is_full_for_a_while(workshop: Workshop, reference: Path, small_disk: Path) -> None:
    run = small_disk / "run"
    process = workshop.train(run)
    wait_for_step(run, 11, process)
    process.send(signal.SIGSTOP)
    fill(small_disk)
    process.send(signal.SIGCONT)
    deadline = time.monotonic() + 200
    while "without a checkpoint of step" not in process.said.read_text(encoding="utf-8"):
        assert time.monotonic() < deadline
        assert not process.ends_within(0.002)
    (small_disk / "filler").unlink()
    done = process.wait()
    assert done.code == 0, done.said
    assert done.said.count("without a checkpoint of step") == 1
    assert done.said.count("its events wait") <= 1
    assert [row["step"] for row in events(run, "step")] == list(range(1, STEPS + 1))
    assert result(run) == result(reference)


@pytest.mark.slow
def test_a_disk_that_stays_full(workshop: Workshop, reference: Path, small_disk: Path) -> None:
    run = small_disk / "run"
    process = workshop.train(run)
    wait_for_step(run, 11, process)
    process.send(signal.SIGSTOP)
    fill(small_disk)
    process.send(signal.SIGCONT)
    done = process.wait()
    assert done.code == 2
    assert done.said.count("without a checkpoint of step") == 1
    assert "epoch  5/5" in done.said
    assert f"{run}" in done.said.splitlines()[-2]
    assert "no space left on device" in done.said.splitlines()[-2]
    saved = saved_step(run / "checkpoints")
    assert saved
    (small_disk / "filler").unlink()
    workshop.finish(run)
    assert resumed(run) == [saved]
    assert result(run) == result(reference)
