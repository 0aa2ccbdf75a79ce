"""Files are whole or absent, with the permissions that the user's umask grants."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from supertune.errors import UserError
from supertune.files import (
    atomic_file,
    atomic_folder,
    cache_folder,
    explained,
    read_json,
    remove_folder,
    remove_leftovers,
    sha256_bytes,
    sha256_file,
    write_json,
    write_jsonl,
    write_text,
)

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")
not_root = pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")


@pytest.fixture
def umask() -> Iterator[int]:
    before = os.umask(0o027)
    yield 0o027
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit, GeneratorExit])
@pytest.mark.parametrize("before", [None, "old"])
def test_a_failure_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, error: type[BaseException], before: str | None
) -> None:
    path = tmp_path / "file.txt"
    if before is not None:
        path.write_text(before)

    def fail() -> None:
        with atomic_file(path) as stream:
            stream.write("half")
            stream.flush()
            raise error

    with pytest.raises(error):
        fail()
    assert names(tmp_path) == (["file.txt"] if before else [])
    assert not before or path.read_text() == before


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
@pytest.mark.parametrize("before", [False, True])
def test_a_failure_leaves_the_old_folder_and_nothing_else(
    tmp_path: Path, error: type[BaseException], before: bool
) -> None:
    path = tmp_path / "model"
    if before:
        path.mkdir()
        (path / "old").touch()

    def fail() -> None:
        with atomic_folder(path) as partial:
            (partial / "half").write_text("half")
            raise error

    with pytest.raises(error):
        fail()
    assert names(tmp_path) == (["model"] if before else [])
    assert not before or names(path) == ["old"]


def test_the_old_folder_comes_back_when_the_exchange_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "model"
    path.mkdir()
    (path / "old").touch()
    replace = Path.replace

    def failing(self: Path, target: Path) -> Path:
        if target == path and self.suffix == ".partial":
            raise KeyboardInterrupt
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", failing)
    with pytest.raises(KeyboardInterrupt), atomic_folder(path) as partial:
        (partial / "new").touch()
    assert names(tmp_path) == ["model"]
    assert names(path) == ["old"]


def test_a_folder_replaces_another_whole(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "model"
    for content in ("first", "second"):
        with atomic_folder(path) as partial:
            (partial / content).write_text(content)
            assert not path.exists() or names(path) == ["first"]
    assert names(path) == ["second"]
    assert names(path.parent) == ["model"]


def test_a_folder_is_removed_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "old" / "deep").mkdir(parents=True)
    (tmp_path / "old" / "deep" / "file").touch()
    (tmp_path / "other").mkdir()
    unlink = os.unlink
    seen = []

    def spying(*arguments: Any, **options: Any) -> None:
        seen.append(sorted(set(names(tmp_path)) & {"old", "other"}))
        unlink(*arguments, **options)

    monkeypatch.setattr(os, "unlink", spying)
    remove_folder(tmp_path / "old")
    assert seen == [["other"]], "its name is gone before the first of its files"
    assert names(tmp_path) == ["other"]


@pytest.mark.parametrize("kind", ["atomic_file", "atomic_folder"])
def test_leftovers_of_dead_processes_are_removed(tmp_path: Path, kind: str) -> None:
    code = f"""
import os, pathlib, sys
from supertune import files
with files.{kind}(pathlib.Path(sys.argv[1])) as made:
    if sys.argv[2] == "die":
        os._exit(9)
    print(flush=True)
    input()
"""
    arguments = [sys.executable, "-c", code, str(tmp_path / "target")]
    living = subprocess.Popen([*arguments, "live"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert living.stdout
    assert living.stdin
    living.stdout.readline()
    kept = names(tmp_path)
    assert subprocess.run([*arguments, "die"]).returncode == 9
    (tmp_path / f".mine.{os.getpid()}.partial").touch()
    for name in ("complete", ".hidden", ".no-number.partial", f".x.{10**30}.partial"):
        (tmp_path / name).touch()
    assert len(names(tmp_path)) == 7
    remove_leftovers(tmp_path)
    assert set(names(tmp_path)) == {"complete", ".hidden", ".no-number.partial", *kept}
    living.communicate(b"\n")
    assert living.returncode == 0
    remove_leftovers(tmp_path / "missing")


@pytest.mark.parametrize("kind", ["atomic_file", "atomic_folder"])
@pytest.mark.parametrize("moment", ["before", "after"])
def test_killed_between_writing_and_renaming(tmp_path: Path, kind: str, moment: str) -> None:
    """The process dies by signal 9 just before or just after the rename: old or new, never a half."""
    path = tmp_path / "target"
    code = f"""
import os, pathlib, signal, sys
from supertune import files
replace = pathlib.Path.replace
def dying(self, target):
    if {moment!r} == "after":
        replace(self, target)
    os.kill(os.getpid(), signal.SIGKILL)
pathlib.Path.replace = dying
with files.{kind}(pathlib.Path(sys.argv[1])) as made:
    if {kind!r} == "atomic_file":
        made.write("new" * 100_000)
    else:
        (made / "content").write_text("new" * 100_000)
"""
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True)
    assert done.returncode == -signal.SIGKILL
    assert path.exists() == (moment == "after")
    content = path if kind == "atomic_file" else path / "content"
    if path.exists():
        assert content.read_text() == "new" * 100_000
    # A later attempt succeeds, whatever the dead one left.
    with atomic_file(tmp_path / "other") as stream:
        stream.write("fine")


def test_files_of_a_folder_follow_the_umask(tmp_path: Path, umask: int) -> None:
    with atomic_folder(tmp_path / "model") as partial:
        (partial / "sub").mkdir(mode=0o700)
        for private in (partial / "weights", partial / "sub" / "deep"):
            private.touch(mode=0o600)
        (partial / "open").touch(mode=0o666)
        (partial / "open").chmod(0o666)
        (partial / "script").touch(mode=0o700)
        (partial / "link").symlink_to("/etc/hostname")
    model = tmp_path / "model"
    found = {name: oct(mode(model / name)) for name in ("weights", "sub/deep", "open", "script", "sub", ".")}
    assert found == {
        "weights": oct(0o640),
        "sub/deep": oct(0o640),
        "open": oct(0o640),
        "script": oct(0o740),
        "sub": oct(0o750),
        ".": oct(0o750),
    }
    write_text(tmp_path / "text", "x")
    assert mode(tmp_path / "text") == 0o640
    assert os.umask(umask) == umask, "the umask is as it was"


def test_other_threads_keep_the_umask(tmp_path: Path, umask: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """`os.umask` tells the mask only by setting it, for every thread of the process."""
    monkeypatch.delattr(os, "umask")
    with atomic_folder(tmp_path / "model") as partial:
        (partial / "weights").touch()
    monkeypatch.undo()
    assert mode(tmp_path / "model" / "weights") == 0o640
    assert names(tmp_path / "model") == ["weights"]


def test_safetensors_files_can_be_read_by_others(tmp_path: Path, umask: int) -> None:
    import numpy as np
    from safetensors.numpy import save_file

    with atomic_folder(tmp_path / "model") as partial:
        save_file({"a": np.zeros(3)}, partial / "model.safetensors")
    assert mode(tmp_path / "model" / "model.safetensors") == 0o640


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)], capture_output=True)
    if mounted.returncode:
        pytest.skip("cannot mount a small file system here")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


@needs_root
def test_a_full_disk_is_named_and_left_as_it_was(full_disk: Path) -> None:
    write_text(full_disk / "kept", "old")
    with pytest.raises(UserError, match="no space left") as error:
        write_text(full_disk / "kept", "x" * 200_000)
    assert error.value.where == str(full_disk / "kept")
    assert "free some space" in (error.value.fix or "")
    assert (full_disk / "kept").read_text() == "old"

    def fill() -> None:
        with atomic_folder(full_disk / "model") as partial:
            (partial / "a").write_bytes(b"x" * 30_000)
            (partial / "b").write_bytes(b"x" * 200_000)

    with pytest.raises(UserError, match="no space left"):
        fill()
    assert names(full_disk) == ["kept"]


@not_root
def test_no_permission(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(UserError, match="permission denied"):
        write_text(tmp_path / "file", "x")


def test_impossible_places(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder" / "sub").mkdir(parents=True)
    for path in (tmp_path / "file" / "a", tmp_path / "file" / "a" / "b", tmp_path / "folder", tmp_path / ("a" * 300)):
        with pytest.raises(UserError) as error:
            write_text(path, "x")
        assert error.value.where == str(path)
    assert names(tmp_path) == ["file", "folder"]


def test_what_is_no_fault_of_the_user_stays_what_it_is(tmp_path: Path) -> None:
    with pytest.raises(BlockingIOError), explained(tmp_path):
        raise BlockingIOError(11, "try again")


def test_json_keeps_chinese_readable_and_refuses_nan(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_json(path, {"好": "😀", "n": 1.5})
    assert path.read_text(encoding="utf-8") == '{\n  "好": "😀",\n  "n": 1.5\n}\n'
    assert read_json(path) == {"好": "😀", "n": 1.5}
    with pytest.raises(ValueError, match="JSON"):
        write_json(path, float("nan"))
    assert read_json(path) == {"好": "😀", "n": 1.5}


def test_json_lines_survive_line_separators_and_fail_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    rows = [{"text": "a\nb\u2028c\r"}, {"text": "好"}]
    assert write_jsonl(path, iter(rows)) == 2
    assert [json.loads(line) for line in path.read_bytes().split(b"\n") if line] == rows
    with pytest.raises(TypeError):
        write_jsonl(path, [{"text": "x"}, {"text": object()}])
    assert path.read_bytes().count(b"\n") == 2
    assert names(tmp_path) == ["a.jsonl"]


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe\xfd", b'{"a": 1} {'])
def test_damaged_json_names_the_file(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "manifest.json"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"manifest\.json: is not valid JSON"):
        read_json(path)
    with pytest.raises(UserError, match=r"missing\.json: cannot be used"):
        read_json(tmp_path / "missing.json")


def test_fingerprints(tmp_path: Path) -> None:
    (tmp_path / "abc").write_bytes(b"abc")
    known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert sha256_file(tmp_path / "abc") == sha256_bytes(b"a", b"bc") == known


def test_where_the_cache_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUPERTUNE_CACHE", "/a/b")
    assert cache_folder() == Path("/a/b")
    monkeypatch.setenv("SUPERTUNE_CACHE", "")
    monkeypatch.setenv("XDG_CACHE_HOME", "/x")
    assert cache_folder() == Path("/x/supertune")
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    monkeypatch.setenv("HOME", "/home/someone")
    assert cache_folder() == Path("/home/someone/.cache/supertune")
