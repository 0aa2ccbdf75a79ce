"""A checkpoint is read exactly as it was written, and killing the writer at any point leaves a whole one."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from checkpoint_samples import FILES, names, state, write
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open

from supertune.train.checkpoints.folder import list_checkpoints, newest_good, read_checkpoint, write_checkpoint
from supertune.train.checkpoints.marker import MARKER, STATE, TENSORS
from supertune.train.checkpoints.state import TrainingState, flatten, unflatten

DTYPES = (
    *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)),
    *("bool", "float16", "bfloat16", "float32", "float64", "complex64"),
    *("float8_e4m3fn", "float8_e5m2", "float8_e8m0fnu"),
)


class TestWriting:
    @pytest.mark.parametrize("dtype", DTYPES)
    def test_every_type_and_shape_comes_back(self, tmp_path: Path, dtype: str) -> None:
        kind: torch.dtype = getattr(torch, dtype)
        base = torch.arange(24).reshape(4, 6).to(kind)
        given = {
            "plain": base,
            "turned": base.T,
            "steps": base[::2, 1::3],
            "wide": base[:1].expand(3, 6),
            "scalar": base[1, 2],
            "empty": base[:0],
            "odd": torch.arange(3, dtype=torch.uint8),
        }
        found = read_checkpoint(write_checkpoint(tmp_path, 7, TrainingState(given, {}))).state.tensors
        assert set(found) == set(given)
        for name, tensor in given.items():
            assert (found[name].dtype, found[name].shape) == (tensor.dtype, tensor.shape)
            assert torch.equal(found[name].to(torch.complex128), tensor.to(torch.complex128))
            assert found[name].data_ptr() % max(tensor.dtype.itemsize, 1) == 0

    @settings(max_examples=25)
    @given(
        st.dictionaries(st.text(max_size=3), st.one_of(st.floats(), st.integers(), st.tuples(st.text(), st.none()))),
        st.integers(0, 10**9),
    )
    def test_a_nested_state_comes_back_from_the_disk(
        self, tmp_path_factory: pytest.TempPathFactory, nested: dict[str, object], step: int
    ) -> None:
        folder = tmp_path_factory.mktemp("checkpoints")
        written = {"given": nested, "weights": {0: torch.arange(step % 7)}}
        found = read_checkpoint(write_checkpoint(folder, step, TrainingState(*flatten(written))))
        restored = unflatten(found.state.tensors, found.state.values)
        assert found.step == step
        assert repr(restored["given"]) == repr(nested)
        assert torch.equal(restored["weights"][0], torch.arange(step % 7))

    def test_the_files_are_what_they_are_called(self, tmp_path: Path) -> None:
        (path,) = write(tmp_path, 1200)
        assert path.name == "step-00001200"
        assert names(path) == sorted(FILES)
        assert names(tmp_path) == [path.name]
        with safe_open(path / TENSORS, "pt") as opened:
            assert sorted(opened.keys()) == ["a", "b"]
            assert torch.equal(opened.get_tensor("a"), torch.arange(5.0) + 1200)
        assert json.loads((path / STATE).read_text()) == state(1200).values
        marker = json.loads((path / MARKER).read_text())
        assert marker["step"] == 1200
        hashed = subprocess.run(["sha256sum", path / TENSORS], capture_output=True, text=True).stdout.split()[0]
        assert marker["files"][TENSORS] == {"bytes": (path / TENSORS).stat().st_size, "sha256": hashed}

    def test_everything_is_on_the_disk_before_it_gets_its_name(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """In this order it outlives a power cut: files and their folder, then the name, then the folder of names."""
        happened: list[object] = []
        fsync, replace = os.fsync, Path.replace

        def flushing(descriptor: int) -> None:
            happened.append(os.fstat(descriptor).st_ino)
            fsync(descriptor)

        def renaming(self: Path, target: Path) -> Path:
            happened.append("named")
            return replace(self, target)

        monkeypatch.setattr(os, "fsync", flushing)
        monkeypatch.setattr(Path, "replace", renaming)
        (path,) = write(tmp_path, 1)
        numbers = {name: (path / name).stat().st_ino for name in (*FILES, ".", "..")}
        name = happened.index("named")
        assert {numbers[file] for file in (*FILES, ".")} <= set(happened[:name])
        assert happened[name + 1 :] == [numbers[".."]]

    def test_a_state_without_tensors(self, tmp_path: Path) -> None:
        found = read_checkpoint(write_checkpoint(tmp_path, 0, TrainingState({}, {"a": 1})))
        assert (found.state.tensors, found.state.values) == ({}, {"a": 1})

    def test_shared_memory_may_have_two_names(self, tmp_path: Path) -> None:
        weight = torch.arange(4.0)
        found = read_checkpoint(write_checkpoint(tmp_path, 0, TrainingState({"a": weight, "b": weight[1:]}, {}))).state
        assert torch.equal(found.tensors["b"], weight[1:])

    def test_a_checkpoint_is_never_replaced(self, tmp_path: Path) -> None:
        paths = [write_checkpoint(tmp_path, 5, TrainingState({}, {"number": number})) for number in range(11)]
        assert [path.name for path in paths[:3]] == ["step-00000005", "step-00000005-2", "step-00000005-3"]
        assert list_checkpoints(tmp_path) == paths[::-1]
        found, _ = newest_good(tmp_path)
        assert found
        assert found.state.values == {"number": 10}

    @pytest.mark.parametrize(
        ("tensors", "values", "error"),
        [
            ({"x": torch.eye(2).to_sparse()}, {}, "x: a sparse tensor"),
            ({"x": torch.zeros(2, dtype=torch.complex128)}, {}, "x: complex128 cannot"),
            ({"__metadata__": torch.zeros(2)}, {}, "__metadata__"),
            ({}, {"x": float("nan")}, "JSON"),
            ({}, {"x": {1, 2}}, "JSON"),
        ],
    )
    def test_what_cannot_be_written_leaves_nothing(
        self, tmp_path: Path, tensors: dict[str, torch.Tensor], values: dict[str, object], error: str
    ) -> None:
        with pytest.raises((TypeError, ValueError), match=error):
            write_checkpoint(tmp_path, 1, TrainingState(tensors, values))
        assert not names(tmp_path)

    def test_it_can_be_removed_while_it_is_in_use(self, tmp_path: Path) -> None:
        (path,) = write(tmp_path, 1)
        found = read_checkpoint(path).state.tensors
        (path / TENSORS).write_bytes(b"")
        shutil.rmtree(path)
        assert torch.equal(found["a"].add_(1), torch.arange(5.0) + 2)


DYING = """
import pathlib, sys
from supertune.train.checkpoints.folder import keep_last, write_snapshot
from supertune.train.checkpoints.snapshot import Snapshot
folder, header, body = pathlib.Path(sys.argv[1]), bytes.fromhex(sys.argv[2]), bytes.fromhex(sys.argv[3])
for step in range(1, 9):
    path = write_snapshot(folder, step, Snapshot(header, memoryview(body), b'{"step": %d}' % step))
    keep_last(folder, 2, sure=path)
assert "torch" not in sys.modules
"""


@pytest.mark.parametrize(
    ("point", "left"),
    [
        ("before-tensors", [1, 2]),
        ("mid-tensors", [1, 2]),
        ("after-tensors", [1, 2]),
        ("before-marker", [1, 2]),
        ("before-rename", [1, 2]),
        ("after-rename", [1, 2, 3]),
        ("before-prune", [1, 2, 3]),
        ("none", [7, 8]),
    ],
)
def test_killed_at_every_point_of_the_third_save(tmp_path: Path, point: str, left: list[int]) -> None:
    (whole,) = write(tmp_path / "whole", 1)
    content = (whole / TENSORS).read_bytes()
    length = 8 + int.from_bytes(content[:8], "little")
    folder = tmp_path / "checkpoints"
    done = subprocess.run(
        [sys.executable, "-c", DYING, folder, content[:length].hex(), content[length:].hex()],
        env={**os.environ, "SUPERTUNE_FAULT": f"checkpoint:{point}:3"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == (0 if point == "none" else -9), done.stderr
    assert sorted(int(path.name[5:]) for path in list_checkpoints(folder)) == left
    found, problems = newest_good(folder)
    assert found
    assert (found.step, problems, found.state.values) == (left[-1], [], {"step": left[-1]})
    assert torch.equal(found.state.tensors["a"], torch.arange(5.0) + 1)
    leftovers = [name for name in names(folder) if not re.fullmatch(r"step-\d{8}", name)]
    assert len(leftovers) == (point in ("mid-tensors", "after-tensors", "before-marker", "before-rename"))
    if point == "mid-tensors":
        half = (folder / leftovers[0] / TENSORS).stat().st_size
        assert 0.4 * len(content) < half < len(content)
