"""The run directory on a full disk, and where its user may not write or read."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from run_samples import finished, score

from supertune.contracts import Event
from supertune.errors import UserError
from supertune.runs import create_run


@pytest.fixture
def tiny_disk(tmp_path):
    """A file system of 256 KB."""
    place = tmp_path / "disk"
    place.mkdir()
    if os.geteuid() != 0 or not shutil.which("mount"):
        pytest.skip("needs root to mount a small file system")
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", place], capture_output=True).returncode:
        pytest.skip("this machine does not allow mounting")
    yield place
    subprocess.run(["umount", "-l", place], check=True)


def fill(place):
    with (place / "filler").open("wb", buffering=0) as stream:
        try:
            while stream.write(b"x" * 4096):
                pass
        except OSError:
            return


class TestFullDisk:
    def test_what_was_complete_stays_complete(self, tiny_disk):
        run = finished(tiny_disk / "run", "interrupted")
        run.reopen()
        fill(tiny_disk)
        before = {path: path.read_bytes() for path in run.path.rglob("*") if path.is_file()}
        for attempt, name in (
            (lambda: run.append_event(Event("step", 1, {"text": "长" * 9000})), "events.jsonl"),
            (lambda: run.write_predictions("test", ({"text": "长" * 99} for _ in range(900))), "test.jsonl"),
            (lambda: run.write_metrics({"test": {str(i): score() for i in range(900)}}), "metrics.json"),
            (lambda: run.write_report("<p>" * 90000), "report.html"),
            (lambda: run.update_manifest(data={"x": "y" * 90000}), "manifest.json"),
        ):
            with pytest.raises(UserError, match="space") as caught:
                attempt()
            assert name in str(caught.value.where)
        assert {path: path.read_bytes() for path in run.path.rglob("*") if path.is_file()} == before
        (tiny_disk / "filler").unlink()
        run.append_event(Event("resumed", 1))
        run.finish("done")
        assert [event["event"] for event in run.events()] == ["start", "resumed"]
        assert run.verify() == []

    def test_a_new_run_leaves_nothing_behind(self, tiny_disk):
        fill(tiny_disk)
        with pytest.raises(UserError, match="space"):
            create_run(tiny_disk / "run", task="t", command=[], config_yaml="x" * 9000)
        assert [path.name for path in tiny_disk.iterdir()] == ["filler"]


def as_nobody(code):
    """Run Python as a user who owns nothing here."""
    if os.geteuid() != 0 or not shutil.which("setpriv"):
        pytest.skip("needs root and setpriv to become another user")
    become = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", sys.executable, "-B", "-c"]
    if subprocess.run([*become, "import supertune.runs"], capture_output=True).returncode:
        pytest.skip("another user cannot read this installation")
    return subprocess.run([*become, code], capture_output=True, text=True)


class TestPermissions:
    @pytest.fixture
    def shared(self, tmp_path):
        """A folder that everyone may enter and read, as pytest's own are not."""
        place = Path(f"/tmp/supertune-test-{os.getpid()}-{tmp_path.name}")
        place.mkdir(mode=0o755)
        yield place
        shutil.rmtree(place)

    def test_an_unwritable_place(self, shared):
        code = (
            "from pathlib import Path; from supertune.errors import UserError; from supertune.runs import create_run\n"
            f"try: create_run(Path({str(shared / 'run')!r}), task='t', command=[], config_yaml='')\n"
            "except UserError as error: print(error.message)"
        )
        done = as_nobody(code)
        assert done.returncode == 0, done.stderr
        assert str(shared / "run") in done.stdout
        assert "permission" in done.stdout
        assert not list(shared.iterdir())

    def test_a_run_that_may_not_be_read(self, shared):
        finished(shared / "open")
        finished(shared / "closed").path.chmod(0o700)
        code = (
            "from pathlib import Path; from supertune.runs import list_runs\n"
            f"print([(run.path.name, run.status) for run in list_runs(Path({str(shared)!r}))])"
        )
        done = as_nobody(code)
        assert done.stdout.strip() == "[('open', 'done'), ('closed', 'broken')]", done.stderr
