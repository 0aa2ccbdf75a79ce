"""``supertune show RUN --watch``: on terminals of any size, off them, and whatever becomes of the run meanwhile."""

from __future__ import annotations

import datetime
import json
import os
import pty
import re
import select
import shutil
import signal
import struct
import subprocess
import sys
import termios
import threading
import time
from fcntl import ioctl
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from event_samples import row, training_rows
from supertune.console import Console
from supertune.contracts import Event
from supertune.errors import UserError
from supertune.language import display_width
from supertune.recipes.screen import screen
from supertune.recipes.watch import Watched, watch_run
from supertune.runs import Course, RunStore, create_run

COMMAND = [sys.executable, "-c", "from supertune.cli import main; main()"]


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    return create_run(tmp_path / "run", task="classification", command=["supertune"], config_yaml="task: {}\n")


def write(store: RunStore, rows: object) -> None:
    """Append rows as a training would, the times of the samples included."""
    with (store.path / "events.jsonl").open("a", encoding="utf-8") as stream:
        stream.writelines(json.dumps(one) + "\n" for one in rows)


def shown(course: Course, size: tuple[int, int], status: str = "running", after: float = 0.0) -> str:
    heard = datetime.datetime.fromisoformat(course.heard or "2026-01-31T12:00:00+00:00").timestamp()
    lines = ["12:00:01 training begins", "12:00:02 epoch 1 of 5: loss 0.4"]
    return screen(course, "runs/classification-2026-01-31-120000", status, lines, size, heard + after).plain


class TestScreen:
    @given(st.integers(0, 4), st.integers(20, 200), st.integers(5, 60))
    def test_it_never_leaves_the_terminal(self, epochs: int, width: int, height: int) -> None:
        course = Course(training_rows(epochs=epochs, steps_per_epoch=10, planned=5) if epochs else [])
        lines = shown(course, (width, height)).split("\n")
        assert len(lines) <= height
        assert max(map(display_width, lines)) <= width

    @pytest.mark.parametrize("size", [(200, 60), (80, 24), (40, 40)])
    def test_what_one_wants_to_know_is_there(self, size: tuple[int, int]) -> None:
        text = shown(Course(training_rows(epochs=3, steps_per_epoch=20, planned=5)), size)
        for wanted in ("running", "60%", "step 60 of 100", "epoch 4 of 5", "4 s left", "160 rows/s", "best f1_macro"):
            assert wanted in text, wanted
        assert "(epoch 3)" in text
        assert "learning rate 8.3e-07" in text
        assert "epoch 1 of 5: loss 0.4" in text
        assert any("\u2801" <= character <= "\u28ff" for character in text)

    def test_wide_terminals_show_both_pictures_side_by_side(self) -> None:
        course = Course(training_rows(epochs=3, steps_per_epoch=20, planned=5))
        wide, narrow = shown(course, (120, 30)), shown(course, (80, 45))
        assert re.search(r"loss  training  validation +f1_macro after each epoch", wide)
        assert not re.search(r"validation +f1_macro after", narrow)
        assert "f1_macro after each epoch" in narrow

    def test_before_and_after_training(self) -> None:
        assert "training has not begun" in shown(Course(), (80, 24))
        assert "saving and measuring" in shown(Course(training_rows(epochs=2)), (80, 24))
        assert "saving and measuring" not in shown(Course(training_rows(epochs=2)), (80, 24), "done")

    def test_a_run_that_is_silent_is_seen_to_be(self) -> None:
        course = Course(training_rows(epochs=1, planned=5))
        assert "nothing heard" not in shown(course, (80, 24), after=20)
        assert "nothing heard for 5 min 0 s" in shown(course, (80, 24), after=300)


class TestWatched:
    def test_lines_for_everything_but_single_steps(self, store: RunStore) -> None:
        watched = Watched(store.path)
        assert list(watched.look()) == []
        write(store, training_rows(epochs=2, steps_per_epoch=4, planned=3))
        write(
            store,
            [
                row("memory", 8, pieces=2),
                row("resumed", 4),
                row("checkpoint", 3, seconds=0.2),
                row("restart", 4, to_seed=9),
                row("stop", 4, reason="x"),
            ],
        )
        assert [line[9:] for line in watched.look()] == [
            "training begins",
            "epoch 1 of 3: loss 1.000, validation loss 0.500, f1_macro 0.250",
            "epoch 2 of 3: loss 0.500, validation loss 0.250, f1_macro 0.375",
            "memory at step 8: pieces 2",
            "resumed at step 4",
            "degenerate: every row gets the same answer; begun again with seed 9",
            "stopped: x",
        ]
        assert list(watched.look()) == []

    def test_an_epoch_without_validation_has_its_line_when_the_next_begins(self, store: RunStore) -> None:
        write(store, [row("start", 0), row("epoch", 3, epoch=1, loss=0.25)])
        watched = Watched(store.path)
        assert len(list(watched.look())) == 1
        write(store, [row("step", 4, loss=0.2, items=1)])
        assert [line[9:] for line in watched.look()] == ["epoch 1: loss 0.250"]

    def test_no_line_can_repaint_the_terminal(self, store: RunStore) -> None:
        write(store, [row("stop", 4, reason="\x1b]0;owned\x07\u202e好")])
        (line,) = Watched(store.path).look()
        assert line.isprintable()
        assert "好" in line

    def test_a_torn_line_is_read_when_it_is_whole(self, store: RunStore) -> None:
        watched = Watched(store.path)
        whole = json.dumps(row("start", 0, steps=7)) + "\n"
        (store.path / "events.jsonl").write_text(whole[:20])
        assert list(watched.look()) == []
        (store.path / "events.jsonl").write_text(whole)
        assert len(list(watched.look())) == 1
        assert watched.course.steps == 7

    def test_a_run_that_is_taken_back_before_training_is_explained(self, store: RunStore) -> None:
        watched = Watched(store.path)
        shutil.rmtree(store.path)
        with pytest.raises(UserError, match="before training began"):
            list(watched.look())

    def test_a_writer_that_was_killed_is_seen(self, store: RunStore) -> None:
        gone = subprocess.Popen([sys.executable, "-c", ""])
        gone.wait()
        manifest = json.loads((store.path / "manifest.json").read_text())
        manifest["process"]["pid"] = gone.pid
        (store.path / "manifest.json").write_text(json.dumps(manifest))
        watched = Watched(store.path)
        list(watched.look())
        assert watched.status == "interrupted"


def play(store: RunStore, status: str, pause: float = 0.1) -> threading.Thread:
    """Train for a second in another thread."""

    def work() -> None:
        for epoch in range(3):
            time.sleep(pause)
            for one in training_rows(epochs=3, steps_per_epoch=5):
                if epoch * 5 < one["step"] <= epoch * 5 + 5 or epoch == one["step"] == 0:
                    write(store, [one])
        time.sleep(pause)
        store.finish(status)  # type: ignore[arg-type]

    thread = threading.Thread(target=work)
    thread.start()
    return thread


@pytest.mark.parametrize("status", ["done", "failed", "interrupted"])
def test_off_a_terminal_there_are_lines_until_the_run_ends(
    store: RunStore, status: str, capsys: pytest.CaptureFixture[str]
) -> None:
    thread = play(store, status)
    assert watch_run(store.path, Console(results=True), every=0.02)
    thread.join()
    said = capsys.readouterr().out.splitlines()
    assert [line[9:] for line in said[:-1]] == [
        "training begins",
        "epoch 1 of 3: loss 1.000, validation loss 0.500, f1_macro 0.250",
        "epoch 2 of 3: loss 0.500, validation loss 0.250, f1_macro 0.375",
        "epoch 3 of 3: loss 0.333, validation loss 0.167, f1_macro 0.417",
    ]
    assert said[-1] == f"{store.path}: {status}"


def test_off_a_terminal_a_long_epoch_has_a_line_a_minute(
    store: RunStore, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("supertune.recipes.watch.QUIET", 0.2)
    write(
        store, [one for one in training_rows(epochs=1, steps_per_epoch=50, planned=2) if one["event"] != "epoch"][:40]
    )
    threading.Timer(0.7, lambda: store.finish("done")).start()
    watch_run(store.path, Console(results=True), every=0.02)
    progress = [line for line in capsys.readouterr().out.splitlines() if line.startswith("step")]
    assert 1 <= len(progress) <= 3
    assert progress[0].startswith("step 39 of 100, 6 s left, loss ")


def test_there_must_be_a_run(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such run"):
        watch_run(tmp_path / "nowhere", Console())


class TestCommand:
    def start(
        self, store: RunStore, *options: str, terminal: str = "xterm-256color", **streams: object
    ) -> subprocess.Popen[bytes]:
        command = [*COMMAND, "show", str(store.path), "--watch", *options]
        environment = {**os.environ, "TERM": terminal, "PYTHONWARNINGS": "error"}
        return subprocess.Popen(command, env=environment, **streams)  # type: ignore[call-overload, no-any-return]

    def test_json_waits_and_then_is_one_object(self, store: RunStore) -> None:
        write(store, training_rows(epochs=1))
        process = self.start(store, "--json", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        time.sleep(2)
        assert process.poll() is None
        store.finish("failed")
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0
        assert json.loads(out)["status"] == "failed"
        assert b"epoch 1 of 1" in err

    def test_ctrl_c_leaves_the_viewer_and_is_no_error(self, store: RunStore) -> None:
        write(store, training_rows(epochs=1, planned=2))
        process = self.start(store, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert process.stdout is not None
        assert b"training begins" in process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
        assert (process.returncode, err) == (0, b"")
        assert store.status == "running"

    @pytest.mark.parametrize("size", [(80, 24), (44, 12)])
    def test_on_a_terminal(self, store: RunStore, size: tuple[int, int]) -> None:
        write(store, training_rows(epochs=2, steps_per_epoch=20, planned=3))
        ours, theirs = pty.openpty()
        ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))
        process = self.start(store, stdin=theirs, stdout=theirs, stderr=theirs)
        os.close(theirs)
        text = read_until(ours, "step 40 of 60")
        write(store, [row("step", 41, loss=0.1, items=16, learning_rate=1e-5)])
        text += read_until(ours, "step 41 of 60")
        store.append_event(Event("done", 41))
        store.finish("done")
        text += read_until(ours, None)
        assert process.wait(timeout=60) == 0
        assert "running" in text
        assert re.search(r": done\b", text)
        # The cursor, which was hidden, is there again.
        assert text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l")

    def test_a_terminal_that_can_only_print_gets_lines(self, store: RunStore) -> None:
        write(store, training_rows(epochs=2))
        store.finish("done")
        ours, theirs = pty.openpty()
        process = self.start(store, terminal="dumb", stdin=theirs, stdout=theirs, stderr=theirs)
        os.close(theirs)
        text = read_until(ours, None)
        assert process.wait(timeout=60) == 0
        assert "epoch 2 of 2: loss 0.500" in text
        assert "\x1b[" not in text
        assert not any("\u2800" <= character <= "\u28ff" for character in text)


def read_until(terminal: int, wanted: str | None) -> str:
    """What comes until ``wanted`` was among it, or until the other side closes."""
    read = b""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and (wanted is None or wanted not in read.decode("utf-8", "replace")):
        if select.select([terminal], [], [], 0.2)[0]:
            try:
                piece = os.read(terminal, 65536)
            except OSError:
                break
            if not piece:
                break
            read += piece
    text = read.decode("utf-8", "replace")
    assert wanted is None or wanted in text, text[-2000:]
    return text
